"""Reading a cart."""

from datetime import datetime
from typing import Any

from psycopg import Connection, Cursor

from domain.accounts.callers import Buyer
from domain.cart import queries
from domain.cart.cart import Cart, CartItem
from domain.cart.models import CartView
from domain.coupons.coupons import Coupon


def view_cart(connection: Connection[Any], buyer: Buyer, now: datetime) -> CartView:
    """The buyer's cart, created when missing. One round trip when it is there."""
    with connection.pipeline():
        cart_answer, items_answer = ask_cart(connection, buyer, now)
        row = cart_answer.fetchone()
        if row is None:
            queries.create_cart(connection, buyer, now)
            cart_answer, items_answer = ask_cart(connection, buyer, now)
            row = cart_answer.fetchone()
        return CartView.of(read_cart(row, items_answer), now)


def ask_cart(
    connection: Connection[Any], buyer: Buyer, now: datetime
) -> tuple[Cursor[Any], Cursor[CartItem]]:
    """Send for a cart and its items; `read_cart` takes the answers."""
    return queries.select_cart(connection, buyer), queries.select_items(connection, buyer, now)


def read_cart(row: Any, items_answer: Cursor[CartItem]) -> Cart:
    """The cart out of its row and the answer to `ask_cart`'s second question."""
    cart_id, version, *coupon = row
    return Cart(cart_id, version, Coupon(*coupon) if coupon[0] else None, tuple(items_answer))
