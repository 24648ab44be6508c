"""Asking how a payment went, and being signed in by the first settled answer (OP-G13)."""

import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg import Connection

from domain import money
from domain.accounts.accounts import OpenSession, open_session
from domain.accounts.callers import Buyer
from domain.checkout import queries
from domain.checkout.checkout import SIGN_IN_WINDOW, Checkout
from domain.checkout.models import CheckoutState, OrderItemView, OrderView
from domain.checkout.settle import settle
from domain.clock import on_toronto_clock
from domain.errors import Refused
from domain.ids import fingerprint
from domain.orders.orders import OrderSummary, find_order, select_lines
from domain.payments.gateway import PaymentRefused, Payments, PaymentsUnavailable
from domain.webhooks.outbox import Environment


@dataclass(frozen=True, slots=True)
class Followed:
    """The state to answer, and the session it opened for the buyer, if any."""

    state: CheckoutState
    session: OpenSession | None = None


def follow_checkout(
    connection: Connection[Any],
    payments: Payments,
    checkout_id: UUID,
    buyers: Sequence[Buyer],
    client_secret: str | None,
    environment: Environment,
    now: datetime,
) -> Followed:
    """How a checkout stands; settles it when it is paid and the webhook has not come yet.

    Only one of the caller's identities that started it, or who has its client secret, may ask; anyone else is
    refused with CHECKOUT_NOT_FOUND. Also refuses with PAYMENT_UNAVAILABLE.
    """
    checkout = queries.select_checkout(connection, checkout_id).fetchone()
    if checkout is None or not _may_ask(checkout, buyers, client_secret):
        raise Refused("CHECKOUT_NOT_FOUND")
    if checkout.order_id is None and checkout.payment_intent_id and checkout.status != "refunded":
        status = _catch_up(connection, payments, checkout, environment, now)
        checkout = queries.select_checkout(connection, checkout_id).fetchone() or checkout
        if checkout.status not in ("settled", "refunded"):
            return _without_order(status)
    if checkout.order_id is None:
        return _without_order(
            {"refunded": "refunded", "open": "requires_payment"}.get(checkout.status, "failed")
        )
    return _with_order(connection, checkout, find_order(connection, checkout.order_id), now)


def _may_ask(checkout: Checkout, buyers: Sequence[Buyer], client_secret: str | None) -> bool:
    if checkout.belongs_to(buyers):
        return True
    if not client_secret or checkout.client_secret_hash is None:
        return False
    return hmac.compare_digest(fingerprint(client_secret), checkout.client_secret_hash)


def _catch_up(
    connection: Connection[Any],
    payments: Payments,
    checkout: Checkout,
    environment: Environment,
    now: datetime,
) -> str:
    """Ask the payment service; settle when paid. Answers the status to show when it is not settled."""
    try:
        payment = payments.find_intent(checkout.payment_intent_id or "")
    except PaymentsUnavailable as unavailable:
        raise Refused("PAYMENT_UNAVAILABLE", retry_after=5) from unavailable
    except PaymentRefused:
        return "failed"
    if payment.status == "succeeded":
        settle(connection, checkout.id, payment, environment, now)
    if payment.status == "requires_payment" and checkout.status == "cancelled":
        return "failed"  # it was withdrawn, and is about to be cancelled there as well
    return {"requires_payment": "requires_payment", "processing": "processing"}.get(payment.status, "failed")


def _without_order(status: Any) -> Followed:
    return Followed(CheckoutState(status=status, order=None, session_token=None))


def _with_order(
    connection: Connection[Any], checkout: Checkout, order: OrderSummary, now: datetime
) -> Followed:
    if checkout.user_id is None and not checkout.account_created:
        # The e-mail got an account while this was being paid: the order is there, and its owner must sign in.
        return _without_order("sign_in_required")
    view = _order_view(connection, order)
    status = "refunded" if order.status == "refunded" else "settled"
    with connection.transaction():
        taken = queries.take_sign_in(connection, checkout.id, now, now - SIGN_IN_WINDOW).fetchone()
        session = open_session(connection, taken[0], now) if taken else None
    return Followed(
        CheckoutState(status=status, order=view, session_token=session.token if session else None), session
    )


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
