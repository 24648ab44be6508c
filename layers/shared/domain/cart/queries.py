"""The SQL of carts. A cart is found by its owner, never by an id from a request."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg import Connection, Cursor
from psycopg.rows import class_row, tuple_row

from domain.accounts.callers import Buyer
from domain.cart.cart import CartItem
from domain.ids import new_id


def open_cart(connection: Connection[Any], buyer: Buyer, now: datetime) -> Cursor[Any]:
    """The buyer's cart, created when missing, one version further, locked until the transaction ends."""
    parameters = {"id": new_id(), "owner": buyer.user_id or buyer.session_hash, "now": now}
    cursor = connection.cursor(row_factory=tuple_row)
    if buyer.user_id:
        return cursor.execute(
            """
            INSERT INTO carts (id, user_id, version, created_at, updated_at)
            VALUES (%(id)s, %(owner)s, 1, %(now)s, %(now)s)
            ON CONFLICT (user_id) DO UPDATE SET version = carts.version + 1, updated_at = %(now)s
            RETURNING id, version
            """,
            parameters,
        )
    return cursor.execute(
        """
        INSERT INTO carts (id, session_hash, version, created_at, updated_at)
        VALUES (%(id)s, %(owner)s, 1, %(now)s, %(now)s)
        ON CONFLICT (session_hash) DO UPDATE SET version = carts.version + 1, updated_at = %(now)s
        RETURNING id, version
        """,
        parameters,
    )


def create_cart(connection: Connection[Any], buyer: Buyer, now: datetime) -> None:
    """An empty cart, unless the buyer has one."""
    connection.execute(
        """
        INSERT INTO carts (id, user_id, session_hash, created_at, updated_at)
        VALUES (%(id)s, %(user_id)s, %(session_hash)s, %(now)s, %(now)s)
        ON CONFLICT DO NOTHING
        """,
        {"id": new_id(), "user_id": buyer.user_id, "session_hash": buyer.session_hash, "now": now},
    )


def lock_cart(connection: Connection[Any], buyer: Buyer) -> Cursor[Any]:
    """The buyer's cart, if there is one, locked until the transaction ends."""
    return connection.cursor(row_factory=tuple_row).execute(
        "SELECT id, version FROM carts WHERE user_id = %(user_id)s OR session_hash = %(session_hash)s FOR UPDATE",
        {"user_id": buyer.user_id, "session_hash": buyer.session_hash},
    )


def advance_version(connection: Connection[Any], cart_id: UUID, now: datetime) -> Cursor[Any]:
    return connection.cursor(row_factory=tuple_row).execute(
        "UPDATE carts SET version = version + 1, updated_at = %(now)s WHERE id = %(id)s RETURNING version",
        {"id": cart_id, "now": now},
    )


def select_cart(connection: Connection[Any], buyer: Buyer) -> Cursor[Any]:
    """The buyer's cart with its coupon, one row or none."""
    return connection.cursor(row_factory=tuple_row).execute(
        """
        SELECT carts.id, carts.version, coupons.id, coupons.code, coupons.type::text, coupons.value, coupons.starts_at,
               coupons.ends_at, coupons.max_redemptions, coupons.redemption_count, coupons.active
          FROM carts LEFT JOIN coupons ON coupons.id = carts.coupon_id
         WHERE carts.user_id = %(user_id)s OR carts.session_hash = %(session_hash)s
        """,
        {"user_id": buyer.user_id, "session_hash": buyer.session_hash},
    )


