"""A buyer's orders, as they are read."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any
from uuid import UUID

from psycopg import Connection, Cursor
from psycopg.rows import class_row

from domain.money import ZERO
from domain.orders.own_order import OwnOrder, OwnRefund
from domain.paging import Place
from domain.product import Product


def select_orders(
    connection: Connection[Any], user_id: UUID, product: Product | None, before: Place | None, limit: int
) -> Cursor[OwnOrder]:
    """A buyer's orders, of one product or of all, newest first, those before a place, one more than `limit`."""
    return connection.cursor(row_factory=class_row(OwnOrder)).execute(
        """
        SELECT id, product::text, order_number, status::text, subtotal_cad, discount_cad, total_cad,
               credits_applied_cad, refunded_cad, coupon_code, billing, created_at,
               ARRAY(SELECT title_fr FROM order_items WHERE order_id = orders.id ORDER BY position) AS titles_fr
          FROM orders
         WHERE user_id = %(user_id)s
           AND (%(product)s::product IS NULL OR product = %(product)s)
           AND (%(at)s::timestamptz IS NULL OR (created_at, id) < (%(at)s, %(id)s))
         ORDER BY created_at DESC, id DESC
         LIMIT %(limit)s
        """,
        {
            "user_id": user_id,
            "product": product,
            "at": before.at if before else None,
            "id": before.id if before else None,
            "limit": limit + 1,
        },
    )


def select_order(connection: Connection[Any], user_id: UUID, order_id: UUID) -> Cursor[OwnOrder]:
    """That order if it is that buyer's."""
    return connection.cursor(row_factory=class_row(OwnOrder)).execute(
        """
        SELECT id, product::text, order_number, status::text, subtotal_cad, discount_cad, total_cad,
               credits_applied_cad, refunded_cad, coupon_code, billing, created_at,
               ARRAY(SELECT title_fr FROM order_items WHERE order_id = orders.id ORDER BY position) AS titles_fr
          FROM orders WHERE id = %(order_id)s AND user_id = %(user_id)s
        """,
        {"user_id": user_id, "order_id": order_id},
    )


def select_refunds(connection: Connection[Any], order_ids: Sequence[UUID]) -> Cursor[OwnRefund]:
    """The card refunds of these orders, oldest first."""
    return connection.cursor(row_factory=class_row(OwnRefund)).execute(
        """
        SELECT id, order_id, (amount_cents / 100.0)::numeric(10, 2) AS amount_cad, reason, status::text,
               order_item_id, created_at, processed_at
          FROM refunds WHERE order_id = ANY(%(order_ids)s)
         ORDER BY created_at, id
        """,
        {"order_ids": list(order_ids)},
    )


def find_credits_issued(connection: Connection[Any], order_id: UUID) -> Decimal:
    """The store credit that the lines of an order have given back and that still stands, in CAD."""
    row = connection.execute(
        """
        SELECT coalesce(sum(entry.amount_cad), 0.00)
          FROM order_items AS item JOIN credit_transactions AS entry ON entry.order_item_id = item.id
         WHERE item.order_id = %(order_id)s AND entry.type IN ('cancellation', 'order_refund', 'reversal')
        """,
        {"order_id": order_id},
    ).fetchone()
    return row[0] if row else ZERO
