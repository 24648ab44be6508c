"""How the checkout of trainings is shown to its buyer."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from psycopg import Connection, Cursor
from psycopg.rows import class_row

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


def show_checkout(
    connection: Connection[Any], followed: Followed, session_token: str | None
) -> TrainingCheckoutState:
    """The answer to somebody who may see it. A failure is told as long as the payment may be tried again."""
    can_be_paid = followed.status in ("requires_payment", "failed")
    return TrainingCheckoutState(
        status=followed.status,
        order=_order_view(connection, followed.order) if followed.order else None,
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


def _order_view(connection: Connection[Any], order: OrderSummary) -> TrainingOrderView:
    return TrainingOrderView(
        id=order.id,
        number=f"DOJO-{order.order_number:06d}",
        status=order.status,
        items=[
            BoughtTraining(
                training_id=line.training_id,
                slug=line.slug,
                title_fr=line.title_fr,
                access_days=line.access_days,
                price_cad=str(line.price_cad),
                discount_share_cad=str(line.discount_share_cad),
                enrolment_id=line.enrolment_id,
                expires_at=on_toronto_clock(line.expires_at) if line.expires_at else None,
                refunded=line.enrolment_id is None,
            )
            for line in select_lines(connection, order.id)
        ],
        subtotal_cad=str(order.subtotal_cad),
        discount_cad=str(order.discount_cad),
        total_cad=str(order.total_cad),
        refunded_cad=str(order.refunded_cad),
        coupon_code=order.coupon_code,
        currency=money.CURRENCY,
        created_at=on_toronto_clock(order.created_at),
    )


@dataclass(frozen=True, slots=True)
class AccessLine:
    """A line of an order; without an enrolment the buyer had access already."""

    training_id: UUID
    slug: str
    title_fr: str
    access_days: int
    price_cad: Decimal
    discount_share_cad: Decimal
    enrolment_id: UUID | None
    expires_at: datetime | None


def select_lines(connection: Connection[Any], order_id: UUID) -> Cursor[AccessLine]:
    """The lines of an order of trainings, in its order."""
    return connection.cursor(row_factory=class_row(AccessLine)).execute(
        """
        SELECT access.training_id, training.slug, item.title_fr, access.access_days,
               item.line_total_cad AS price_cad, item.discount_share_cad, enrolment.id AS enrolment_id,
               enrolment.expires_at
          FROM order_items AS item
          JOIN access_items AS access ON access.id = item.id
          JOIN trainings AS training ON training.id = access.training_id
          LEFT JOIN enrolments AS enrolment ON enrolment.order_item_id = item.id
         WHERE item.order_id = %(order_id)s
         ORDER BY item.position
        """,
        {"order_id": order_id},
    )
