"""Taking a session out of a cart, putting a coupon on it, taking it off."""

from collections.abc import Callable
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg import Connection

from domain.accounts.callers import Buyer
from domain.cart import queries
from domain.cart.cart import Cart
from domain.cart.models import CartView
from domain.cart.standing import judged
from domain.cart.view_cart import empty_view, find_cart, the_cart
from domain.carts import carts
from domain.coupons.coupons import find_coupon
from domain.errors import Refused
from domain.scheduling import claims


def remove_item(connection: Connection[Any], buyer: Buyer, item_id: UUID, now: datetime) -> CartView:
    """Take a session out of the cart and free its time at once. Doing it again changes nothing.

    Refuses with ITEM_NOT_FOUND what was never in the buyer's cart, whoever's it is.
    """
    with connection.pipeline(), connection.transaction():
        cart_answer = carts.lock_cart(connection, "tutoring", buyer)
        found = queries.find_item(connection, buyer, item_id)
        cart, item = cart_answer.fetchone(), found.fetchone()
        if cart is None or item is None:
            raise Refused("ITEM_NOT_FOUND")
        if item[0] is None:
            queries.remove_items(connection, [item_id], now)
            claims.release(connection, [item_id])
            carts.advance_version(connection, cart[0], now)
        cart = the_cart(queries.read_cart(connection, buyer, now))
        return CartView.of(judged(connection, cart, now), now)


def apply_coupon(
    connection: Connection[Any], buyer: Buyer, newcomer: Callable[[], Buyer], code: str, now: datetime
) -> tuple[CartView, Buyer]:
    """Put a coupon on the cart in place of any other; answers the cart and whose it is.

    Without a cart, one is made for the `newcomer`, as when sessions are added. Refuses with COUPON_INVALID, and why.
    """
    coupon = find_coupon(connection, "tutoring", buyer, code, now)
    with connection.pipeline(), connection.transaction():
        owner, cart = buyer, _with_coupon(connection, buyer, coupon.id, now)
        if cart is None:
            owner = newcomer()
            carts.create_cart(connection, "tutoring", owner, now)
            cart = _with_coupon(connection, owner, coupon.id, now)
        if cart is None:
            raise LookupError("cart")
        return CartView.of(judged(connection, cart, now), now), owner


def remove_coupon(connection: Connection[Any], buyer: Buyer, now: datetime) -> CartView:
    """Take the coupon off the cart; harmless when there is none, or no cart."""
    with connection.pipeline(), connection.transaction():
        cart = _with_coupon(connection, buyer, None, now)
        return CartView.of(judged(connection, cart, now), now) if cart else empty_view(connection, buyer, now)


def _with_coupon(
    connection: Connection[Any], owner: Buyer, coupon_id: UUID | None, now: datetime
) -> Cart | None:
    """The owner's cart, one version further, with that coupon or none; None when there is no cart."""
    carts.set_coupon(connection, "tutoring", owner, coupon_id, now)
    return find_cart(queries.read_cart(connection, owner, now))
