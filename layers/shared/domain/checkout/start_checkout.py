"""Starting to pay: the cart is checked one last time, frozen, and given a payment to confirm."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg import Connection
from psycopg.errors import CheckViolation

from domain.accounts import accounts
from domain.accounts.accounts import NewAccount
from domain.accounts.callers import Buyer
from domain.accounts.passwords import hash_password
from domain.cart import purchase
from domain.cart.cart import Cart
from domain.catalog.offering import ask_offerings, read_offerings
from domain.checkout import queries
from domain.checkout.checkout import TTL, Checkout
from domain.checkout.models import (
    CheckoutStarted,
    StartCheckout,
    read_email,
    read_password,
    read_phone,
)
from domain.checkout.settle import settle, settle_without_card
from domain.checkout.snapshot import ITEMS, Quote, quote
from domain.coupons import coupons
from domain.credits import ledger
from domain.errors import Refused
from domain.idempotency import Keyed, tie_checkout
from domain.ids import fingerprint, new_id
from domain.payments.customers import customer_of
from domain.payments.gateway import Payment, PaymentFailed, PaymentRefused, Payments, PaymentsUnavailable
from domain.transactions import retried_on_deadlock
from domain.webhooks.outbox import Environment

TRIES = 3


@dataclass(frozen=True, slots=True)
class Frozen:
    """A checkout ready to be paid, and the intent of an older state of the cart that must not be paid any more."""

    id: UUID
    user_id: UUID | None
    quote: Quote
    receipt_email: str | None
    intent_id: str | None
    stale_intent_id: str | None


def start_checkout(
    connection: Connection[Any],
    payments: Payments,
    buyer: Buyer,
    form: StartCheckout,
    publishable_key: str,
    environment: Environment,
    now: datetime,
    keyed: Keyed | None = None,
    begun_id: UUID | None = None,
) -> CheckoutStarted:
    """Freeze the buyer's cart and answer a payment to confirm; the same cart again gets the same payment.

    `keyed` is the request's idempotency key, which the checkout is tied to; `begun_id` the checkout that was begun
    under it before and is gone on with.

    Everything is checked before any charge (P3). Refuses with EMAIL_INVALID, PASSWORD_TOO_SHORT,
    PASSWORD_MISMATCH, CART_EMPTY, USER_ALREADY_EXISTS, SLOTS_UNAVAILABLE, PRICE_CHANGED, COUPON_INVALID,
    INSUFFICIENT_CREDITS, AMOUNT_TOO_SMALL, PAYMENT_UNAVAILABLE.
    """
    account = None if buyer.user_id else _read_account(form)
    begun = queries.select_checkout(connection, begun_id).fetchone() if begun_id else None
    if begun and begun.order_id:
        return _started(_as_frozen(begun), None, begun.order_id, publishable_key)
    try:
        for _ in range(TRIES):
            frozen = (
                _as_frozen(begun)
                if begun and begun.status == "open"
                else _freeze_what_is_left(connection, buyer, account, form, keyed, now)
            )
            begun = None
            if frozen is None:
                continue
            started = _offer(connection, payments, frozen, publishable_key, environment, now)
            if started:
                return started
    except PaymentsUnavailable as unavailable:
        raise Refused("PAYMENT_UNAVAILABLE", retry_after=5) from unavailable
    raise Refused("PAYMENT_UNAVAILABLE", retry_after=5)


def email_exists(connection: Connection[Any], text: str) -> bool:
    """Whether an account has that e-mail. Refuses with EMAIL_INVALID."""
    return accounts.email_is_taken(connection, read_email(text)).fetchone() is not None


def _read_account(form: StartCheckout) -> NewAccount:
    """The account a guest asks for, its password already a hash. A guest has no credits."""
    if form.credits_cad is not None:
        raise _faulty("credits_cad", "NOT_ALLOWED", "Connectez-vous pour utiliser vos crédits.")
    if form.account is None:
        raise _faulty("account", "MISSING", "Ce champ est obligatoire.")
    return NewAccount(
        email=read_email(form.account.email),
        first_name=form.account.first_name,
        last_name=form.account.last_name,
        phone=read_phone(form.account.phone),
        password_hash=hash_password(read_password(form.account)),
    )


def _faulty(field: str, code: str, detail: str) -> Refused:
    return Refused("VALIDATION_FAILED", errors=[{"field": field, "code": code, "detail": detail}])


def _as_frozen(checkout: Checkout) -> Frozen:
    return Frozen(
        id=checkout.id,
        user_id=checkout.user_id,
        quote=Quote(
            items=checkout.sessions,
            subtotal_cad=checkout.subtotal_cad,
            discount_cad=checkout.discount_cad,
            total_cad=checkout.total_cad,
            credits_applied_cad=checkout.credits_applied_cad,
        ),
        receipt_email=checkout.buyer["email"] if checkout.buyer else None,
        intent_id=checkout.payment_intent_id,
        stale_intent_id=None,
    )


def _freeze_what_is_left(
    connection: Connection[Any],
    buyer: Buyer,
    account: NewAccount | None,
    form: StartCheckout,
    keyed: Keyed | None,
    now: datetime,
) -> Frozen | None:
    """The frozen cart; None when credits were taken from the account meanwhile, and it has to be frozen again.

    The database says who has the last use of a coupon. Refuses as `start_checkout` does.
    """
    try:
        return _freeze(connection, buyer, account, form, keyed, now)
    except CheckViolation as error:
        if coupons.is_used_up(error):
            raise coupons.used_up() from error
        if ledger.is_overdrawn(error):
            return None
        raise


@retried_on_deadlock
def _freeze(
    connection: Connection[Any],
    buyer: Buyer,
    account: NewAccount | None,
    form: StartCheckout,
    keyed: Keyed | None,
    now: datetime,
) -> Frozen:
    """In one transaction: check everything, and store the snapshot that settlement will book from."""
    with connection.pipeline(), connection.transaction():
        cart = purchase.lock_cart(connection, buyer, now)
        offerings_answer = ask_offerings(connection, {item.course_id for item in cart.items})
        rates_answer = queries.select_tutor_rates(connection, {item.tutor_id for item in cart.items})
        email_answer = accounts.email_is_taken(connection, account.email) if account else None
        open_answer = queries.lock_checkout(connection, open_for_cart=cart.id)
        offerings = read_offerings(offerings_answer)
        rates = dict(rates_answer.fetchall())
        if email_answer and email_answer.fetchone():
            raise Refused("USER_ALREADY_EXISTS")
        current = purchase.reprice(connection, cart, offerings, now)
        if current.items == cart.items:
            cart = purchase.hold_again(connection, current, now)
            if cart.coupon:
                cart.coupon.require_usable(now)
            priced = quote(cart, rates, form.credits_cad, now)
            already_open = open_answer.fetchone()
            billing = form.billing.model_dump()
            frozen = _store(connection, buyer, account, billing, cart, priced, already_open, now)
            if keyed:
                tie_checkout(connection, keyed, frozen.id)
            return frozen
    raise _price_changed(cart, current, now)


def _price_changed(before: Cart, after: Cart, now: datetime) -> Refused:
    """The cart now shows today's prices; nothing else happened."""
    return Refused(
        "PRICE_CHANGED",
        facts={
            "old_total_cad": str(before.subtotal - before.discount(now)),
            "new_total_cad": str(after.subtotal - after.discount(now)),
        },
    )


