"""Freezing a cart: everything is checked one last time, in one transaction, and stored as it will be booked."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg import Connection
from psycopg.errors import CheckViolation

from domain.accounts import accounts
from domain.accounts.callers import Buyer
from domain.checkout import queries
from domain.checkout.checkout import TTL, Checkout
from domain.checkout.quote import Quote, quote
from domain.checkout.request import CheckoutRequest
from domain.checkout.sale import Offer, Sale
from domain.coupons import coupons
from domain.credits import ledger
from domain.errors import Refused
from domain.idempotency import Keyed, tie_checkout
from domain.ids import new_id
from domain.product import Product
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
    product: Product
    description: str | None = None

    @classmethod
    def of(cls, checkout: Checkout) -> "Frozen":
        """A checkout that was frozen before."""
        return cls(
            id=checkout.id,
            user_id=checkout.user_id,
            quote=Quote(
                lines=[],
                subtotal_cad=checkout.subtotal_cad,
                discount_cad=checkout.discount_cad,
                total_cad=checkout.total_cad,
                credits_applied_cad=checkout.credits_applied_cad,
            ),
            receipt_email=checkout.buyer["email"] if checkout.buyer else None,
            intent_id=checkout.payment_intent_id,
            product=checkout.product,
        )


def freeze_what_is_left(
    connection: Connection[Any],
    sale: Sale,
    buyer: Buyer,
    request: CheckoutRequest,
    keyed: Keyed | None,
    now: datetime,
) -> Frozen | None:
    """The frozen cart; None when credits were taken from the account meanwhile, and it has to be frozen again.

    The database says who has the last use of a coupon. Raises NotClosed; refuses as `start_checkout` does.
    """
    try:
        return _freeze(connection, sale, buyer, request, keyed, now)
    except Refused as refusal:
        if refusal.code != "CART_EMPTY":
            raise
        if payable := queries.lock_payable(connection, sale.product, buyer).fetchall():
            raise NotClosed(payable) from refusal
        raise
    except CheckViolation as error:
        if unusable := coupons.refusal_of(error, sale.product):
            raise unusable from error
        if ledger.is_overdrawn(error):
            return None
        raise


@retried_on_deadlock
def _freeze(
    connection: Connection[Any],
    sale: Sale,
    buyer: Buyer,
    request: CheckoutRequest,
    keyed: Keyed | None,
    now: datetime,
) -> Frozen:
    """In one transaction: check everything, and store the snapshot that settlement will book from."""
    email = request.account.email if request.account else None
    with connection.pipeline(), connection.transaction():
        looked = sale.look(connection, buyer, now)
        email_answer = accounts.email_is_taken(connection, email) if email else None
        payable_answer = queries.lock_payable(connection, sale.product, buyer)
        open_one = _only_open(payable_answer.fetchall())
        if email_answer and email_answer.fetchone():
            raise Refused("USER_ALREADY_EXISTS")
        news = sale.renew(connection, looked, now)
        if news is None:
            offer = sale.offer(connection, looked, email, now)
            if offer.coupon:
                offer.coupon.require_usable(now)
            priced = quote(offer.prices, offer.discounts, request.credits_cad, offer.credits_available)
            frozen = _store(connection, sale, buyer, request, offer, priced, open_one, now)
            if keyed:
                tie_checkout(connection, keyed, frozen.id)
            return frozen
        if open_one:
            raise NotClosed([open_one])
    raise news


def _only_open(payable: Sequence[Checkout]) -> Checkout | None:
    """What the cart is being paid with, if anything, when nothing that was withdrawn can be paid any more."""
    if withdrawn := [checkout for checkout in payable if checkout.status == "cancelled"]:
        raise NotClosed(withdrawn)
    return payable[0] if payable else None


def _store(
    connection: Connection[Any],
    sale: Sale,
    buyer: Buyer,
    request: CheckoutRequest,
    offer: Offer,
    priced: Quote,
    already_open: Checkout | None,
    now: datetime,
) -> Frozen:
    """A checkout of that cart, with what it reserves of its coupon and of the buyer's credits.

    It is the open one if that is the same but for the address. Raises NotClosed when it is another.
    """
    receipt_email = request.account.email if request.account else None
    details = asdict(request.account) if request.account else None

    def frozen(checkout_id: UUID, intent_id: str | None) -> Frozen:
        return Frozen(
            checkout_id, buyer.user_id, priced, receipt_email, intent_id, sale.product, offer.description
        )

    if already_open:
        if not _is_same(already_open, details, offer, priced, now):
            raise NotClosed([already_open])
        queries.revise_billing(connection, already_open.id, request.billing)
        return frozen(already_open.id, already_open.payment_intent_id)
    checkout_id = new_id()
    coupon = offer.coupon
    queries.insert_checkout(
        connection,
        {
            "id": checkout_id,
            "product": sale.product,
            "cart_id": offer.cart_id,
            "cart_version": offer.version,
            "session_hash": buyer.session_hash,
            "user_id": buyer.user_id,
            "buyer": details,
            "billing": request.billing,
            "items": sale.freeze(offer, priced),
            "coupon_id": coupon.id if coupon else None,
            "coupon_code": coupon.code if coupon else None,
            "subtotal_cad": priced.subtotal_cad,
            "discount_cad": priced.discount_cad,
            "total_cad": priced.total_cad,
            "credits_applied_cad": priced.credits_applied_cad,
            "amount_cents": priced.amount_cents,
            "now": now,
            "expires_at": now + TTL,
        },
    )
    if coupon:
        coupons.reserve(connection, checkout_id, coupon.id, now)
    if buyer.user_id and priced.credits_applied_cad:
        ledger.reserve(connection, checkout_id, buyer.user_id, priced.credits_applied_cad, now)
    return frozen(checkout_id, None)


def _is_same(checkout: Checkout, details: Any, offer: Offer, priced: Quote, now: datetime) -> bool:
    """Whether an open checkout would book and charge exactly what the cart would now, for the same person."""
    return (
        checkout.buyer == details
        and checkout.cart_version == offer.version
        and checkout.amount_cents == priced.amount_cents
        and checkout.credits_applied_cad == priced.credits_applied_cad
        and now < checkout.expires_at
    )
