"""The SQL of sessions in a cart. The cart itself is `domain.carts`'s."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import date, datetime
from typing import Any
from uuid import UUID

from psycopg import Connection, Cursor
from psycopg.rows import class_row, tuple_row

from domain.accounts.callers import Buyer
from domain.cart.cart import GivenUp
from domain.catalog.timetable import as_list, window
from domain.scheduling.claims import HOLD_TTL


def read_cart(connection: Connection[Any], buyer: Buyer, now: datetime) -> Cursor[Any]:
    """The buyer's cart as it stands, a row per session (0022); no row when there is none."""
    return connection.cursor(row_factory=tuple_row, binary=True).execute(
        "SELECT * FROM cart_as_it_stands(find_cart('tutoring', %(user_id)s, %(session_hash)s), %(now)s)",
        {"user_id": buyer.user_id, "session_hash": buyer.session_hash, "now": now},
    )


def look_around(
    connection: Connection[Any],
    buyer: Buyer,
    course_ids: Iterable[UUID],
    first: date,
    last: date,
    now: datetime,
) -> Cursor[Any]:
    """A row per tutor of these courses, as `timetables` has them (0008), and then the rows of `read_cart`."""
    return connection.cursor(row_factory=tuple_row, binary=True).execute(
        """
        SELECT *
          FROM timetables(string_to_array(%(course_ids)s, ',')::uuid[],
                          %(first)s, %(end)s, %(from)s, %(to)s, %(now)s)
          FULL JOIN cart_as_it_stands(find_cart('tutoring', %(user_id)s, %(session_hash)s), %(now)s) ON false
        """,
        {
            "course_ids": as_list(course_ids),
            **window(first, last, now),
            "user_id": buyer.user_id,
            "session_hash": buyer.session_hash,
        },
    )


def find_credits(connection: Connection[Any], user_id: UUID) -> Cursor[Any]:
    """What a student without a cart could pay with, in CAD; no row when they never had credit."""
    return connection.cursor(row_factory=tuple_row).execute(
        "SELECT credits_available(account, NULL) FROM credit_accounts AS account WHERE user_id = %(user_id)s",
        {"user_id": user_id},
    )


def put_in_cart(
    connection: Connection[Any],
    buyer: Buyer,
    cart_id: UUID,
    version: int | None,
    wanted: Sequence[Mapping[str, Any]],
    replaced: Iterable[UUID],
    now: datetime,
) -> Cursor[Any]:
    """Hold the wanted sessions and put them in the cart, or change nothing (0004, 0022).

    A row per session with the tutor who gives it, and whether it is beside one that the student already has; none
    when a time cannot be had; one without ids when the cart is no longer of that version. Without a version it is made.
    """
    return connection.cursor(row_factory=tuple_row, binary=True).execute(
        """
        SELECT * FROM put_in_cart_beside(%(cart_id)s, %(version)s, %(user_id)s, %(session_hash)s, %(wanted)s::jsonb,
                                         %(replaced)s::jsonb, %(expires_at)s, %(now)s)
        """,
        {
            "cart_id": cart_id,
            "version": version,
            "user_id": buyer.user_id,
            "session_hash": buyer.session_hash,
            "wanted": json.dumps(wanted, default=str),
            "replaced": json.dumps([str(item_id) for item_id in replaced]),
            "expires_at": now + HOLD_TTL,
            "now": now,
        },
    )


def find_item(connection: Connection[Any], buyer: Buyer, item_id: UUID) -> Cursor[Any]:
    """Whether the item is, or once was, in the buyer's cart: one row saying when it was removed, or none."""
    return connection.cursor(row_factory=tuple_row).execute(
        """
        SELECT item.removed_at FROM cart_sessions AS item JOIN carts ON carts.id = item.cart_id
         WHERE item.id = %(item_id)s AND (carts.user_id = %(user_id)s OR carts.session_hash = %(session_hash)s)
        """,
        {"item_id": item_id, "user_id": buyer.user_id, "session_hash": buyer.session_hash},
    )


def remove_items(connection: Connection[Any], ids: Iterable[UUID], now: datetime) -> None:
    connection.execute(
        "UPDATE cart_sessions SET removed_at = %(now)s WHERE id = ANY(%(ids)s) AND removed_at IS NULL",
        {"ids": list(ids), "now": now},
    )