def _store(
    connection: Connection[Any],
    buyer: Buyer,
    account: NewAccount | None,
    billing: Mapping[str, str],
    cart: Cart,
    priced: Quote,
    already_open: Checkout | None,
    now: datetime,
) -> Frozen:
    """A checkout of that cart, with what it reserves of its coupon and of the buyer's credits."""
    receipt_email = account.email if account else None
    details = asdict(account) if account else None
    if already_open and _is_same(already_open, cart, priced, now):
        queries.revise_buyer(connection, already_open.id, details, billing)
        intent_id = already_open.payment_intent_id
        return Frozen(already_open.id, buyer.user_id, priced, receipt_email, intent_id, None)
    if already_open:
        queries.cancel_checkout(connection, already_open.id)
    checkout_id = new_id()
    queries.insert_checkout(
        connection,
        {
            "id": checkout_id,
            "cart_id": cart.id,
            "cart_version": cart.version,
            "session_hash": buyer.session_hash,
            "user_id": buyer.user_id,
            "buyer": details,
            "billing": dict(billing),
            "items": ITEMS.dump_python(list(priced.items), mode="json"),
            "coupon_id": cart.coupon.id if cart.coupon else None,
            "coupon_code": cart.coupon.code if cart.coupon else None,
            "subtotal_cad": priced.subtotal_cad,
            "discount_cad": priced.discount_cad,
            "total_cad": priced.total_cad,
            "credits_applied_cad": priced.credits_applied_cad,
            "amount_cents": priced.amount_cents,
            "now": now,
            "expires_at": now + TTL,
        },
    )
    if cart.coupon:
        coupons.reserve(connection, checkout_id, cart.coupon.id, now)
    if buyer.user_id and priced.credits_applied_cad:
        ledger.reserve(connection, checkout_id, buyer.user_id, priced.credits_applied_cad, now)
    stale = already_open.payment_intent_id if already_open else None
    return Frozen(checkout_id, buyer.user_id, priced, receipt_email, None, stale)


