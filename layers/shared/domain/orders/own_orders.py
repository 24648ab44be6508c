"""A buyer and their own orders (OP-S10). Somebody else's does not exist for them."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

from psycopg import Connection

from domain import money
from domain.accounts.accounts import find_account
from domain.clock import on_toronto_clock
from domain.errors import Refused
from domain.orders import queries
from domain.orders.models import OrderDetail, OrderLine, OrderPage, OrderRefund, OrderSummaryView
from domain.orders.queries import OwnLine, OwnOrder, OwnRefund
from domain.paging import page_of, read_cursor


@dataclass(frozen=True, slots=True)
class Receipt:
    """Everything a receipt says, in CAD; no taxes are charged."""

    order: OwnOrder
    buyer_name: str
    buyer_email: str
    lines: Sequence[OwnLine]
    refunds: Sequence[OwnRefund]
    credits_issued_cad: Decimal


def list_orders(connection: Connection[Any], user_id: UUID, cursor: str | None, limit: int) -> OrderPage:
    """A page of a buyer's orders, newest first. Refuses with CURSOR_INVALID."""
    rows = queries.select_orders(connection, user_id, read_cursor(cursor), limit).fetchall()
    page = page_of(rows, limit, lambda row: row.place)
    return OrderPage(
        items=[OrderSummaryView(**_summary(row)) for row in page.items], next_cursor=page.next_cursor
    )


def show_order(connection: Connection[Any], user_id: UUID, order_id: UUID) -> OrderDetail:
    """One order with its lines, refunds, coupon and credits. Refuses with ORDER_NOT_FOUND."""
    order = _find(connection, user_id, order_id)
    return OrderDetail(
        **_summary(order),
        items=[_line(line) for line in queries.select_lines(connection, order_id)],
        subtotal_cad=str(order.subtotal_cad),
        discount_cad=str(order.discount_cad),
        coupon_code=order.coupon_code,
        refunds=[_refund(refund) for refund in queries.select_refunds(connection, order_id)],
        credits_issued_cad=str(queries.find_credits_issued(connection, order_id)),
    )


def find_receipt(connection: Connection[Any], user_id: UUID, order_id: UUID) -> Receipt:
    """What the receipt of one order says. Refuses with ORDER_NOT_FOUND."""
    order = _find(connection, user_id, order_id)
    buyer = find_account(connection, user_id, None).fetchone()
    if buyer is None:
        raise Refused("ORDER_NOT_FOUND")
    return Receipt(
        order,
        f"{buyer.first_name} {buyer.last_name}",
        buyer.email,
        queries.select_lines(connection, order_id).fetchall(),
        [
            refund
            for refund in queries.select_refunds(connection, order_id)
            if refund.status not in ("failed", "superseded")
        ],
        queries.find_credits_issued(connection, order_id),
    )


def _find(connection: Connection[Any], user_id: UUID, order_id: UUID) -> OwnOrder:
    order = queries.select_order(connection, user_id, order_id).fetchone()
    if order is None:
        raise Refused("ORDER_NOT_FOUND")
    return order


def _summary(order: OwnOrder) -> dict[str, Any]:
    return {
        "id": order.id,
        "number": order.number,
        "status": order.status,
        "item_count": order.item_count,
        "total_cad": str(order.total_cad),
        "credits_applied_cad": str(order.credits_applied_cad),
        "amount_charged_cad": str(order.charged_cad),
        "refunded_cad": str(order.refunded_cad),
        "currency": money.CURRENCY,
        "created_at": on_toronto_clock(order.created_at),
    }


def _line(line: OwnLine) -> OrderLine:
    return OrderLine(
        id=line.id,
        appointment_id=line.appointment_id,
        appointment_status=line.appointment_status,
        course_title_fr=line.course_title_fr,
        tutor_display_name=line.tutor_display_name,
        start=on_toronto_clock(line.start),
        end=on_toronto_clock(line.end),
        duration_min=line.duration_min,
        price_cad=str(line.price_cad),
        discount_share_cad=str(line.discount_share_cad),
        returned_cad=str(line.returned_cad),
    )


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
