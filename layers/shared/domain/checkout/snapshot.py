"""A cart frozen for payment: every price, share of discount and credits, and tutor's pay, as they will be booked."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Literal
from uuid import UUID

from pydantic import BaseModel, TypeAdapter

from domain import money
from domain.cart.cart import Cart, CartItem, TutorSelection
from domain.errors import Refused

MINIMUM_CHARGE = Decimal("0.50")

type WantedCredits = Literal["all"] | Decimal | None
"""What a buyer wants to spend of their credits, in CAD."""


class SnapshotItem(BaseModel):
    """One session to book. `id` is the cart item's, the claim's, and the appointment's."""

    id: UUID
    course_id: UUID
    tutor_id: UUID
    tutor_selection: TutorSelection
    start: datetime
    duration_min: int
    price_cad: Decimal
    discount_share_cad: Decimal
    credit_share_cad: Decimal = money.ZERO
    rate_at_time: Decimal
    tutor_earnings_cad: Decimal

    @property
    def end(self) -> datetime:
        return self.start + timedelta(minutes=self.duration_min)

    @property
    def net_cad(self) -> Decimal:
        return self.price_cad - self.discount_share_cad

    @property
    def card_share_cad(self) -> Decimal:
        """What a card pays of it; credits pay the rest."""
        return self.net_cad - self.credit_share_cad

    @property
    def hours(self) -> Decimal:
        return Decimal(self.duration_min) / 60

    def given_by(self, tutor_id: UUID, rate: Decimal) -> "SnapshotItem":
        """The same session with another tutor, at that tutor's pay."""
        return self.model_copy(
            update={
                "tutor_id": tutor_id,
                "rate_at_time": rate,
                "tutor_earnings_cad": money.prorate(rate, self.duration_min),
            }
        )


ITEMS = TypeAdapter(list[SnapshotItem])


@dataclass(frozen=True, slots=True)
class Quote:
    """What a cart costs, to the cent."""

    items: Sequence[SnapshotItem]
    subtotal_cad: Decimal
    discount_cad: Decimal
    total_cad: Decimal
    credits_applied_cad: Decimal

    @property
    def card_cad(self) -> Decimal:
        """What is left for the card."""
        return self.total_cad - self.credits_applied_cad

    @property
    def amount_cents(self) -> int:
        return money.in_cents(self.card_cad)


def quote(cart: Cart, tutor_rates: Mapping[UUID, Decimal], wanted: WantedCredits, now: datetime) -> Quote:
    """Price a cart: coupon on the subtotal, then credits on the total, both shared over the lines (spec 3.4 to 3.7).

    Credits are shared in proportion to what each line costs after its discount. Refuses with INSUFFICIENT_CREDITS,
    AMOUNT_TOO_SMALL.
    """
    discount = cart.discount(now)
    total = cart.subtotal - discount
    credits_applied = apply_credits(total, wanted, cart.credits_available)
    discounts = money.allocate(discount, [item.price_cad for item in cart.items])
    nets = [item.price_cad - share for item, share in zip(cart.items, discounts, strict=True)]
    credits = money.allocate(credits_applied, nets)
    return Quote(
        items=[
            _freeze(item, discount_share, credit_share, tutor_rates[item.tutor_id])
            for item, discount_share, credit_share in zip(cart.items, discounts, credits, strict=True)
        ],
        subtotal_cad=cart.subtotal,
        discount_cad=discount,
        total_cad=total,
        credits_applied_cad=credits_applied,
    )


def apply_credits(total: Decimal, wanted: WantedCredits, available: Decimal) -> Decimal:
    """How much of a total is paid with credits, in CAD: never more than it, and never so much that the card would be
    left with less than it can be charged (spec 3.7).

    Refuses with INSUFFICIENT_CREDITS, AMOUNT_TOO_SMALL.
    """
    if isinstance(wanted, Decimal) and wanted > available:
        raise Refused("INSUFFICIENT_CREDITS", facts={"credits_available_cad": str(available)})
    credits = min(available if wanted == "all" else wanted or money.ZERO, total)
    if credits == total or total - credits >= MINIMUM_CHARGE:
        return money.to_cent(credits)
    if total < MINIMUM_CHARGE:
        raise Refused("AMOUNT_TOO_SMALL")
    return total - MINIMUM_CHARGE


def _freeze(item: CartItem, discount_share: Decimal, credit_share: Decimal, rate: Decimal) -> SnapshotItem:
    return SnapshotItem(
        id=item.id,
        course_id=item.course_id,
        tutor_id=item.tutor_id,
        tutor_selection=item.tutor_selection,
        start=item.start,
        duration_min=item.duration_min,
        price_cad=item.price_cad,
        discount_share_cad=discount_share,
        credit_share_cad=credit_share,
        rate_at_time=rate,
        tutor_earnings_cad=money.prorate(rate, item.duration_min),
    )
