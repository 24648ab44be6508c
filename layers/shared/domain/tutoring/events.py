"""What Make.com is told of a settled checkout: the new account, the booking, what goes back (make-webhooks a, d)."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from domain import money
from domain.accounts.accounts import Account
from domain.catalog.teachers import Teacher
from domain.checkout.sale import BuyerAccount, Returned
from domain.orders.orders import NewOrder
from domain.tutoring.snapshot import SnapshotItem
from domain.webhooks.events import (
    NOBODY,
    BookedSession,
    BookingCreated,
    Contact,
    OrderRefunded,
    Payload,
    RefundedSession,
    Signup,
)


def settlement_facts(
    order: NewOrder,
    buyer: BuyerAccount,
    booked: Sequence[SnapshotItem],
    lost: Sequence[SnapshotItem],
    returned: Returned | None,
    teachers: Mapping[UUID, Teacher],
    titles: Mapping[UUID, str],
    now: datetime,
) -> list[Payload]:
    """`signup` when the account is new, `booking.created` when anything was booked, `order.refunded` when anything
    was not, in that order.
    """
    facts: list[Payload] = []
    if buyer.is_new:
        facts.append(_signup(order, buyer.account))
    if booked:
        facts.append(_booking_created(order, buyer, booked, teachers, titles, now))
    if returned:
        facts.append(_order_refunded(order, buyer.account, returned, lost, teachers, titles, now))
    return facts


def _signup(order: NewOrder, account: Account) -> Signup:
    return Signup(
        user_id=account.id,
        role="student",
        email=account.email,
        first_name=account.first_name,
        last_name=account.last_name,
        created_at=account.created_at,
        phone=account.phone,
        source="guest_checkout",
        order_id=order.id,
    )


def _booking_created(
    order: NewOrder,
    buyer: BuyerAccount,
    booked: Sequence[SnapshotItem],
    teachers: Mapping[UUID, Teacher],
    titles: Mapping[UUID, str],
    now: datetime,
) -> BookingCreated:
    """The totals are those of the booked sessions: what could not be booked is refunded and told apart."""
    subtotal = sum((session.price_cad for session in booked), Decimal(0))
    discount = sum((session.discount_share_cad for session in booked), Decimal(0))
    credit = sum((session.credit_share_cad for session in booked), Decimal(0))
    return BookingCreated(
        order_id=order.id,
        user_id=buyer.account.id,
        currency="CAD",
        subtotal_cad=subtotal,
        discount_cad=discount,
        total_cad=subtotal - discount,
        coupon_code=order.coupon_code,
        items=[
            BookedSession(
                appointment_id=session.id,
                course_id=session.course_id,
                course_title_fr=titles[session.course_id],
                tutor_id=session.tutor_id,
                tutor_name=teachers[session.tutor_id].display_name,
                start_datetime=session.start,
                duration_min=session.duration_min,
                price_cad=session.price_cad,
                tutor_earnings_cad=session.tutor_earnings_cad,
                end_datetime=session.end,
                start_local=session.start,
                tutor_email=teachers[session.tutor_id].email,
                meeting_link=None,
            )
            for session in booked
        ],
        created_at=now,
        student=_contact(buyer.account),
        source="guest_checkout" if buyer.is_new else "account_checkout",
        item_count=len(booked),
        credit_applied_cad=credit,
        amount_charged_cad=money.to_cent(subtotal - discount - credit),
        payment_reference=order.payment_intent_id,
    )


def _order_refunded(
    order: NewOrder,
    account: Account,
    returned: Returned,
    lost: Sequence[SnapshotItem],
    teachers: Mapping[UUID, Teacher],
    titles: Mapping[UUID, str],
    now: datetime,
) -> OrderRefunded:
    """Nothing was cancelled: what goes back never became an appointment."""
    credit = sum((session.credit_share_cad for session in lost), Decimal(0))
    return OrderRefunded(
        order_id=order.id,
        user_id=account.id,
        refund_amount=returned.amount_cad,
        refund_reason=returned.reason,
        stripe_refund_id=None,
        processed_by=NOBODY,
        affected_appointments=[],
        timestamp=now,
        refund_id=returned.id,
        is_full_refund=order.refunded_cad >= order.total_cad,
        student=_contact(account),
        ordered_at=now,
        order_total_cad=order.total_cad,
        refunded_total_cad=order.refunded_cad,
        to_card_cad=returned.amount_cad - credit,
        to_credit_cad=credit,
        sessions=[
            RefundedSession(
                appointment_id=None,
                course_title_fr=titles[session.course_id],
                tutor_name=teachers[session.tutor_id].display_name,
                start_datetime=session.start,
                end_datetime=session.end,
                refund_cad=session.net_cad,
            )
            for session in lost
        ],
    )


def _contact(account: Account) -> Contact:
    return Contact(
        id=account.id,
        first_name=account.first_name,
        last_name=account.last_name,
        email=account.email,
        phone=account.phone,
    )
