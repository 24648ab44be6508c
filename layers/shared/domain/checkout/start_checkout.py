"""Starting to pay: the cart is checked one last time, frozen, and given a payment to confirm."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg import Connection

from domain.accounts import accounts
from domain.accounts.accounts import NewAccount
from domain.accounts.callers import Buyer
from domain.accounts.contacts import read_email
from domain.accounts.passwords import is_password
from domain.checkout import queries
from domain.checkout.checkout import SIGN_IN_WINDOW, Checkout
from domain.checkout.close import note_closed, withdraw_and_close
from domain.checkout.freeze import Frozen, NotClosed, freeze_what_is_left
from domain.checkout.models import CheckoutStarted
from domain.checkout.request import CheckoutRequest
from domain.checkout.sale import Shop
from domain.checkout.settle import settle, settle_without_card
from domain.errors import Refused
from domain.idempotency import Keyed
from domain.ids import fingerprint
from domain.payments.customers import customer_of
from domain.payments.gateway import (
    CustomerGone,
    Payment,
    PaymentFailed,
    PaymentRefused,
    Payments,
    PaymentsUnavailable,
)
from domain.product import Product

TRIES = 5


def start_checkout(
    connection: Connection[Any],
    payments: Payments,
    shop: Shop,
    product: Product,
    buyer: Buyer,
    request: CheckoutRequest,
    publishable_key: str,
    now: datetime,
    keyed: Keyed | None = None,
    begun_id: UUID | None = None,
) -> CheckoutStarted:
    """Freeze the buyer's cart of a product and answer a payment to confirm; the same cart again gets the same payment.

    Only once every other payment of the cart can no longer be made, or is booked (decision 19).

    `keyed` is the request's idempotency key, which the checkout is tied to; `begun_id` the checkout that was begun
    under it before: when it became an order, the order is the answer. So it is when the cart is empty because it
    has just been bought, in another tab.

    Everything is checked before any charge (P3). Refuses with CART_EMPTY, USER_ALREADY_EXISTS, PRICE_CHANGED,
    COUPON_INVALID, INSUFFICIENT_CREDITS, AMOUNT_TOO_SMALL, PAYMENT_IN_PROGRESS, PAYMENT_RETURNED, PAYMENT_UNAVAILABLE,
    and as the product does when something in the cart cannot be had any more.
    """
    sale = shop.sales[product]
    begun = queries.select_checkout(connection, begun_id).fetchone() if begun_id else None
    if begun and begun.order_id and begun.belongs_to([buyer]):
        return _started(Frozen.of(begun), None, begun.order_id, publishable_key)
    try:
        for _ in range(TRIES):
            try:
                frozen = freeze_what_is_left(connection, sale, buyer, request, keyed, now)
            except NotClosed as found:
                if kept := _typed_again(request, found.checkouts):
                    request = replace(request, account=kept)
                else:
                    _close_all(connection, payments, found.checkouts, shop, now)
                continue
            started = frozen and _offer(connection, payments, frozen, publishable_key, shop, now)
            if started:
                return started
    except (PaymentsUnavailable, PaymentRefused) as unavailable:
        raise Refused("PAYMENT_UNAVAILABLE", retry_after=5) from unavailable
    except Refused as refusal:
        bought = _just_bought(connection, product, buyer, request.account, refusal, now)
        if bought is None:
            raise
        return _started(Frozen.of(bought), None, bought.order_id, publishable_key)
    raise Refused("PAYMENT_UNAVAILABLE", retry_after=5)


def _typed_again(request: CheckoutRequest, checkouts: Sequence[Checkout]) -> NewAccount | None:
    """The account that an open checkout would open, when the request asks for the same with the same password.

    Two hashes of one password differ, so they are not compared.
    """
    account, password = request.account, request.password
    for checkout in checkouts:
        if account and password and checkout.buyer and checkout.status != "cancelled":
            kept = NewAccount(**checkout.buyer)
            is_same_person = replace(kept, password_hash=account.password_hash) == account
            if kept != account and is_same_person and is_password(password, kept.password_hash):
                return kept
    return None


def _close_all(
    connection: Connection[Any],
    payments: Payments,
    checkouts: Sequence[Checkout],
    shop: Shop,
    now: datetime,
) -> None:
    """Nobody is asked twice for one thing (decision 19). Refuses with PAYMENT_IN_PROGRESS what the bank has."""
    for checkout in checkouts:
        if withdraw_and_close(connection, payments, checkout, shop, now) == "processing":
            raise _in_progress(checkout.id)


def _in_progress(checkout_id: UUID) -> Refused:
    return Refused("PAYMENT_IN_PROGRESS", facts={"checkout_id": str(checkout_id)})


def _just_bought(
    connection: Connection[Any],
    product: Product,
    buyer: Buyer,
    account: NewAccount | None,
    refusal: Refused,
    now: datetime,
) -> Checkout | None:
    """What emptied the buyer's cart, when it was their own order: a second tab asks for what the first has bought.

    Refuses with PAYMENT_IN_PROGRESS when the order is another account's, and when it has just opened the account
    that the form asks for: whoever follows that payment is signed in.
    """
    since = now - SIGN_IN_WINDOW
    if refusal.code == "USER_ALREADY_EXISTS" and account:
        opened = queries.select_opened(connection, product, buyer, account.email, since).fetchone()
        if opened:
            raise _in_progress(opened[0]) from refusal
    if refusal.code == "CART_EMPTY":
        found = queries.select_bought(connection, product, buyer, since).fetchone()
        bought = queries.select_checkout(connection, found[0]).fetchone() if found else None
        if bought and not bought.belongs_to([buyer]):
            raise _in_progress(bought.id) from refusal
        return bought
    return None


def email_exists(connection: Connection[Any], text: str) -> bool:
    """Whether an account has that e-mail. Refuses with EMAIL_INVALID."""
    return accounts.email_is_taken(connection, read_email(text)).fetchone() is not None


def _offer(
    connection: Connection[Any],
    payments: Payments,
    frozen: Frozen,
    publishable_key: str,
    shop: Shop,
    now: datetime,
) -> CheckoutStarted | None:
    """The payment of a frozen cart; None when it can no longer be paid and the cart has to be frozen again."""
    if frozen.quote.amount_cents == 0:
        paid_order_id = settle_without_card(connection, frozen.id, shop, now)
        return _started(frozen, None, paid_order_id, publishable_key) if paid_order_id else None
    payment = _intent(connection, payments, frozen)
    if payment.status == "succeeded":  # paid in another tab while this form was sent
        order_id = settle(connection, frozen.id, payment, shop, now)
        if order_id is None:
            raise Refused("PAYMENT_RETURNED")
        return _started(frozen, None, order_id, publishable_key)
    if payment.status == "processing":
        raise _in_progress(frozen.id)
    if payment.status == "cancelled":
        queries.cancel_checkout(connection, frozen.id, payment.intent_id)
        note_closed(connection, frozen.id, payment.intent_id, shop, now)
        return None
    secret = fingerprint(payment.client_secret or "")
    if not queries.attach_intent(connection, frozen.id, payment.intent_id, secret).fetchone():
        _give_up(payments, payment.intent_id)  # another tab changed the cart, or gave the checkout its intent
        return None
    return _started(frozen, payment, None, publishable_key)


def _give_up(payments: Payments, intent_id: str) -> None:
    """Cancel an intent that nobody was given. When another tab's buyer has paid it, settlement books it."""
    try:
        payments.cancel_intent(intent_id)
    except PaymentRefused:
        return


