"""Reading a cart."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from psycopg import Connection, Cursor

from domain import money
from domain.accounts.callers import Buyer
from domain.cart import queries
from domain.cart.cart import Cart, CartItem
from domain.cart.models import CartView
from domain.cart.standing import judged
from domain.coupons.coupons import Coupon
from domain.ids import new_id

COUPON = slice(2, 11)
ITEM = slice(11, 23)
CREDITS = 23


def view_cart(connection: Connection[Any], buyer: Buyer, now: datetime) -> CartView:
    """The buyer's cart. One round trip when it is there and every hold of it stands."""
    cart = find_cart(queries.read_cart(connection, buyer, now))
    return CartView.of(judged(connection, cart, now), now) if cart else empty_view(connection, buyer, now)


def empty_view(connection: Connection[Any], buyer: Buyer, now: datetime) -> CartView:
    """What a buyer who has no cart sees; none is made."""
    return CartView.of(no_cart(connection, buyer), now).model_copy(update={"id": None})


def no_cart(connection: Connection[Any], buyer: Buyer) -> Cart:
    """The cart of a buyer who has none yet, with an id for when it is made."""
    if buyer.user_id is None:
        return Cart(new_id(), version=0)
    row = queries.find_credits(connection, buyer.user_id).fetchone()
    return Cart(new_id(), version=0, credits_available=row[0] if row else money.ZERO)


def find_cart(answer: Iterable[Any]) -> Cart | None:
    """The cart out of the rows of `cart_as_it_stands` (0022), or None when there are none."""
    rows = list(answer)
    if not rows:
        return None
    cart_id, version, *_ = rows[0]
    coupon_id, *_ = coupon = rows[0][COUPON]
    items = tuple(CartItem(*row[ITEM]) for row in rows if row[ITEM][0] is not None)
    credits_available = rows[0][CREDITS]
    return Cart(
        cart_id,
        version,
        Coupon(*coupon) if coupon_id else None,
        items,
        money.ZERO if credits_available is None else credits_available,
    )


def the_cart(answer: Cursor[Any]) -> Cart:
    """The cart out of rows that must be there: it was just made or locked."""
    cart = find_cart(answer)
    if cart is None:
        raise LookupError("cart")
    return cart