def _is_same(checkout: Checkout, cart: Cart, priced: Quote, now: datetime) -> bool:
    """Whether an open checkout would book and charge exactly what the cart would now."""
    return (
        checkout.cart_version == cart.version
        and checkout.amount_cents == priced.amount_cents
        and checkout.credits_applied_cad == priced.credits_applied_cad
        and now < checkout.expires_at
    )


def _offer(
    connection: Connection[Any],
    payments: Payments,
    frozen: Frozen,
    publishable_key: str,
    environment: Environment,
    now: datetime,
) -> CheckoutStarted | None:
    """The payment of a frozen cart; None when it can no longer be paid and the cart has to be frozen again."""
    if frozen.stale_intent_id:
        _withdraw(payments, frozen.stale_intent_id)
    if frozen.quote.amount_cents == 0:
        paid_order_id = settle_without_card(connection, frozen.id, environment, now)
        return _started(frozen, None, paid_order_id, publishable_key) if paid_order_id else None
    payment = _intent(connection, payments, frozen)
    if payment.status == "succeeded":  # paid in another tab while this form was sent
        order_id = settle(connection, frozen.id, payment, environment, now)
        if order_id is None:
            raise Refused("PAYMENT_RETURNED")
        return _started(frozen, None, order_id, publishable_key)
    if payment.status == "cancelled":
        queries.cancel_checkout(connection, frozen.id)
        return None
    secret = fingerprint(payment.client_secret or "")
    if not queries.attach_intent(connection, frozen.id, payment.intent_id, secret).fetchone():
        _withdraw(
            payments, payment.intent_id
        )  # another tab changed the cart, or gave the checkout its intent
        return None
    return _started(frozen, payment, None, publishable_key)


def _withdraw(payments: Payments, intent_id: str) -> None:
    """Cancel an intent. When it was paid meanwhile it stands, and settlement books its snapshot."""
    try:
        payments.cancel_intent(intent_id)
    except PaymentRefused:
        return


def _intent(connection: Connection[Any], payments: Payments, frozen: Frozen) -> Payment:
    if frozen.intent_id is None:
        customer_id = _customer(connection, payments, frozen.user_id)
        try:
            return payments.create_intent(
                frozen.id, frozen.quote.amount_cents, frozen.receipt_email, customer_id
            )
        except PaymentFailed:  # this checkout would get the same answer for a day: the next try is another's
            queries.cancel_checkout(connection, frozen.id)
            raise
    try:
        return payments.revise_intent(frozen.intent_id, frozen.receipt_email)
    except PaymentRefused:
        return payments.find_intent(frozen.intent_id)


def _customer(connection: Connection[Any], payments: Payments, user_id: UUID | None) -> str | None:
    """The customer who pays. Nobody is kept from paying because the service cannot make one."""
    if user_id is None:
        return None
    try:
        return customer_of(connection, payments, user_id)
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
