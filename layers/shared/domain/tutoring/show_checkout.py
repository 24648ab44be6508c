"""How the checkout of sessions is shown to its buyer."""

from typing import Any

from psycopg import Connection

from domain import money
from domain.checkout.follow import Followed
from domain.clock import on_toronto_clock
from domain.orders.orders import OrderSummary
from domain.tutoring.models import CheckoutState, OrderItemView, OrderView
from domain.tutoring.queries import select_lines


def show_checkout(
    connection: Connection[Any], followed: Followed, session_token: str | None
) -> CheckoutState:
    """The answer to somebody who may see it."""
    view = _order_view(connection, followed.order) if followed.order else None
    return CheckoutState(status=followed.status, order=view, session_token=session_token)


def _order_view(connection: Connection[Any], order: OrderSummary) -> OrderView:
    return OrderView(
        id=order.id,
        number=order.number,
        status=order.status,
        items=[
            OrderItemView(
                appointment_id=line.appointment_id,
                course_title_fr=line.course_title_fr,
                tutor_display_name=line.tutor_display_name,
                start=on_toronto_clock(line.start),
                end=on_toronto_clock(line.end),
                duration_min=line.duration_min,
                price_cad=str(line.price_cad),
                discount_share_cad=str(line.discount_share_cad),
                refunded=line.appointment_id is None,
            )
            for line in select_lines(connection, order.id)
        ],
        subtotal_cad=str(order.subtotal_cad),
        discount_cad=str(order.discount_cad),
        total_cad=str(order.total_cad),
        credits_applied_cad=str(order.credits_applied_cad),
        refunded_cad=str(order.refunded_cad),
        coupon_code=order.coupon_code,
        currency=money.CURRENCY,
        created_at=on_toronto_clock(order.created_at),
    )
