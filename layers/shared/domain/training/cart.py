"""A cart of trainings and its rules: what is in it, what it costs now, what has to leave it (courses 3.3, 3.4)."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Literal
from uuid import UUID

from domain import money
from domain.coupons.coupons import Coupon
from domain.coupons.wording import Reason

type NoticeCode = Literal["TRAINING_UNAVAILABLE", "ALREADY_ENROLLED", "PRICE_CHANGED"]


@dataclass(frozen=True, slots=True)
class TrainingLine:
    """One training in a cart. `shown_cad` is its price as the owner last saw it, `price_cad` as it is."""

    id: UUID
    training_id: UUID
    slug: str
    title_fr: str
    category_slug: str
    category_name_fr: str
    shown_cad: Decimal
    price_cad: Decimal
    access_days: int
    published: bool
    enrolled: bool
    takes_coupon: bool

    @property
    def can_be_bought(self) -> bool:
        return self.published and not self.enrolled


@dataclass(frozen=True, slots=True)
class Notice:
    """What a cart's owner is told, once, of a line that is not as it was last shown."""

    code: NoticeCode
    line: TrainingLine

    @property
    def detail_fr(self) -> str:
        title = self.line.title_fr
        match self.code:
            case "TRAINING_UNAVAILABLE":
                return f"« {title} » n'est plus offert et a été retiré de votre panier."
            case "ALREADY_ENROLLED":
                return f"Vous êtes déjà inscrit à « {title} » : ce cours a été retiré de votre panier."
            case "PRICE_CHANGED":
                return f"Le prix de « {title} » a changé."


@dataclass(frozen=True, slots=True)
class TrainingCart:
    """`lines` by the time they were put there."""

    id: UUID
    version: int
    coupon: Coupon | None = None
    lines: Sequence[TrainingLine] = field(default_factory=tuple)

    @property
    def prices(self) -> list[Decimal]:
        return [line.price_cad for line in self.lines]

    @property
    def subtotal(self) -> Decimal:
        return sum(self.prices, money.ZERO)

    def coupon_unusable_because(self, now: datetime) -> Reason | None:
        """Why the cart's coupon takes nothing off; None when it does, and when there is none."""
        if self.coupon is None:
            return None
        if reason := self.coupon.unusable_because(now):
            return reason
        if self.lines and not any(line.takes_coupon for line in self.lines):
            return "not_for_these"
        return None

    def discounts(self, now: datetime) -> list[Decimal]:
        """What the coupon takes off each line: of the lines it is for, together, shared in proportion to their prices.

        A fixed amount is the whole order's, and never more than these lines cost.
        """
        if self.coupon is None or self.coupon_unusable_because(now):
            return [money.ZERO] * len(self.lines)
        eligible = [line.price_cad if line.takes_coupon else money.ZERO for line in self.lines]
        return money.allocate(self.coupon.discount_on(sum(eligible, money.ZERO)), eligible)

    @property
    def notices(self) -> list[Notice]:
        """What is not as it was last shown."""
        found = [Notice(code, line) for line in self.lines if (code := _notice(line))]
        return sorted(found, key=lambda notice: notice.code == "PRICE_CHANGED")

    def holds(self, training_id: UUID) -> bool:
        return any(line.training_id == training_id for line in self.lines)


def _notice(line: TrainingLine) -> NoticeCode | None:
    if not line.published:
        return "TRAINING_UNAVAILABLE"
    if line.enrolled:
        return "ALREADY_ENROLLED"
    return "PRICE_CHANGED" if line.price_cad != line.shown_cad else None