def _intent(connection: Connection[Any], payments: Payments, frozen: Frozen) -> Payment:
    if frozen.intent_id is None:
        try:
            return _new_intent(connection, payments, frozen)
        except (PaymentFailed, PaymentRefused):
            # This checkout would get the same answer for a day: the next try is another's.
            queries.cancel_checkout(connection, frozen.id, None)
            raise
    return payments.find_intent(frozen.intent_id)


def _new_intent(connection: Connection[Any], payments: Payments, frozen: Frozen) -> Payment:
    """In the name of its customer; of a new one, when somebody deleted the old one at the service."""
    gone = None
    for _ in range(2):
        customer_id = _customer(connection, payments, frozen.user_id, gone)
        try:
            return _create_intent(payments, frozen, customer_id)
        except CustomerGone:
            gone = customer_id
    return _create_intent(payments, frozen, None)


def _create_intent(payments: Payments, frozen: Frozen, customer_id: str | None) -> Payment:
    return payments.create_intent(
        frozen.id,
        frozen.product,
        frozen.quote.amount_cents,
        frozen.receipt_email,
        customer_id,
        frozen.description,
    )


def _customer(
    connection: Connection[Any], payments: Payments, user_id: UUID | None, gone: str | None
) -> str | None:
    """The customer who pays. Nobody is kept from paying because the service cannot make one."""
    if user_id is None:
        return None
    try:
        return customer_of(connection, payments, user_id, gone)
    except (PaymentFailed, PaymentRefused):
        return None


def _started(
    frozen: Frozen, payment: Payment | None, order_id: UUID | None, publishable_key: str
) -> CheckoutStarted:
    return CheckoutStarted(
        checkout_id=frozen.id,
        status="settled" if order_id else "requires_payment",
        payment_intent_id=payment.intent_id if payment else None,
        client_secret=payment.client_secret if payment else None,
        publishable_key=publishable_key if payment else None,
        amount_cad=str(frozen.quote.card_cad),
        currency="CAD",
        subtotal_cad=str(frozen.quote.subtotal_cad),
        discount_cad=str(frozen.quote.discount_cad),
        credits_applied_cad=str(frozen.quote.credits_applied_cad),
        total_cad=str(frozen.quote.total_cad),
        order_id=order_id,
    )
