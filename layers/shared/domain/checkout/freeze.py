"""Freezing a cart: everything is checked one last time, in one transaction, and stored as it will be booked."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg import Connection
from psycopg.errors import CheckViolation

from domain.accounts import accounts
from domain.accounts.accounts import NewAccount
from domain.accounts.callers import Buyer
from domain.cart import purchase
from domain.cart.cart import Cart
from domain.catalog.offering import ask_offerings, read_offerings
from domain.checkout import queries
from domain.checkout.checkout import TTL, Checkout
from domain.checkout.models import StartCheckout
from domain.checkout.snapshot import ITEMS, Quote, quote
from domain.coupons import coupons
from domain.credits import ledger
from domain.errors import Refused
from domain.idempotency import Keyed, tie_checkout
from domain.ids import new_id
from domain.transactions import retried_on_deadlock


class NotClosed(Exception):
    """Checkouts of the cart that may still be paid, and that ask for something else than it would now.

    Nothing was written. The cart can be frozen once they are closed.
    """

    def __init__(self, checkouts: Sequence[Checkout]) -> None:
        super().__init__([checkout.id for checkout in checkouts])
        self.checkouts = checkouts


@dataclass(frozen=True, slots=True)
class Frozen:
    """A checkout ready to be paid."""

    id: UUID
    user_id: UUID | None
    quote: Quote
    receipt_email: str | None
    intent_id: str | None

    @classmethod
    def of(cls, checkout: Checkout) -> "Frozen":
        """A checkout that was frozen before."""
        return cls(
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
        )


def freeze_what_is_left(
    connection: Connection[Any],
    buyer: Buyer,
    account: NewAccount | None,
    form: StartCheckout,
    keyed: Keyed | None,
    now: datetime,
    max_holds: int,
) -> Frozen | None:
    """The frozen cart; None when credits were taken from the account meanwhile, and it has to be frozen again.

    The database says who has the last use of a coupon. Raises NotClosed; refuses as `start_checkout` does.
    """
    try:
        return _freeze(connection, buyer, account, form, keyed, now, max_holds)
    except Refused as refusal:
        if refusal.code != "CART_EMPTY":
            raise
        if payable := queries.lock_payable(connection, buyer).fetchall():
            raise NotClosed(payable) from refusal
        raise
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
    max_holds: int,
) -> Frozen:
    """In one transaction: check everything, and store the snapshot that settlement will book from."""
    with connection.pipeline(), connection.transaction():
        cart = purchase.lock_cart(connection, buyer, now)
        offerings_answer = ask_offerings(connection, {item.course_id for item in cart.items})
        rates_answer = queries.select_tutor_rates(connection, cart.possible_tutors)
        email_answer = accounts.email_is_taken(connection, account.email) if account else None
        payable_answer = queries.lock_payable(connection, buyer)
        offerings = read_offerings(offerings_answer)
        rates = dict(rates_answer.fetchall())
        open_one = _only_open(payable_answer.fetchall())
        if email_answer and email_answer.fetchone():
            raise Refused("USER_ALREADY_EXISTS")
        current = purchase.reprice(connection, cart, offerings, now)
        if current.items == cart.items:
            cart = purchase.hold_again(connection, current, now, max_holds)
            if cart.coupon:
                cart.coupon.require_usable(now)
            priced = quote(cart, rates, form.credits_cad, now)
            billing = form.billing.model_dump()
            frozen = _store(connection, buyer, account, billing, cart, priced, open_one, now)
            if keyed:
                tie_checkout(connection, keyed, frozen.id)
            return frozen
        if open_one:
            raise NotClosed([open_one])
    raise _price_changed(cart, current, now)


def _only_open(payable: Sequence[Checkout]) -> Checkout | None:
    """What the cart is being paid with, if anything, when nothing that was withdrawn can be paid any more."""
    if withdrawn := [checkout for checkout in payable if checkout.status == "cancelled"]:
        raise NotClosed(withdrawn)
    return payable[0] if payable else None


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
    """A checkout of that cart, with what it reserves of its coupon and of the buyer's credits.

    It is the open one if that is the same but for the address. Raises NotClosed when it is another.
    """
    receipt_email = account.email if account else None
    details = asdict(account) if account else None
    if already_open:
        if not _is_same(already_open, details, cart, priced, now):
            raise NotClosed([already_open])
        queries.revise_billing(connection, already_open.id, billing)
        return Frozen(already_open.id, buyer.user_id, priced, receipt_email, already_open.payment_intent_id)
    checkout_id = new_id()
    queries.insert_checkout(
        connection,
        {
            "id": checkout_id,
            "product": "tutoring",
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
    return Frozen(checkout_id, buyer.user_id, priced, receipt_email, None)


def _is_same(checkout: Checkout, details: Any, cart: Cart, priced: Quote, now: datetime) -> bool:
    """Whether an open checkout would book and charge exactly what the cart would now, for the same person."""
    return (
        checkout.buyer == details
        and checkout.cart_version == cart.version
        and checkout.amount_cents == priced.amount_cents
        and checkout.credits_applied_cad == priced.credits_applied_cad
        and now < checkout.expires_at
    )
