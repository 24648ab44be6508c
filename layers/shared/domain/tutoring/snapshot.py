"""The sessions of a checkout as they were frozen: prices, shares and tutor's pay as they will be booked."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from pydantic import BaseModel, TypeAdapter

from domain import money
from domain.cart.cart import CartItem, TutorSelection
from domain.checkout.checkout import Checkout
from domain.checkout.quote import PricedLine


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


_ITEMS = TypeAdapter(list[SnapshotItem])


def sessions_of(checkout: Checkout) -> Sequence[SnapshotItem]:
    """What was frozen."""
    return _ITEMS.validate_python(checkout.items)


def freeze(
    items: Sequence[CartItem], lines: Sequence[PricedLine], tutor_rates: Mapping[UUID, Decimal]
) -> list[dict[str, Any]]:
    """The sessions of a cart, each with its line of the quote and its tutor's hourly rate, in JSON."""
    frozen = [
        _frozen(item, line, tutor_rates[item.tutor_id]) for item, line in zip(items, lines, strict=True)
    ]
    dumped: list[dict[str, Any]] = _ITEMS.dump_python(frozen, mode="json")
    return dumped


def _frozen(item: CartItem, line: PricedLine, rate: Decimal) -> SnapshotItem:
    return SnapshotItem(
        id=item.id,
        course_id=item.course_id,
        tutor_id=item.tutor_id,
        tutor_selection=item.tutor_selection,
        start=item.start,
        duration_min=item.duration_min,
        price_cad=line.price_cad,
        discount_share_cad=line.discount_share_cad,
        credit_share_cad=line.credit_share_cad,
        rate_at_time=rate,
        tutor_earnings_cad=money.prorate(rate, item.duration_min),
    )
