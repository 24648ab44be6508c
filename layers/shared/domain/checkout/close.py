"""Ending a payment: either it can never be made any more, or it was made and is booked."""

from datetime import datetime
from typing import Any, Literal, Protocol
from uuid import UUID

from psycopg import Connection

from domain.checkout import queries
from domain.checkout.sale import Shop
from domain.checkout.settle import settle
from domain.payments.gateway import PaymentRefused, Payments
from domain.transactions import retried_on_deadlock

type Closed = Literal["settled", "processing", "cancelled"]
"""It was paid; the bank has it, so it can be neither cancelled nor counted on; it can never be paid any more."""


class Payable(Protocol):
    """A checkout whose intent is not known to be closed."""

    @property
    def id(self) -> UUID: ...
    @property
    def status(self) -> str: ...
    @property
    def payment_intent_id(self) -> str | None: ...


def close(
    connection: Connection[Any],
    payments: Payments,
    checkout: Payable,
    shop: Shop,
    now: datetime,
) -> Closed:
    """Cancel the intent of a checkout, there and here; book it instead if it was paid."""
    intent_id = checkout.payment_intent_id
    if intent_id is not None:  # without one, nobody was given anything to pay
        try:
            payments.cancel_intent(intent_id)
        except PaymentRefused:  # it was paid, the bank has it, or it is cancelled already
            payment = payments.find_intent(intent_id)
            if payment.status == "succeeded":
                settle(connection, checkout.id, payment, shop, now)
                return "settled"
            if payment.status != "cancelled":
                return "processing"
    note_closed(connection, checkout.id, intent_id, shop, now)
    return "cancelled"


def withdraw_and_close(
    connection: Connection[Any],
    payments: Payments,
    checkout: Payable,
    shop: Shop,
    now: datetime,
) -> Closed:
    """The same for a checkout whose cart asks for something else now.

    While the bank has its payment nothing changes, and it keeps what it has reserved. What was withdrawn before is
    not asked about first.
    """
    if checkout.status != "cancelled":
        if checkout.payment_intent_id is not None:
            payment = payments.find_intent(checkout.payment_intent_id)
            if payment.status == "processing":
                return "processing"
            if payment.status == "succeeded":
                settle(connection, checkout.id, payment, shop, now)
                return "settled"
        queries.cancel_checkout(connection, checkout.id, checkout.payment_intent_id)
    return close(connection, payments, checkout, shop, now)


@retried_on_deadlock
def note_closed(
    connection: Connection[Any], checkout_id: UUID, intent_id: str | None, shop: Shop, now: datetime
) -> None:
    """That intent can never be paid any more: what its checkout reserved is free, who wanted to buy is forgotten.

    When the cart was still being paid with it, what it holds for it is free as well (spec 5.7). A checkout
    that has got another intent meanwhile stays as it is.
    """
    with connection.transaction():
        queries.lock_cart_of(connection, checkout_id)
        checkout = queries.lock_checkout(connection, checkout_id).fetchone()
        if checkout is None or checkout.payment_intent_id != intent_id:
            return
        if checkout.status in ("open", "processing"):
            shop.sales[checkout.product].let_go(connection, checkout, now)
        queries.close_intent(connection, checkout_id, now)
