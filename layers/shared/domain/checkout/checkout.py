"""One checkout as it is stored."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Literal
from uuid import UUID

from domain.accounts.callers import Buyer
from domain.product import Product

type CheckoutStatus = Literal["open", "processing", "settled", "failed", "cancelled", "refunded"]

type CheckoutStateName = Literal[
    "requires_payment", "processing", "settled", "failed", "refunded", "sign_in_required"
]
"""How a checkout stands for its buyer."""

TTL = timedelta(hours=24)
SIGN_IN_WINDOW = timedelta(minutes=60)


@dataclass(frozen=True, slots=True)
class Checkout:
    id: UUID
    product: Product
    status: CheckoutStatus
    payment_intent_id: str | None
    client_secret_hash: bytes | None
    cart_id: UUID | None
    cart_version: int
    session_hash: bytes | None
    user_id: UUID | None
    buyer: Any
    billing: Any
    items: Any
    coupon_id: UUID | None
    coupon_code: str | None
    subtotal_cad: Decimal
    discount_cad: Decimal
    total_cad: Decimal
    credits_applied_cad: Decimal
    amount_cents: int
    expires_at: datetime
    settled_at: datetime | None
    order_id: UUID | None
    account_created: bool
    signed_in_at: datetime | None
    followed_at: datetime | None
    followed_status: CheckoutStateName | None
    intent_closed_at: datetime | None
    failure_code: str | None
    failure_decline_code: str | None
    failure_kind: str | None

    @property
    def stored_status(self) -> CheckoutStateName:
        """How one that has become no order stands for the buyer, as far as is known here.

        The payment of one that was withdrawn may still be on its way: what Stripe said of it since; until it was asked,
        nobody knows.
        """
        if self.status in ("processing", "refunded"):
            return self.status
        if self.status == "cancelled" and self.payment_intent_id and self.intent_closed_at is None:
            return self.followed_status or "processing"
        return "requires_payment" if self.status == "open" else "failed"

    def signs_in(self, now: datetime) -> bool:
        """Whether it can still open a session for the buyer whose account it opened."""
        settled = self.settled_at is not None and now - SIGN_IN_WINDOW < self.settled_at
        return settled and self.account_created and self.signed_in_at is None

    def belongs_to(self, buyers: Iterable[Buyer]) -> bool:
        """Whether one of the caller's identities started it, or is the account it opened."""
        return any(
            self.user_id == buyer.user_id if buyer.user_id else self.session_hash == buyer.session_hash
            for buyer in buyers
        )
