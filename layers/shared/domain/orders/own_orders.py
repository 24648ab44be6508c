"""A buyer and their own orders, whatever they are of (OP-S10). Somebody else's does not exist for them."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from psycopg import Connection

from domain import money
from domain.clock import on_toronto_clock
from domain.errors import Refused
from domain.orders import queries
from domain.orders.models import OrderPage, OrderRefund, OrderSummaryView
from domain.orders.own_order import OrderAndReturns, OwnOrder, OwnRefund
from domain.paging import Place, page_of, read_cursor
from domain.product import Product


def list_orders(
    connection: Connection[Any], user_id: UUID, product: Product | None, cursor: str | None, limit: int
) -> OrderPage:
    """A page of a buyer's orders, of one product or of all, newest first, each with its refunds.

    Refuses with CURSOR_INVALID.
    """
    of = product or ""
    rows = queries.select_orders(connection, user_id, product, read_cursor(cursor, of), limit).fetchall()
    page = page_of(rows, limit, lambda row: Place(row.created_at, row.id, of))
    refunds = queries.select_refunds(connection, [order.id for order in page.items]).fetchall()
    items = [
        OrderSummaryView(**summary_of(order, [one for one in refunds if one.order_id == order.id]))
        for order in page.items
    ]
    return OrderPage(items=items, next_cursor=page.next_cursor)


def find_own_order(connection: Connection[Any], user_id: UUID, order_id: UUID) -> OrderAndReturns:
    """That order of a buyer. Refuses with ORDER_NOT_FOUND."""
    order = queries.select_order(connection, user_id, order_id).fetchone()
    if order is None:
        raise Refused("ORDER_NOT_FOUND")
    return OrderAndReturns(
        order,
        queries.select_refunds(connection, [order_id]).fetchall(),
        queries.find_credits_issued(connection, order_id),
    )


def summary_of(order: OwnOrder, refunds: Sequence[OwnRefund]) -> dict[str, Any]:
    """The fields of an OrderSummaryView."""
    return {
        "id": order.id,
        "number": order.number,
        "product": order.product,
        "status": order.status,
        "item_count": len(order.titles_fr),
        "titles_fr": order.titles_fr,
        "subtotal_cad": str(order.subtotal_cad),
        "discount_cad": str(order.discount_cad),
        "coupon_code": order.coupon_code,
        "total_cad": str(order.total_cad),
        "credits_applied_cad": str(order.credits_applied_cad),
        "amount_charged_cad": str(order.charged_cad),
        "refunded_cad": str(order.refunded_cad),
        "net_cad": str(order.net_cad),
        "currency": money.CURRENCY,
        "created_at": on_toronto_clock(order.created_at),
        "refunds": [_refund(refund) for refund in refunds],
    }


def _refund(refund: OwnRefund) -> OrderRefund:
    return OrderRefund(
        id=refund.id,
        amount_cad=str(refund.amount_cad),
        reason=refund.reason,
        status=refund.status,
        order_item_id=refund.order_item_id,
        created_at=on_toronto_clock(refund.created_at),
        processed_at=on_toronto_clock(refund.processed_at) if refund.processed_at else None,
    )
