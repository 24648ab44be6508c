"""A cart frozen for payment: every price, discount share and tutor's pay, as they will be booked."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Literal
from uuid import UUID

from pydantic import BaseModel, TypeAdapter

from domain import money
from domain.cart.cart import Cart, CartItem

MINIMUM_CHARGE = Decimal("0.50")


class SnapshotItem(BaseModel):
    """One session to book. `id` is the cart item's, the claim's, and the appointment's."""

    id: UUID
    course_id: UUID
    tutor_id: UUID
    tutor_selection: Literal["auto", "explicit"]
    start: datetime
    duration_min: int
    price_cad: Decimal
    discount_share_cad: Decimal
    rate_at_time: Decimal
    tutor_earnings_cad: Decimal

    @property
    def end(self) -> datetime:
        return self.start + timedelta(minutes=self.duration_min)

    @property
    def net_cad(self) -> Decimal:
        return self.price_cad - self.discount_share_cad

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

    @property
    def amount_cents(self) -> int:
        return money.in_cents(self.total_cad)


def quote(cart: Cart, tutor_rates: Mapping[UUID, Decimal], now: datetime) -> Quote:
    """Price a cart: coupon on the subtotal, the discount shared over the lines (spec 3.4, 3.5)."""
    discount = cart.discount(now)
    shares = money.allocate(discount, [item.price_cad for item in cart.items])
    return Quote(
        items=[
            _freeze(item, share, tutor_rates[item.tutor_id])
            for item, share in zip(cart.items, shares, strict=True)
        ],
        subtotal_cad=cart.subtotal,
        discount_cad=discount,
        total_cad=cart.subtotal - discount,
    )


def _freeze(item: CartItem, discount_share: Decimal, rate: Decimal) -> SnapshotItem:
    return SnapshotItem(
        id=item.id,
        course_id=item.course_id,
        tutor_id=item.tutor_id,
        tutor_selection=item.tutor_selection,
        start=item.start,
        duration_min=item.duration_min,
        price_cad=item.price_cad,
        discount_share_cad=discount_share,
        rate_at_time=rate,
        tutor_earnings_cad=money.prorate(rate, item.duration_min),
    )
