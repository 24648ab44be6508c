"""A guest turns out to have an account: what they chose goes to the account's cart (spec 5.3, X-51)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg import Connection

from domain.accounts.callers import Buyer
from domain.cart import queries
from domain.cart.cart import MAX_HOLDS, Cart, CartItem
from domain.cart.standing import judged
from domain.cart.view_cart import the_cart
from domain.carts import carts
from domain.scheduling import claims


@dataclass(frozen=True, slots=True)
class Meeting:
    """Two carts that are to become one."""

    guest: Cart
    own: Cart

    @property
    def guest_id(self) -> UUID:
        return self.guest.id

    @property
    def own_id(self) -> UUID:
        return self.own.id

    @property
    def brings_something(self) -> bool:
        return bool(self.guest.items or self.guest.coupon)

    @property
    def dropped(self) -> Sequence[CartItem]:
        """What has no place in the one cart.

        Of one tutor's time chosen twice, the choice that is less sure to be had; of two sessions that may not overlap
        (spec 2.6), the account's: the guest's is the more recent choice. What is lost is in no other's way.
        """
        repeated = [mine for mine in self.guest.items if self._is_kept_by_the_account(mine)]
        brought = [mine for mine in self.guest.items if mine not in repeated]
        in_the_way = [own for own in self.own.items if any(_cannot_both_stay(mine, own) for mine in brought)]
        return [*repeated, *in_the_way]

    def coupon_id(self, now: datetime) -> UUID | None:
        """The coupon of the one cart: the account's when it can be used, else the guest's, else none.

        One that cannot be used does not come along: it would only keep the cart from being paid.
        """
        coupon = self.own.usable_coupon(now) or self.guest.usable_coupon(now)
        return coupon.id if coupon else None

    def beyond(self, max_holds: int) -> Sequence[CartItem]:
        """The held sessions of the one cart that would be more than it may hold: the guest's are the last to go."""
        dropped = self.dropped
        held = [item for item in (*self.guest.items, *self.own.items) if item.held and item not in dropped]
        return held[max_holds:]

    def _is_kept_by_the_account(self, mine: CartItem) -> bool:
        """Whether the account's choice of the very time is surer than the guest's, and will stay."""
        others = [other for other in self.guest.items if other is not mine]
        return any(
            _sureness(own) > _sureness(mine)
            and _is_one_time(mine, own)
            and not any(_cannot_both_stay(other, own) for other in others)
            for own in self.own.items
        )


def meet(connection: Connection[Any], guest: Buyer, student: Buyer, now: datetime) -> Meeting | None:
    """The guest's cart and the student's, the latter made when missing, both locked until the transaction ends.

    None when the guest has no cart: never had one, or another sign-in has merged it.
    """
    carts.create_student_cart(connection, "tutoring", guest, student, now)
    if (True,) not in carts.lock_both(connection, "tutoring", guest, student).fetchall():
        return None
    return Meeting(
        guest=judged(connection, the_cart(queries.read_cart(connection, guest, now)), now),
        own=judged(connection, the_cart(queries.read_cart(connection, student, now)), now),
    )


def merge(connection: Connection[Any], meeting: Meeting, now: datetime, max_holds: int = MAX_HOLDS) -> None:
    """Move the guest's sessions with their holds, drop what has no place and free its time, delete the guest's cart.

    Holds beyond `max_holds` lapse at once; their sessions stay. A claim is its session's, whoever's cart that is in, so
    the other holds need no change and expire when they would have.
    """
    dropped = [item.id for item in meeting.dropped]
    queries.remove_items(connection, dropped, now)
    claims.release(connection, dropped)
    lapsing = [item.id for item in meeting.beyond(max_holds)]
    queries.lapse_holds(connection, lapsing, now)
    claims.release(connection, lapsing)
    queries.move_items(connection, meeting.guest.id, meeting.own.id)
    if meeting.brings_something:
        carts.put_coupon_on(connection, meeting.own.id, meeting.coupon_id(now))
        carts.advance_version(connection, meeting.own.id, now)
    carts.delete_cart(connection, meeting.guest.id)


def _is_one_time(one: CartItem, other: CartItem) -> bool:
    return (one.tutor_id, one.start) == (other.tutor_id, other.start)


def _cannot_both_stay(mine: CartItem, own: CartItem) -> bool:
    return _is_one_time(mine, own) or (mine.collides_with(own) and not mine.lost and not own.lost)


def _sureness(item: CartItem) -> int:
    """A session that is held is surer to be had than one that could be, and that one than a lost one."""
    return 2 if item.held else 0 if item.lost else 1
