"""The SQL of trainings in a cart. The cart itself is `domain.carts`'s."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from psycopg import Connection, Cursor
from psycopg.rows import dict_row, tuple_row

from domain.accounts.callers import Buyer
from domain.coupons.coupons import Coupon
from domain.ids import new_id
from domain.training.cart import TrainingCart, TrainingLine

LINE = (
    "item_id",
    "training_id",
    "slug",
    "title_fr",
    "category_slug",
    "category_name_fr",
    "shown_cad",
    "price_cad",
    "access_days",
    "published",
    "enrolled",
    "takes_coupon",
)
"""The columns of `training_cart_row` (0044) that are a TrainingLine, in its order."""


@dataclass(frozen=True, slots=True)
class WantedTraining:
    """A published training as it would be put in a cart; `enrolled` says that the buyer follows it already."""

    id: UUID
    price_cad: Decimal
    enrolled: bool


def read_cart(connection: Connection[Any], buyer: Buyer, now: datetime) -> Cursor[dict[str, Any]]:
    """The rows of the buyer's cart as it stands; none when there is no cart."""
    return connection.cursor(row_factory=dict_row).execute(
        "SELECT * FROM cart_of_trainings(find_cart('training', %(user_id)s, %(session_hash)s), %(now)s)",
        {"user_id": buyer.user_id, "session_hash": buyer.session_hash, "now": now},
    )


def cart_in(rows: Sequence[Mapping[str, Any]]) -> TrainingCart | None:
    """The cart out of its rows; None when there are none."""
    if not rows:
        return None
    first = rows[0]
    coupon = Coupon(
        id=first["coupon_id"],
        code=first["code"],
        type=first["coupon_type"],
        value=first["value"],
        starts_at=first["starts_at"],
        ends_at=first["ends_at"],
        max_redemptions=first["max_redemptions"],
        uses_taken=first["uses_taken"],
        active=first["coupon_active"],
        product="training",
        max_per_person=first["max_per_person"],
        uses_by_person=first["uses_by_person"],
    )
    lines = [TrainingLine(*(row[name] for name in LINE)) for row in rows if row["item_id"]]
    return TrainingCart(
        first["cart_id"], first["version"], coupon if first["coupon_id"] else None, tuple(lines)
    )


def look_before_adding(
    connection: Connection[Any], training_id: UUID, buyer: Buyer, now: datetime
) -> tuple[WantedTraining | None, TrainingCart | None]:
    """A training if it is published, and the buyer's cart if there is one, in one round trip."""
    rows = (
        connection.cursor(row_factory=dict_row)
        .execute(
            """
            SELECT wanted.*, cart.*
              FROM (SELECT) AS always
              LEFT JOIN (SELECT training.id AS wanted_id, training.price_cad AS wanted_price,
                                EXISTS (SELECT FROM enrolments AS own
                                         WHERE own.user_id = %(user_id)s AND own.training_id = training.id
                                           AND own.revoked_at IS NULL
                                           AND own.during @> %(now)s::timestamptz) AS wanted_is_enrolled
                           FROM trainings AS training
                          WHERE training.id = %(id)s AND training.state = 'published') AS wanted ON true
              LEFT JOIN cart_of_trainings(find_cart('training', %(user_id)s, %(session_hash)s), %(now)s) AS cart
                ON true
            """,
            {
                "id": training_id,
                "user_id": buyer.user_id,
                "session_hash": buyer.session_hash,
                "now": now,
            },
        )
        .fetchall()
    )
    first = rows[0]
    wanted = WantedTraining(first["wanted_id"], first["wanted_price"], first["wanted_is_enrolled"])
    return wanted if first["wanted_id"] else None, cart_in([row for row in rows if row["cart_id"]])


def put_in_cart(
    connection: Connection[Any], owner: Buyer, wanted: WantedTraining, now: datetime
) -> Cursor[dict[str, Any]]:
    """The training in its owner's cart, made when missing: its rows after; none when it was there already (0044)."""
    return connection.cursor(row_factory=dict_row).execute(
        """
        SELECT * FROM put_training_in_cart(%(cart_id)s, %(user_id)s, %(session_hash)s, %(item_id)s, %(training_id)s,
                                           %(price)s, %(now)s)
        """,
        {
            "cart_id": new_id(),
            "user_id": owner.user_id,
            "session_hash": owner.session_hash,
            "item_id": new_id(),
            "training_id": wanted.id,
            "price": wanted.price_cad,
            "now": now,
        },
    )


def find_item(connection: Connection[Any], buyer: Buyer, item_id: UUID) -> Cursor[Any]:
    """Whether the item is, or once was, in the buyer's cart: one row saying when it was removed, or none."""
    return connection.cursor(row_factory=tuple_row).execute(
        """
        SELECT item.removed_at FROM cart_trainings AS item
         WHERE item.id = %(item_id)s AND item.cart_id = find_cart('training', %(user_id)s, %(session_hash)s)
        """,
        {"item_id": item_id, "user_id": buyer.user_id, "session_hash": buyer.session_hash},
    )


def remove_items(connection: Connection[Any], ids: Iterable[UUID], now: datetime) -> None:
    connection.execute(
        "UPDATE cart_trainings SET removed_at = %(now)s WHERE id = ANY(%(ids)s) AND removed_at IS NULL",
        {"ids": list(ids), "now": now},
    )


def show_prices(connection: Connection[Any], prices: Mapping[UUID, Decimal]) -> None:
    """Items, by id, have been shown with these prices."""
    connection.execute(
        """
        UPDATE cart_trainings SET shown_cad = now.price
          FROM unnest(%(ids)s::uuid[], %(prices)s::numeric[]) AS now (id, price) WHERE cart_trainings.id = now.id
        """,
        {"ids": list(prices), "prices": list(prices.values())},
    )


def remove_sold(
    connection: Connection[Any], cart_id: UUID, training_ids: Iterable[UUID], now: datetime
) -> None:
    """Trainings that were paid for leave a locked cart, whichever of its lines asks for them now."""
    connection.execute(
        """
        UPDATE cart_trainings SET removed_at = %(now)s
         WHERE cart_id = %(cart_id)s AND training_id = ANY(%(training_ids)s) AND removed_at IS NULL
        """,
        {"cart_id": cart_id, "training_ids": list(training_ids), "now": now},
    )


def move_items(connection: Connection[Any], from_cart: UUID, to_cart: UUID) -> None:
    """Those taken out earlier as well, so that taking them out again stays harmless."""
    connection.execute(
        "UPDATE cart_trainings SET cart_id = %(to_cart)s WHERE cart_id = %(from_cart)s",
        {"from_cart": from_cart, "to_cart": to_cart},
    )