def take_same_sessions(
    connection: Connection[Any],
    cart_id: UUID | None,
    sessions: Sequence[Mapping[str, Any]],
    sold_ids: Sequence[UUID],
    now: datetime,
) -> Cursor[Any]:
    """Take out of a locked cart what asks for the same sessions as these, the sold items themselves apart.

    A session that is an appointment already, be it cancelled since, asks for nothing. Their holds are released.
    A row for each that was live, with an active tutor: the session's id, the tutor's id.
    """
    return connection.cursor(row_factory=tuple_row).execute(
        """
        WITH same AS (
            UPDATE cart_sessions AS item SET removed_at = %(now)s
              FROM jsonb_to_recordset(%(sessions)s::jsonb) AS session
                   (id uuid, course_id uuid, start timestamptz, duration_min smallint, tutor_id uuid)
             WHERE item.cart_id = %(cart_id)s AND item.removed_at IS NULL AND item.id <> ALL (%(sold_ids)s)
               AND item.course_id = session.course_id AND item.start_datetime = session.start
               AND item.duration_min = session.duration_min
               AND (session.tutor_id IS NULL OR item.tutor_id = session.tutor_id)
               AND NOT EXISTS (SELECT FROM appointments WHERE appointments.id = session.id)
            RETURNING session.id, item.id AS item_id),
        released AS (
            DELETE FROM time_claims USING same WHERE time_claims.id = same.item_id AND time_claims.kind = 'hold'
            RETURNING same.id, time_claims.tutor_id, time_claims.expires_at)
        SELECT released.id, released.tutor_id
          FROM released JOIN tutors ON tutors.id = released.tutor_id AND tutors.active
         WHERE released.expires_at > %(now)s
        """,
        {
            "cart_id": cart_id,
            "sessions": json.dumps(sessions, default=str),
            "sold_ids": list(sold_ids),
            "now": now,
        },
    )


def lapse_overlapping(
    connection: Connection[Any],
    cart_id: UUID | None,
    sessions: Sequence[Mapping[str, Any]],
    sold_ids: Sequence[UUID],
    now: datetime,
) -> Cursor[GivenUp]:
    """Give up the holds of a locked cart on times of the tutors of these sessions; the items stay.

    A session that is an appointment already, be it cancelled since, asks for none.
    """
    return connection.cursor(row_factory=class_row(GivenUp)).execute(
        """
        WITH released AS (
            DELETE FROM time_claims AS hold
             USING cart_sessions AS item,
                   jsonb_to_recordset(%(sessions)s::jsonb) AS session
                   (id uuid, start timestamptz, duration_min smallint, frozen_with uuid)
             WHERE item.cart_id = %(cart_id)s AND item.removed_at IS NULL AND item.id <> ALL (%(sold_ids)s)
               AND hold.id = item.id AND hold.kind = 'hold' AND hold.tutor_id = session.frozen_with
               AND hold.during && tstzrange(session.start,
                                            session.start + make_interval(mins => session.duration_min::int))
               AND NOT EXISTS (SELECT FROM appointments WHERE appointments.id = session.id)
            RETURNING session.id AS session_id, hold.id, hold.tutor_id, lower(hold.during) AS starts,
                      upper(hold.during) AS ends, hold.expires_at),
        lapsed AS (
            UPDATE cart_sessions SET hold_expires_at = least(hold_expires_at, %(now)s) FROM released
             WHERE cart_sessions.id = released.id)
        SELECT * FROM released
        """,
        {
            "cart_id": cart_id,
            "sessions": json.dumps(sessions, default=str),
            "sold_ids": list(sold_ids),
            "now": now,
        },
    )


def hold_as_before(connection: Connection[Any], holds: Sequence[GivenUp]) -> None:
    """Take the same holds again, until when they were taken for; one whose time is somebody's stays given up."""
    for hold in holds:
        connection.execute(
            """
            WITH again AS (
                INSERT INTO time_claims (id, tutor_id, during, kind, expires_at)
                VALUES (%(id)s, %(tutor_id)s, tstzrange(%(starts)s, %(ends)s), 'hold', %(expires_at)s)
                ON CONFLICT DO NOTHING RETURNING id)
            UPDATE cart_sessions SET hold_expires_at = %(expires_at)s FROM again WHERE cart_sessions.id = again.id
            """,
            asdict(hold),
        )


def renew_holds(connection: Connection[Any], tutors: Mapping[UUID, UUID], expires_at: datetime) -> None:
    """Items, by id, whose holds did not stand and were taken anew, each with the tutor who gives it now."""
    connection.execute(
        """
        UPDATE cart_sessions SET hold_expires_at = %(expires_at)s, tutor_id = held.tutor_id
          FROM unnest(%(ids)s::uuid[], %(tutor_ids)s::uuid[]) AS held (id, tutor_id)
         WHERE cart_sessions.id = held.id
        """,
        {"ids": list(tutors), "tutor_ids": list(tutors.values()), "expires_at": expires_at},
    )


def lapse_holds(connection: Connection[Any], ids: Iterable[UUID], now: datetime) -> None:
    """Items whose holds are given up before their time."""
    connection.execute(
        "UPDATE cart_sessions SET hold_expires_at = %(now)s WHERE id = ANY(%(ids)s) AND hold_expires_at > %(now)s",
        {"ids": list(ids), "now": now},
    )


def reprice_item(connection: Connection[Any], item_id: UUID, price_cad: Any) -> None:
    connection.execute(
        "UPDATE cart_sessions SET unit_price_cad = %(price)s, line_total_cad = %(price)s WHERE id = %(id)s",
        {"id": item_id, "price": price_cad},
    )


def move_items(connection: Connection[Any], from_cart: UUID, to_cart: UUID) -> None:
    """Those taken out earlier as well, so that taking them out again stays harmless."""
    connection.execute(
        "UPDATE cart_sessions SET cart_id = %(to_cart)s WHERE cart_id = %(from_cart)s",
        {"from_cart": from_cart, "to_cart": to_cart},
    )
