"""How the checkout of trainings is shown to its buyer."""

from datetime import datetime
from typing import Any

from psycopg import Connection

from domain import money
from domain.checkout.checkout import Checkout
from domain.checkout.follow import Followed
from domain.clock import on_toronto_clock
from domain.orders.orders import OrderSummary
from domain.payments.declines import declined_message
from domain.training.checkout_models import (
    BoughtTraining,
    PaymentFailure,
    TrainingCheckoutState,
    TrainingOrderView,
)
from domain.training.order_lines import select_lines


def show_checkout(
    connection: Connection[Any], followed: Followed, session_token: str | None, now: datetime
) -> TrainingCheckoutState:
    """The answer to somebody who may see it. A failure is told as long as the payment may be tried again."""
    can_be_paid = followed.status in ("requires_payment", "failed")
    return TrainingCheckoutState(
        status=followed.status,
        order=_order_view(connection, followed.order, now) if followed.order else None,
        failure=_failure(followed.checkout) if can_be_paid else None,
        session_token=session_token,
    )


def _failure(checkout: Checkout) -> PaymentFailure | None:
    if checkout.failure_code is None:
        return None
    return PaymentFailure(
        code=checkout.failure_code,
        decline_code=checkout.failure_decline_code,
        detail=declined_message(checkout.failure_code, checkout.failure_decline_code, checkout.failure_kind),
    )


def _order_view(connection: Connection[Any], order: OrderSummary, now: datetime) -> TrainingOrderView:
    return TrainingOrderView(
        id=order.id,
        number=order.number,
        status=order.status,
        items=[
            BoughtTraining(
                training_id=line.training_id,
                slug=line.slug,
                title_fr=line.title_fr,
                access_days=line.access_days,
                price_cad=str(line.price_cad),
                discount_share_cad=str(line.discount_share_cad),
                enrolment_id=line.enrolment.id if line.enrolment else None,
                expires_at=on_toronto_clock(line.enrolment.expires_at) if line.enrolment else None,
                refunded=line.enrolment is None,
            )
            for line in select_lines(connection, order.id, now)
        ],
        subtotal_cad=str(order.subtotal_cad),
        discount_cad=str(order.discount_cad),
        total_cad=str(order.total_cad),
        refunded_cad=str(order.refunded_cad),
        coupon_code=order.coupon_code,
        currency=money.CURRENCY,
        created_at=on_toronto_clock(order.created_at),
    )
