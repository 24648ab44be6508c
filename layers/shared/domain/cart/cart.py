"""A cart and its rules: totals, duplicates, overlaps, the cap on holds (spec 2.6, 2.7)."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from math import ceil
from typing import Literal
from uuid import UUID

from domain import money
from domain.coupons.coupons import Coupon
from domain.errors import Refused

MAX_HOLDS = 20
"""How many times a cart holds at once, unless a setting says otherwise (X-73)."""

type TutorSelection = Literal["auto", "explicit"]
"""Whether any tutor of the course will do."""


@dataclass(frozen=True, slots=True)
class CartItem:
    """One session in a cart.

    `held` says that its hold is honoured. One that is not held can be given by `givers` (their names by id, best
    first), and is `lost` when there is nobody. `student_overlap`: it is beside a session the student already has.
    """

    id: UUID
    course_id: UUID
    course_title_fr: str
    tutor_id: UUID
    tutor_display_name: str
    tutor_selection: TutorSelection
    start: datetime
    duration_min: int
    price_cad: Decimal
    hold_expires_at: datetime
    held: bool
    student_overlap: bool = False
    lost: bool = False
    givers: Mapping[UUID, str] = field(default_factory=dict, compare=False)

    @property
    def is_for_anyone(self) -> bool:
        """Whether any tutor of the course may give it."""
        return self.tutor_selection == "auto"

    @property
    def end(self) -> datetime:
        return self.start + timedelta(minutes=self.duration_min)

    def overlaps(self, other: "CartItem") -> bool:
        """Half-open intervals: adjacent sessions do not overlap (spec 2.6)."""
        return self.start < other.end and other.start < self.end

    def repeats(self, other: "CartItem") -> bool:
        """Whether this choice was made before: any tutor of the course again, or a tutor already given."""
        if (self.start, self.duration_min) != (other.start, other.duration_min):
            return False
        if self.tutor_selection == "auto":
            return other.tutor_selection == "auto" and self.course_id == other.course_id
        return self.tutor_id == other.tutor_id

    def collides_with(self, other: "CartItem") -> bool:
        """Two sessions of one cart may only overlap when both tutors were chosen and differ (UR-06)."""
        chosen_apart = (
            self.tutor_selection == other.tutor_selection == "explicit" and self.tutor_id != other.tutor_id
        )
        return self.overlaps(other) and not chosen_apart


@dataclass(frozen=True, slots=True)
class GivenUp:
    """A hold that stepped aside for a session that was paid for."""

    session_id: UUID
    id: UUID
    tutor_id: UUID
    starts: datetime
    ends: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Cart:
    """`credits_available` is what a student could pay with: the balance less what other payments have reserved."""

    id: UUID
    version: int
    coupon: Coupon | None = None
    items: Sequence[CartItem] = field(default_factory=tuple)
    credits_available: Decimal = money.ZERO

    def with_items(self, items: Iterable[CartItem]) -> "Cart":
        return replace(self, items=tuple(sorted(items, key=lambda item: (item.start, item.id))))

    @property
    def possible_tutors(self) -> set[UUID]:
        """Everyone who gives a session of it, or could."""
        return {tutor_id for item in self.items for tutor_id in (item.tutor_id, *item.givers)}

    @property
    def subtotal(self) -> Decimal:
        """What its sessions cost. Those that are lost are not counted."""
        return sum((item.price_cad for item in self.items if not item.lost), money.ZERO)

    def usable_coupon(self, now: datetime) -> Coupon | None:
        """The cart's coupon when it can be used at `now`."""
        if self.coupon is None:
            return None
        try:
            self.coupon.require_usable(now)
        except Refused:
            return None
        return self.coupon

    def discount(self, now: datetime) -> Decimal:
        coupon = self.usable_coupon(now)
        return coupon.discount_on(self.subtotal) if coupon else money.ZERO

    def require_room(self, max_holds: int, now: datetime) -> None:
        """Refuses with HOLD_LIMIT, until the first hold lapses, when the cart would hold more times than it may."""
        expiries = [item.hold_expires_at for item in self.items if item.held]
        if len(expiries) > max_holds:
            wait = ceil((min(expiries) - now).total_seconds())
            raise Refused("HOLD_LIMIT", facts={"max_holds": max_holds}, retry_after=wait)

    def require_room_for_all(self, max_holds: int) -> None:
        """Refuses with HOLD_LIMIT when the cart could not hold all of its sessions at once. Waiting does not help."""
        if len([item for item in self.items if not item.lost]) > max_holds:
            detail = (
                f"Un panier peut réserver au plus {max_holds} créneaux à la fois. Retirez-en avant de payer."
            )
            raise Refused("HOLD_LIMIT", detail, facts={"max_holds": max_holds})

    def receive(self, item: CartItem) -> "Cart":
        """The cart with one more session.

        The same session again is refused with ALREADY_IN_CART while it is held and replaced once its hold has
        lapsed; a colliding one is refused with OVERLAP. A lost session is in nobody's way.
        """
        twins = [twin for twin in self.items if item.repeats(twin)]
        if any(twin.held for twin in twins):
            raise Refused("ALREADY_IN_CART")
        others = [other for other in self.items if other not in twins]
        if any(item.collides_with(other) for other in others if not other.lost):
            raise Refused("OVERLAP")
        return self.with_items([*others, item])
