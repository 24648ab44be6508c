"""Asking how a payment went (OP-G13)."""

import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil
from typing import Any
from uuid import UUID

from psycopg import Connection

from domain.accounts.callers import Buyer
from domain.checkout import queries
from domain.checkout.checkout import Checkout, CheckoutStateName
from domain.checkout.failures import note_failure
from domain.checkout.reconcile import mark_processing, note_cancelled, reopen
from domain.checkout.sale import Shop
from domain.checkout.settle import settle
from domain.errors import Refused
from domain.ids import fingerprint
from domain.orders.orders import OrderSummary, find_order
from domain.payments.gateway import PaymentRefused, Payments, PaymentsUnavailable
from domain.product import Product

QUESTION_PAUSE = timedelta(seconds=3)


@dataclass(frozen=True, slots=True)
class Followed:
    """How a checkout stands, and its order once there is one that the caller may see.

    `retry_after`: in how many seconds the payment service is asked again, when this is what was stored before.
    """

    checkout: Checkout
    status: CheckoutStateName
    order: OrderSummary | None = None
    retry_after: int | None = None


def follow(
    connection: Connection[Any],
    payments: Payments,
    shop: Shop,
    product: Product,
    checkout_id: UUID,
    buyers: Sequence[Buyer],
    client_secret: str | None,
    now: datetime,
) -> Followed:
    """How a checkout stands; settles it when it is paid and the webhook has not come yet.

    The payment service is asked once in QUESTION_PAUSE at most, whoever asks us; in between, the stored status answers.

    Only one of the caller's identities that started it, or who has its client secret, may ask; and the student whose
    cart it is being paid for since they signed in, or whose order it became. Anyone else is refused with
    CHECKOUT_NOT_FOUND. Also refuses with PAYMENT_UNAVAILABLE.
    """
    checkout = queries.select_checkout(connection, checkout_id).fetchone()
    started_it = checkout is not None and _may_ask(checkout, buyers, client_secret)
    if (
        checkout is None
        or checkout.product != product
        or not (started_it or _came_to_theirs(connection, checkout, buyers))
    ):
        raise Refused("CHECKOUT_NOT_FOUND")
    if checkout.order_id is None and checkout.payment_intent_id and checkout.status != "refunded":
        status = None
        if queries.claim_question(connection, checkout_id, now, QUESTION_PAUSE).fetchone():
            status = _catch_up(connection, payments, checkout, shop, now)
        checkout = queries.select_checkout(connection, checkout_id).fetchone() or checkout
        if checkout.status not in ("settled", "refunded"):
            return Followed(checkout, status) if status else _stored(checkout, now)
    if checkout.order_id is None:
        return Followed(checkout, checkout.stored_status)
    order = find_order(connection, checkout.order_id)
    if _is_another_s(checkout, order, buyers, started_it=started_it):
        return Followed(checkout, "sign_in_required")
    return Followed(checkout, "refunded" if order.status == "refunded" else "settled", order)


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
    shop: Shop,
    now: datetime,
) -> CheckoutStateName:
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
            settle(connection, checkout.id, payment, shop, now)
        case "processing":
            mark_processing(connection, payment)
        case "cancelled":
            note_cancelled(connection, payment, shop, now)
        case "requires_payment":
            note_failure(connection, payment)
            if checkout.status == "processing":
                reopen(connection, checkout.id)
    status: CheckoutStateName = (
        payment.status if payment.status in ("requires_payment", "processing") else "failed"
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
    return Followed(checkout, status, retry_after=None if status == "failed" else wait)


def _is_another_s(
    checkout: Checkout, order: OrderSummary, buyers: Sequence[Buyer], *, started_it: bool
) -> bool:
    """Whether only its owner, signed in, may see the order.

    It became somebody else's while its heir asked, or the e-mail got an account while this was being paid.
    """
    if Buyer.student(order.user_id) in buyers:
        return False
    return not started_it or (checkout.user_id is None and not checkout.account_created)