def select_items(connection: Connection[Any], buyer: Buyer, now: datetime) -> Cursor[CartItem]:
    """The items of the buyer's cart by start. A lapsed hold is lost when its time is taken or no longer taught."""
    return connection.cursor(row_factory=class_row(CartItem)).execute(
        """
        SELECT item.id, item.course_id, course.title_fr AS course_title_fr, item.tutor_id,
               tutor.display_name AS tutor_display_name, item.tutor_selection::text, item.start_datetime AS start,
               item.duration_min, item.line_total_cad AS price_cad, item.hold_expires_at,
               hold.id IS NOT NULL AS held,
               hold.id IS NULL AND (
                   NOT (course.active AND tutor.active AND coalesce(assignment.active, false))
                   OR EXISTS (
                       SELECT FROM time_claims AS other
                        WHERE other.tutor_id = item.tutor_id AND other.id <> item.id
                          AND other.during && tstzrange(item.start_datetime,
                                  item.start_datetime + make_interval(mins => item.duration_min::int))
                          AND (other.kind = 'appointment' OR other.expires_at > %(now)s))) AS lost
          FROM carts
          JOIN cart_items AS item ON item.cart_id = carts.id AND item.removed_at IS NULL
          JOIN courses AS course ON course.id = item.course_id
          JOIN tutors AS tutor ON tutor.id = item.tutor_id
          LEFT JOIN tutor_courses AS assignment
            ON assignment.tutor_id = item.tutor_id AND assignment.course_id = item.course_id
          LEFT JOIN time_claims AS hold
            ON hold.id = item.id AND hold.kind = 'hold' AND hold.expires_at > %(now)s
         WHERE carts.user_id = %(user_id)s OR carts.session_hash = %(session_hash)s
         ORDER BY item.start_datetime, item.id
        """,
        {"user_id": buyer.user_id, "session_hash": buyer.session_hash, "now": now},
    )


def insert_item(connection: Connection[Any], cart_id: UUID, item: CartItem, now: datetime) -> None:
    connection.execute(
        """
        INSERT INTO cart_items (id, cart_id, course_id, tutor_id, tutor_selection, start_datetime, duration_min,
                                unit_price_cad, line_total_cad, hold_expires_at, created_at)
        VALUES (%(id)s, %(cart_id)s, %(course_id)s, %(tutor_id)s, %(tutor_selection)s, %(start)s, %(duration_min)s,
                %(price_cad)s, %(price_cad)s, %(hold_expires_at)s, %(now)s)
        """,
        {
            "id": item.id,
            "cart_id": cart_id,
            "course_id": item.course_id,
            "tutor_id": item.tutor_id,
            "tutor_selection": item.tutor_selection,
            "start": item.start,
            "duration_min": item.duration_min,
            "price_cad": item.price_cad,
            "hold_expires_at": item.hold_expires_at,
            "now": now,
        },
    )


def find_item(connection: Connection[Any], buyer: Buyer, item_id: UUID) -> Cursor[Any]:
    """Whether the item is, or once was, in the buyer's cart: one row saying when it was removed, or none."""
    return connection.cursor(row_factory=tuple_row).execute(
        """
        SELECT item.removed_at FROM cart_items AS item JOIN carts ON carts.id = item.cart_id
         WHERE item.id = %(item_id)s AND (carts.user_id = %(user_id)s OR carts.session_hash = %(session_hash)s)
        """,
        {"item_id": item_id, "user_id": buyer.user_id, "session_hash": buyer.session_hash},
    )


def remove_items(connection: Connection[Any], ids: Iterable[UUID], now: datetime) -> None:
    connection.execute(
        "UPDATE cart_items SET removed_at = %(now)s WHERE id = ANY(%(ids)s) AND removed_at IS NULL",
        {"ids": list(ids), "now": now},
    )


def renew_holds(connection: Connection[Any], ids: Sequence[UUID], expires_at: datetime) -> None:
    """Items that were lost and held anew."""
    connection.execute(
        "UPDATE cart_items SET hold_expires_at = %(expires_at)s WHERE id = ANY(%(ids)s)",
        {"ids": list(ids), "expires_at": expires_at},
    )


def reprice_item(connection: Connection[Any], item_id: UUID, price_cad: Any) -> None:
    connection.execute(
        "UPDATE cart_items SET unit_price_cad = %(price)s, line_total_cad = %(price)s WHERE id = %(id)s",
        {"id": item_id, "price": price_cad},
    )


def set_coupon(connection: Connection[Any], buyer: Buyer, coupon_id: UUID | None) -> None:
    connection.execute(
        """
        UPDATE carts SET coupon_id = %(coupon_id)s
         WHERE user_id = %(user_id)s OR session_hash = %(session_hash)s
        """,
        {"coupon_id": coupon_id, "user_id": buyer.user_id, "session_hash": buyer.session_hash},
    )


def clear_coupon(connection: Connection[Any], cart_id: UUID) -> None:
    connection.execute("UPDATE carts SET coupon_id = NULL WHERE id = %(id)s", {"id": cart_id})
