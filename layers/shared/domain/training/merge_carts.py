"""A guest turns out to have an account: the trainings they chose go to the account's cart, but those it follows."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg import Connection

from domain.accounts.callers import Buyer
from domain.carts import carts
from domain.training import cart_queries as queries
from domain.training.cart import TrainingCart, TrainingLine
from domain.training.look_at_cart import find_cart


@dataclass(frozen=True, slots=True)
class TwoTrainingCarts:
    """The guest's cart and the student's, locked."""

    guest: TrainingCart
    own: TrainingCart

    @property
    def guest_id(self) -> UUID:
        return self.guest.id

    @property
    def own_id(self) -> UUID:
        return self.own.id

    @property
    def brings_something(self) -> bool:
        return bool(self.guest.lines or self.guest.coupon)

    @property
    def dropped(self) -> Sequence[TrainingLine]:
        """What the account's cart holds already."""
        return [line for line in self.guest.lines if self.own.holds(line.training_id)]

    def coupon_id(self, now: datetime) -> UUID | None:
        """The coupon of the one cart: the account's when it can be used, else the guest's, else none."""
        for coupon in (self.own.coupon, self.guest.coupon):
            if coupon and coupon.unusable_because(now) is None:
                return coupon.id
        return None


def meet(connection: Connection[Any], guest: Buyer, student: Buyer, now: datetime) -> TwoTrainingCarts | None:
    """Both carts, the student's made when missing, locked until the transaction ends; None without a guest's."""
    carts.create_student_cart(connection, "training", guest, student, now)
    if (True,) not in carts.lock_both(connection, "training", guest, student).fetchall():
        return None
    theirs, own = find_cart(connection, guest, now), find_cart(connection, student, now)
    if theirs is None or own is None:
        raise LookupError("a locked cart")
    return TwoTrainingCarts(theirs, own)


def merge(connection: Connection[Any], two: TwoTrainingCarts, now: datetime) -> None:
    """Move the guest's trainings, drop what is there twice, delete the guest's cart.

    What the account follows already leaves the cart at its next look, which says so.
    """
    queries.remove_items(connection, [line.id for line in two.dropped], now)
    queries.move_items(connection, two.guest.id, two.own.id)
    if two.brings_something:
        carts.put_coupon_on(connection, two.own.id, two.coupon_id(now))
        carts.advance_version(connection, two.own.id, now)
    carts.delete_cart(connection, two.guest.id)
