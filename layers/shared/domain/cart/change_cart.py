"""Taking a session out of a cart, putting a coupon on it, taking it off."""

from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg import Connection

from domain.accounts.callers import Buyer
from domain.cart import queries
from domain.cart.models import CartView
from domain.cart.standing import judged
from domain.cart.view_cart import the_cart
from domain.coupons.coupons import find_coupon
from domain.errors import Refused
from domain.scheduling import claims


def remove_item(connection: Connection[Any], buyer: Buyer, item_id: UUID, now: datetime) -> CartView:
    """Take a session out of the cart and free its time at once. Doing it again changes nothing.

    Refuses with ITEM_NOT_FOUND what was never in the buyer's cart, whoever's it is.
    """
    with connection.pipeline(), connection.transaction():
        cart_answer = queries.lock_cart(connection, buyer)
        found = queries.find_item(connection, buyer, item_id)
        cart, item = cart_answer.fetchone(), found.fetchone()
        if cart is None or item is None:
            raise Refused("ITEM_NOT_FOUND")
        if item[0] is None:
            queries.remove_items(connection, [item_id], now)
            claims.release(connection, [item_id])
            queries.advance_version(connection, cart[0], now)
        cart = the_cart(queries.read_cart(connection, buyer, now))
        return CartView.of(judged(connection, cart, now), now)


def apply_coupon(connection: Connection[Any], buyer: Buyer, code: str, now: datetime) -> CartView:
    """Put a coupon on the cart in place of any other. Refuses with COUPON_INVALID and the reason."""
    coupon = find_coupon(connection, buyer, code, now)
    return _set_coupon(connection, buyer, coupon.id, now)


def remove_coupon(connection: Connection[Any], buyer: Buyer, now: datetime) -> CartView:
    """Take the coupon off the cart; harmless when there is none."""
    return _set_coupon(connection, buyer, None, now)


def _set_coupon(connection: Connection[Any], buyer: Buyer, coupon_id: UUID | None, now: datetime) -> CartView:
    with connection.pipeline(), connection.transaction():
        queries.open_cart(connection, buyer, now)
        queries.set_coupon(connection, buyer, coupon_id)
        cart = the_cart(queries.read_cart(connection, buyer, now))
        return CartView.of(judged(connection, cart, now), now)
