"""The trainings of a checkout as they were frozen."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any
from uuid import UUID

from pydantic import BaseModel, TypeAdapter

from domain.checkout.checkout import Checkout
from domain.checkout.quote import PricedLine
from domain.training.cart import TrainingLine


class SnapshotTraining(BaseModel):
    """Access to one training, for so many days, at that price. `id` is the cart line's."""

    id: UUID
    training_id: UUID
    title_fr: str
    access_days: int
    price_cad: Decimal
    discount_share_cad: Decimal


_TRAININGS = TypeAdapter(list[SnapshotTraining])


def trainings_of(checkout: Checkout) -> Sequence[SnapshotTraining]:
    """What was frozen."""
    return _TRAININGS.validate_python(checkout.items)


def freeze(lines: Sequence[TrainingLine], priced: Sequence[PricedLine]) -> list[dict[str, Any]]:
    """The lines of a cart, each with its line of the quote, in JSON."""
    frozen = [
        SnapshotTraining(
            id=line.id,
            training_id=line.training_id,
            title_fr=line.title_fr,
            access_days=line.access_days,
            price_cad=price.price_cad,
            discount_share_cad=price.discount_share_cad,
        )
        for line, price in zip(lines, priced, strict=True)
    ]
    dumped: list[dict[str, Any]] = _TRAININGS.dump_python(frozen, mode="json")
    return dumped
