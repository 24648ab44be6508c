"""What Make.com is told of Le Dojo's sales: what was bought, what a bank refused, what went back (courses 6.1)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from psycopg import Connection
from psycopg.rows import class_row

from domain.accounts import accounts
from domain.accounts.accounts import Account
from domain.checkout.checkout import Checkout
from domain.checkout.sale import BuyerAccount, NewRefund, Returned
from domain.orders.number import order_number
from domain.orders.orders import NewOrder
from domain.payments.declines import declined_message
from domain.payments.gateway import Failure
from domain.training.snapshot import trainings_of
from domain.training.sold import Sold
from domain.webhooks.events import (
    AskedCourse,
    BoughtCourse,
    Payload,
    PaymentFailed,
    PaymentRefunded,
    PaymentSuccess,
    RefundedCourse,
)


def settlement_facts(
    order: NewOrder, buyer: BuyerAccount, sold: Sold, returned: Returned | None, now: datetime
) -> Sequence[Payload]:
    """`payment.success` when access to anything was given, then `payment.refunded` when something could not be."""
    facts: list[Payload] = []
    if sold.expiries:
        facts.append(_success(order, buyer, sold, now))
    if returned and order.payment_intent_id and returned.amount_cad:
        facts.append(_lost(order, buyer.account, sold, returned, now))
    return facts


def _success(order: NewOrder, buyer: BuyerAccount, sold: Sold, now: datetime) -> PaymentSuccess:
    account = buyer.account
    return PaymentSuccess(
        payment_intent_id=order.payment_intent_id,
        order_id=order.id,
        order_number=order_number("training", order.number),
        user_id=account.id,
        email=account.email,
        first_name=account.first_name or None,
        last_name=account.last_name or None,
        is_new_user=buyer.is_new,
        coupon_code=order.coupon_code,
        items=[
            BoughtCourse(
                course_id=training.training_id,
                title=training.title_fr,
                original_amount=training.price_cad,
                discount_amount=training.discount_share_cad,
                amount=training.price_cad - training.discount_share_cad,
                enrollment_id=enrolment.id if enrolment.order_item_id in sold.expiries else None,
                access_days=training.access_days,
                expires_at=sold.expiries.get(enrolment.order_item_id),
            )
            for training, enrolment in zip(sold.trainings, sold.enrolments, strict=True)
        ],
        purchased_at=now,
    )


def _lost(
    order: NewOrder, account: Account, sold: Sold, returned: Returned, now: datetime
) -> PaymentRefunded:
    """What the buyer had access to already goes back."""
    lost = {line.id: line for line in sold.lost}
    return PaymentRefunded(
        payment_intent_id=str(order.payment_intent_id),
        order_id=order.id,
        order_number=order_number("training", order.number),
        user_id=account.id,
        email=account.email,
        first_name=account.first_name or None,
        last_name=account.last_name or None,
        items=[
            RefundedCourse(
                course_id=training.training_id,
                enrollment_id=None,
                title=training.title_fr,
                refunded_amount=lost[enrolment.order_item_id].net_cad,
            )
            for training, enrolment in zip(sold.trainings, sold.enrolments, strict=True)
            if enrolment.order_item_id in lost
        ],
        refund_id=returned.id,
        stripe_refund_id=None,
        amount=returned.amount_cad,
        order_amount=order.total_cad,
        total_refunded=order.refunded_cad,
        refunded_at=now,
    )


def failure_facts(
    connection: Connection[Any], checkout: Checkout, failure: Failure, attempt: str, now: datetime
) -> Sequence[Payload]:
    """`payment.failed`, once for each try."""
    account = accounts.find_account(connection, checkout.user_id, None).fetchone()
    email = checkout.buyer["email"] if checkout.buyer else account.email if account else None
    return [
        PaymentFailed(
            payment_intent_id=str(checkout.payment_intent_id),
            checkout_id=checkout.id,
            user_id=checkout.user_id,
            email=email,
            coupon_code=checkout.coupon_code,
            items=[
                AskedCourse(
                    course_id=training.training_id,
                    title=training.title_fr,
                    original_amount=training.price_cad,
                    discount_amount=training.discount_share_cad,
                    amount=training.price_cad - training.discount_share_cad,
                )
                for training in trainings_of(checkout)
            ],
            failure_code=failure.code,
            decline_code=failure.decline_code,
            message=declined_message(failure.code, failure.decline_code, failure.kind),
            failed_at=now,
            charge_id=attempt,
        )
    ]


@dataclass(frozen=True, slots=True)
class RefundedOrder:
    """An order some money of which went back. `lines` are by `refund_id`."""

    id: UUID
    order_number: int
    user_id: UUID
    payment_intent_id: str
    total_cad: Decimal
    refunded_cad: Decimal
    lines: Sequence[Mapping[str, Any]]

    def courses_of(self, refund_id: UUID) -> list[RefundedCourse]:
        """The lines that a refund gives money back for; all of them, with nothing, when it is beyond every line."""
        own = [line for line in self.lines if line["refund_id"] == str(refund_id)]
        return [
            RefundedCourse(
                course_id=line["training_id"],
                enrollment_id=line["enrolment_id"],
                title=line["title_fr"],
                refunded_amount=Decimal(line["amount_cad"]) if own else Decimal(0),
            )
            for line in own or self.lines
        ]


def refund_facts(
    connection: Connection[Any], order_id: UUID, refunds: Sequence[NewRefund], now: datetime
) -> Sequence[Payload]:
    """A `payment.refunded` for each new refund. It takes no access away."""
    if not refunds:
        return []
    order = _find_refunded(connection, order_id)
    account = accounts.find_account(connection, order.user_id, None).fetchone()
    if account is None:
        return []
    return [
        PaymentRefunded(
            payment_intent_id=order.payment_intent_id,
            order_id=order.id,
            order_number=order_number("training", order.order_number),
            user_id=account.id,
            email=account.email,
            first_name=account.first_name or None,
            last_name=account.last_name or None,
            items=order.courses_of(refund.id),
            refund_id=refund.id,
            stripe_refund_id=refund.service_id,
            amount=refund.amount_cad,
            order_amount=order.total_cad,
            total_refunded=order.refunded_cad,
            refunded_at=now,
        )
        for refund in refunds
    ]


def _find_refunded(connection: Connection[Any], order_id: UUID) -> RefundedOrder:
    order = (
        connection.cursor(row_factory=class_row(RefundedOrder))
        .execute(
            """
            SELECT id, order_number, user_id, stripe_payment_intent_id AS payment_intent_id, total_cad, refunded_cad,
                   (SELECT jsonb_agg(jsonb_build_object(
                               'refund_id', back.refund_id, 'training_id', access.training_id,
                               'enrolment_id', enrolment.id, 'title_fr', item.title_fr,
                               'amount_cad', back.amount_cad::text) ORDER BY item.position)
                      FROM order_items AS item
                      JOIN access_items AS access ON access.id = item.id
                      LEFT JOIN enrolments AS enrolment ON enrolment.order_item_id = item.id
                      LEFT JOIN line_returns AS back
                        ON back.order_item_id = item.id AND back.refund_id IS NOT NULL AND back.undone_at IS NULL
                     WHERE item.order_id = orders.id) AS lines
              FROM orders WHERE id = %(id)s
            """,
            {"id": order_id},
        )
        .fetchone()
    )
    if order is None:
        raise LookupError(f"no order {order_id}")
    return order
