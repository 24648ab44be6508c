"""Putting trainings in a cart, taking them out, and its coupon."""

from collections.abc import Callable
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg import Connection

from domain.accounts.callers import Buyer
from domain.carts import carts
from domain.coupons.coupons import find_coupon
from domain.coupons.wording import coupon_invalid
from domain.errors import Refused
from domain.training import cart_queries as queries
from domain.training.cart import TrainingCart
from domain.training.cart_models import TrainingCartView
from domain.training.look_at_cart import find_cart, renew, view_cart
from domain.transactions import retried_on_deadlock

MOST_LINES = 20
"""How many trainings a cart holds at most: a card is charged for that many at once."""


@retried_on_deadlock
def add_training(
    connection: Connection[Any],
    buyer: Buyer,
    newcomer: Callable[[], Buyer],
    training_id: UUID,
    now: datetime,
) -> tuple[TrainingCartView, Buyer]:
    """Put a training in the cart; answers it and whose it is.

    Without a cart, one is made for the `newcomer`. Refuses with TRAINING_NOT_FOUND, ALREADY_ENROLLED, ALREADY_IN_CART,
    CART_FULL.
    """
    wanted, before = queries.look_before_adding(connection, training_id, buyer, now)
    if wanted is None:
        raise Refused("TRAINING_NOT_FOUND")
    if wanted.enrolled:
        raise Refused("ALREADY_ENROLLED")
    if before and before.holds(training_id):
        raise Refused("ALREADY_IN_CART")
    if before and len(before.lines) >= MOST_LINES:
        raise Refused("CART_FULL", facts={"max_items": MOST_LINES})
    owner = buyer if before else newcomer()
    after = queries.cart_in(queries.put_in_cart(connection, owner, wanted, now).fetchall())
    if after is None:
        raise Refused("ALREADY_IN_CART")
    return (view_cart(connection, owner, now) if after.notices else TrainingCartView.of(after, now)), owner


@retried_on_deadlock
def remove_training(
    connection: Connection[Any], buyer: Buyer, item_id: UUID, now: datetime
) -> TrainingCartView:
    """Take a training out of the cart. Doing it again changes nothing.

    Refuses with ITEM_NOT_FOUND what was never in the buyer's cart, whoever's it is.
    """
    with connection.pipeline(), connection.transaction():
        cart_answer = carts.lock_cart(connection, "training", buyer)
        found = queries.find_item(connection, buyer, item_id)
        cart, item = cart_answer.fetchone(), found.fetchone()
        if cart is None or item is None:
            raise Refused("ITEM_NOT_FOUND")
        if item[0] is None:
            queries.remove_items(connection, [item_id], now)
            carts.advance_version(connection, cart[0], now)
        return _shown(connection, buyer, now)


@retried_on_deadlock
def apply_coupon(
    connection: Connection[Any], buyer: Buyer, newcomer: Callable[[], Buyer], code: str, now: datetime
) -> tuple[TrainingCartView, Buyer]:
    """Put a coupon on the cart in place of any other; answers the cart and whose it is.

    Without a cart, one is made for the `newcomer`. Refuses with COUPON_INVALID and the reason.
    """
    coupon = find_coupon(connection, "training", buyer, code, now)
    with connection.transaction():
        owner = buyer
        if carts.lock_cart(connection, "training", buyer).fetchone() is None:
            owner = newcomer()
            carts.create_cart(connection, "training", owner, now)
        carts.set_coupon(connection, "training", owner, coupon.id, now)
        cart = find_cart(connection, owner, now)
        if cart and (reason := cart.coupon_unusable_because(now)):
            raise coupon_invalid("training", reason)
        return _shown(connection, owner, now, cart), owner


@retried_on_deadlock
def remove_coupon(connection: Connection[Any], buyer: Buyer, now: datetime) -> TrainingCartView:
    """Take the coupon off the cart; harmless when there is none, or no cart."""
    with connection.transaction():
        carts.lock_cart(connection, "training", buyer)
        carts.set_coupon(connection, "training", buyer, None, now)
        return _shown(connection, buyer, now)


def _shown(
    connection: Connection[Any], buyer: Buyer, now: datetime, cart: TrainingCart | None = None
) -> TrainingCartView:
    """A locked cart, brought up to date, as its owner sees it."""
    cart = cart or find_cart(connection, buyer, now)
    notices = renew(connection, cart, now) if cart else []
    return TrainingCartView.of(find_cart(connection, buyer, now) if notices else cart, now, notices)
