"""The SQL of carts. A cart is found by its product and its owner, never by an id from a request."""

from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg import Connection, Cursor
from psycopg.rows import tuple_row

from domain.accounts.callers import Buyer
from domain.ids import new_id
from domain.product import Product


def create_cart(connection: Connection[Any], product: Product, buyer: Buyer, now: datetime) -> None:
    """An empty cart, unless the buyer has one."""
    connection.execute(
        """
        INSERT INTO carts (id, product, user_id, session_hash, created_at, updated_at)
        VALUES (%(id)s, %(product)s, %(user_id)s, %(session_hash)s, %(now)s, %(now)s)
        ON CONFLICT DO NOTHING
        """,
        {
            "id": new_id(),
            "product": product,
            "user_id": buyer.user_id,
            "session_hash": buyer.session_hash,
            "now": now,
        },
    )


def lock_cart(connection: Connection[Any], product: Product, buyer: Buyer) -> Cursor[Any]:
    """The id and version of the buyer's cart, if there is one, locked until the transaction ends."""
    return connection.cursor(row_factory=tuple_row).execute(
        """
        SELECT id, version FROM carts
         WHERE id = find_cart(%(product)s, %(user_id)s, %(session_hash)s) FOR UPDATE
        """,
        {"product": product, "user_id": buyer.user_id, "session_hash": buyer.session_hash},
    )


def advance_version(connection: Connection[Any], cart_id: UUID, now: datetime) -> Cursor[Any]:
    """The cart has changed: whatever it is being paid with is withdrawn (0021). Answers its new version."""
    return connection.cursor(row_factory=tuple_row).execute(
        "UPDATE carts SET version = version + 1, updated_at = %(now)s WHERE id = %(id)s RETURNING version",
        {"id": cart_id, "now": now},
    )


def set_coupon(
    connection: Connection[Any], product: Product, buyer: Buyer, coupon_id: UUID | None, now: datetime
) -> None:
    """Put a coupon on the buyer's cart, if there is one, in place of any other; it is one version further.

    Nothing changes when it is on the cart already.
    """
    connection.execute(
        """
        UPDATE carts SET coupon_id = %(coupon_id)s, version = version + 1, updated_at = %(now)s
         WHERE id = find_cart(%(product)s, %(user_id)s, %(session_hash)s)
           AND coupon_id IS DISTINCT FROM %(coupon_id)s
        """,
        {
            "product": product,
            "coupon_id": coupon_id,
            "user_id": buyer.user_id,
            "session_hash": buyer.session_hash,
            "now": now,
        },
    )


def put_coupon_on(connection: Connection[Any], cart_id: UUID, coupon_id: UUID | None) -> None:
    connection.execute(
        "UPDATE carts SET coupon_id = %(coupon_id)s WHERE id = %(id)s",
        {"id": cart_id, "coupon_id": coupon_id},
    )


def clear_coupon(connection: Connection[Any], cart_id: UUID, coupon_id: UUID | None) -> None:
    """Take that coupon off the cart, if it is on it."""
    connection.execute(
        "UPDATE carts SET coupon_id = NULL WHERE id = %(id)s AND coupon_id = %(coupon_id)s",
        {"id": cart_id, "coupon_id": coupon_id},
    )


def create_student_cart(
    connection: Connection[Any], product: Product, guest: Buyer, student: Buyer, now: datetime
) -> None:
    """An empty cart for a student who has none, if there is a guest's to merge into it."""
    connection.execute(
        """
        INSERT INTO carts (id, product, user_id, created_at, updated_at)
        SELECT %(id)s, product, %(user_id)s, %(now)s, %(now)s FROM carts
         WHERE session_hash = %(session_hash)s AND product = %(product)s
        ON CONFLICT (user_id, product) DO NOTHING
        """,
        {
            "id": new_id(),
            "product": product,
            "user_id": student.user_id,
            "session_hash": guest.session_hash,
            "now": now,
        },
    )


def lock_both(connection: Connection[Any], product: Product, guest: Buyer, student: Buyer) -> Cursor[Any]:
    """Two carts locked until the transaction ends, by id so that nobody waits in a circle.

    A row for each that there is: whether it is the guest's.
    """
    return connection.cursor(row_factory=tuple_row).execute(
        """
        SELECT user_id IS NULL FROM carts
         WHERE (user_id = %(user_id)s OR session_hash = %(session_hash)s) AND product = %(product)s
         ORDER BY id FOR UPDATE
        """,
        {"product": product, "user_id": student.user_id, "session_hash": guest.session_hash},
    )


def delete_cart(connection: Connection[Any], cart_id: UUID) -> None:
    connection.execute("DELETE FROM carts WHERE id = %(id)s", {"id": cart_id})
