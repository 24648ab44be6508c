"""Asking how a payment went, and being signed in by the first settled answer (OP-G13)."""

import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil
from typing import Any
from uuid import UUID

from psycopg import Connection

from domain import money
from domain.accounts.callers import Buyer
from domain.cart.cart import MAX_HOLDS
from domain.checkout import queries
from domain.checkout.checkout import Checkout
from domain.checkout.models import CheckoutState, OrderItemView, OrderView
from domain.checkout.reconcile import mark_processing, note_cancelled, reopen
from domain.checkout.settle import settle
from domain.checkout.sign_in_buyer import Entry, sign_in_buyer
from domain.clock import on_toronto_clock
from domain.errors import Refused
from domain.ids import fingerprint
from domain.orders.orders import OrderSummary, find_order, select_lines
from domain.payments.gateway import PaymentRefused, Payments, PaymentsUnavailable
from domain.webhooks.outbox import Environment

QUESTION_PAUSE = timedelta(seconds=3)


@dataclass(frozen=True, slots=True)
class Followed:
    """The state to answer, and the buyer's way in, if it signed them in.

    `retry_after`: in how many seconds the payment service is asked again, when this is what was stored before.
    """

    state: CheckoutState
    entry: Entry | None = None
    retry_after: int | None = None


def follow_checkout(
    connection: Connection[Any],
    payments: Payments,
    checkout_id: UUID,
    buyers: Sequence[Buyer],
    client_secret: str | None,
    environment: Environment,
    now: datetime,
    max_holds: int = MAX_HOLDS,
    *,
    signs_in: bool = True,
) -> Followed:
    """How a checkout stands; settles it when it is paid and the webhook has not come yet.

    The first settled answer signs the buyer in whose account the checkout opened, and what they chose since as a guest,
    under the caller's cookie or the checkout's, is in the account's cart from then on. Not unless it `signs_in`.

    The payment service is asked once in QUESTION_PAUSE at most, whoever asks us; in between, the stored status answers.

    Only one of the caller's identities that started it, or who has its client secret, may ask; and the student whose
    cart it is being paid for since they signed in, or whose order it became. Anyone else is refused with
    CHECKOUT_NOT_FOUND. Also refuses with PAYMENT_UNAVAILABLE.
    """
    checkout = queries.select_checkout(connection, checkout_id).fetchone()
    started_it = checkout is not None and _may_ask(checkout, buyers, client_secret)
    if checkout is None or not (started_it or _came_to_theirs(connection, checkout, buyers)):
        raise Refused("CHECKOUT_NOT_FOUND")
    if checkout.order_id is None and checkout.payment_intent_id and checkout.status != "refunded":
        status = None
        if queries.claim_question(connection, checkout_id, now, QUESTION_PAUSE).fetchone():
            status = _catch_up(connection, payments, checkout, environment, now)
        checkout = queries.select_checkout(connection, checkout_id).fetchone() or checkout
        if checkout.status not in ("settled", "refunded"):
            return _without_order(status) if status else _stored(checkout, now)
    if checkout.order_id is None:
        return _without_order(checkout.stored_status)
    order = find_order(connection, checkout.order_id)
    if not started_it and Buyer.student(order.user_id) not in buyers:
        return _without_order("sign_in_required")  # it became somebody else's while its heir asked
    return _with_order(connection, checkout, order, buyers, now, max_holds, signs_in=signs_in)


def _may_ask(checkout: Checkout, buyers: Sequence[Buyer], client_secret: str | None) -> bool:
    if checkout.belongs_to(buyers):
        return True
    if not client_secret or checkout.client_secret_hash is None:
        return False
    return hmac.compare_digest(fingerprint(client_secret), checkout.client_secret_hash)


def _came_to_theirs(connection: Connection[Any], checkout: Checkout, buyers: Sequence[Buyer]) -> bool:
    """Whether it is a signed-in student's since: their order, or, as long as it is none, a payment of their cart."""
    students = [buyer.user_id for buyer in buyers if buyer.user_id]
    return bool(students) and queries.is_heir(connection, checkout.id, students)


def _catch_up(
    connection: Connection[Any],
    payments: Payments,
    checkout: Checkout,
    environment: Environment,
    now: datetime,
) -> str:
    """Ask the payment service, settle when paid, and store what else it says, for those who ask meanwhile.

    Answers the status to show when it is not settled.
    """
    try:
        payment = payments.find_intent(checkout.payment_intent_id or "")
    except PaymentsUnavailable as unavailable:
        raise Refused("PAYMENT_UNAVAILABLE", retry_after=5) from unavailable
    except PaymentRefused:
        return "failed"
    match payment.status:
        case "succeeded":
            settle(connection, checkout.id, payment, environment, now)
        case "processing":
            mark_processing(connection, payment)
        case "cancelled":
            note_cancelled(connection, payment, now)
        case "requires_payment" if checkout.status == "processing":
            reopen(connection, checkout.id)
    status = {"requires_payment": "requires_payment", "processing": "processing"}.get(
        payment.status, "failed"
    )
    if checkout.status == "cancelled" and payment.status != "succeeded":
        # It was withdrawn: unless the bank has it already, it is about to be cancelled there as well.
        status = "processing" if status == "processing" else "failed"
        queries.note_answer(connection, checkout.id, status)
    return status


def _stored(checkout: Checkout, now: datetime) -> Followed:
    """What is known since the last question, and when the next is due; an ended checkout has no next."""
    status = checkout.stored_status
    asked_at = checkout.followed_at or now
    wait = max(1, ceil((asked_at + QUESTION_PAUSE - now).total_seconds()))
    return _without_order(status, None if status == "failed" else wait)


def _without_order(status: Any, retry_after: int | None = None) -> Followed:
    return Followed(CheckoutState(status=status, order=None, session_token=None), retry_after=retry_after)


def _with_order(
    connection: Connection[Any],
    checkout: Checkout,
    order: OrderSummary,
    buyers: Sequence[Buyer],
    now: datetime,
    max_holds: int,
    *,
    signs_in: bool,
) -> Followed:
    is_theirs = Buyer.student(order.user_id) in buyers
    if checkout.user_id is None and not checkout.account_created and not is_theirs:
        # The e-mail got an account while this was being paid: the order is there, and its owner must sign in.
        return _without_order("sign_in_required")
    view = _order_view(connection, order)
    status = "refunded" if order.status == "refunded" else "settled"
    entry = sign_in_buyer(connection, checkout, order.user_id, buyers, now, max_holds) if signs_in else None
    token = entry.session.token if entry else None
    return Followed(CheckoutState(status=status, order=view, session_token=token), entry)


def _order_view(connection: Connection[Any], order: OrderSummary) -> OrderView:
    return OrderView(
        id=order.id,
        number=f"4AS-{order.order_number:06d}",
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
