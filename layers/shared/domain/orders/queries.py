"""A buyer's orders, as they are read."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from psycopg import Connection, Cursor
from psycopg.rows import class_row

from domain.money import ZERO
from domain.paging import Place


@dataclass(frozen=True, slots=True)
class OwnOrder:
    id: UUID
    order_number: int
    status: str
    item_count: int
    subtotal_cad: Decimal
    discount_cad: Decimal
    total_cad: Decimal
    credits_applied_cad: Decimal
    refunded_cad: Decimal
    coupon_code: str | None
    billing: Mapping[str, str] | None
    created_at: datetime

    @property
    def number(self) -> str:
        """The order's number as people quote it."""
        return f"4AS-{self.order_number:06d}"

    @property
    def charged_cad(self) -> Decimal:
        """What the card paid."""
        return self.total_cad - self.credits_applied_cad

    @property
    def place(self) -> Place:
        return Place(self.created_at, self.id)


@dataclass(frozen=True, slots=True)
class OwnLine:
    id: UUID
    appointment_id: UUID | None
    appointment_status: str | None
    course_title_fr: str
    tutor_display_name: str
    start: datetime
    end: datetime
    duration_min: int
    price_cad: Decimal
    discount_share_cad: Decimal
    returned_cad: Decimal


@dataclass(frozen=True, slots=True)
class OwnRefund:
    id: UUID
    amount_cad: Decimal
    reason: str
    status: str
    order_item_id: UUID | None
    created_at: datetime
    processed_at: datetime | None


def select_orders(
    connection: Connection[Any], user_id: UUID, before: Place | None, limit: int
) -> Cursor[OwnOrder]:
    """A buyer's orders, newest first, those before a place, one more than `limit`."""
    return connection.cursor(row_factory=class_row(OwnOrder)).execute(
        """
        SELECT id, order_number, status::text, subtotal_cad, discount_cad, total_cad, credits_applied_cad,
               refunded_cad, coupon_code, billing, created_at,
               (SELECT count(*) FROM order_items WHERE order_id = orders.id) AS item_count
          FROM orders
         WHERE user_id = %(user_id)s
           AND (%(at)s::timestamptz IS NULL OR (created_at, id) < (%(at)s, %(id)s))
         ORDER BY created_at DESC, id DESC
         LIMIT %(limit)s
        """,
        {
            "user_id": user_id,
            "at": before.at if before else None,
            "id": before.id if before else None,
            "limit": limit + 1,
        },
    )


def select_order(connection: Connection[Any], user_id: UUID, order_id: UUID) -> Cursor[OwnOrder]:
    """That order if it is that buyer's."""
    return connection.cursor(row_factory=class_row(OwnOrder)).execute(
        """
        SELECT id, order_number, status::text, subtotal_cad, discount_cad, total_cad, credits_applied_cad,
               refunded_cad, coupon_code, billing, created_at,
               (SELECT count(*) FROM order_items WHERE order_id = orders.id) AS item_count
          FROM orders WHERE id = %(order_id)s AND user_id = %(user_id)s
        """,
        {"user_id": user_id, "order_id": order_id},
    )


def select_lines(connection: Connection[Any], order_id: UUID) -> Cursor[OwnLine]:
    """The lines of an order by start."""
    return connection.cursor(row_factory=class_row(OwnLine)).execute(
        """
        SELECT item.id, appointments.id AS appointment_id, appointments.status::text AS appointment_status,
               courses.title_fr AS course_title_fr, tutors.display_name AS tutor_display_name,
               session.start_datetime AS start, session.end_datetime AS "end", session.duration_min,
               item.line_total_cad AS price_cad, item.discount_share_cad, item.returned_cad
          FROM order_items AS item
          JOIN session_items AS session ON session.id = item.id
          JOIN courses ON courses.id = session.course_id
          JOIN tutors ON tutors.id = session.tutor_id
          LEFT JOIN appointments ON appointments.order_item_id = item.id
         WHERE item.order_id = %(order_id)s
         ORDER BY session.start_datetime
        """,
        {"order_id": order_id},
    )


def select_refunds(connection: Connection[Any], order_id: UUID) -> Cursor[OwnRefund]:
    """The card refunds of an order, oldest first."""
    return connection.cursor(row_factory=class_row(OwnRefund)).execute(
        """
        SELECT id, (amount_cents / 100.0)::numeric(10, 2) AS amount_cad, reason, status::text, order_item_id,
               created_at, processed_at
          FROM refunds WHERE order_id = %(order_id)s
         ORDER BY created_at, id
        """,
        {"order_id": order_id},
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
