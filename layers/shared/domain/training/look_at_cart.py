"""Looking at a cart of trainings: prices are read again, and what cannot be bought any more leaves it with a notice."""

from datetime import datetime
from typing import Any

from psycopg import Connection

from domain.accounts.callers import Buyer
from domain.carts import carts
from domain.training import cart_queries as queries
from domain.training.cart import Notice, TrainingCart
from domain.training.cart_models import TrainingCartView
from domain.transactions import retried_on_deadlock


def view_cart(connection: Connection[Any], buyer: Buyer, now: datetime) -> TrainingCartView:
    """The buyer's cart as it is now. One round trip when nothing has changed since it was last shown."""
    cart = find_cart(connection, buyer, now)
    if cart is None or not cart.notices:
        return TrainingCartView.of(cart, now)
    renewed, notices = _renew_alone(connection, buyer, now)
    return TrainingCartView.of(renewed, now, notices)


def find_cart(connection: Connection[Any], buyer: Buyer, now: datetime) -> TrainingCart | None:
    return queries.cart_in(queries.read_cart(connection, buyer, now).fetchall())


@retried_on_deadlock
def _renew_alone(
    connection: Connection[Any], buyer: Buyer, now: datetime
) -> tuple[TrainingCart | None, list[Notice]]:
    """In a transaction of its own, so that of two looks one is told."""
    with connection.transaction():
        carts.lock_cart(connection, "training", buyer)
        cart = find_cart(connection, buyer, now)
        if cart is None:
            return None, []
        notices = renew(connection, cart, now)
        return find_cart(connection, buyer, now), notices


def renew(connection: Connection[Any], cart: TrainingCart, now: datetime) -> list[Notice]:
    """Bring a locked cart up to date; answers what its owner has to be told. It is one version further then."""
    notices = cart.notices
    if notices:
        gone = [notice.line.id for notice in notices if not notice.line.can_be_bought]
        queries.remove_items(connection, gone, now)
        queries.show_prices(connection, {line.id: line.price_cad for line in cart.lines})
        carts.advance_version(connection, cart.id, now)
    return notices
