"""Who follows a training, and until when."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal
from uuid import UUID

from psycopg import Connection, Cursor
from psycopg.rows import class_row

type EnrolmentStatus = Literal["active", "expired", "revoked"]
"""What `enrolment_status` (0044) says at a moment."""


@dataclass(frozen=True, slots=True)
class NewEnrolment:
    """Access that was paid for; `order_item_id` is the line that sells it."""

    id: UUID
    order_item_id: UUID
    training_id: UUID
    access_days: int


@dataclass(frozen=True, slots=True)
class Enrolled:
    """Access that could be given."""

    order_item_id: UUID
    expires_at: datetime


def expiry(paid_at: datetime, access_days: int) -> datetime:
    """When access ends that is paid for at `paid_at`: whole days of 24 hours, whatever the clocks do (F-38)."""
    return paid_at + timedelta(hours=24 * access_days)


def enrol(
    connection: Connection[Any],
    user_id: UUID,
    new: Sequence[NewEnrolment],
    paid_at: datetime,
    now: datetime,
) -> Cursor[Enrolled]:
    """Give a person access to these trainings from the moment they were paid; a row for each that was given.

    None for a training that they follow at that time, by another purchase that was first (the database says which).
    Access that has ended a moment after the payment was made is followed by the new one without a gap.
    """
    ordered = sorted(
        new, key=lambda one: one.training_id
    )  # of two purchases at once neither waits in a circle
    return connection.cursor(row_factory=class_row(Enrolled)).execute(
        """
        INSERT INTO enrolments (id, user_id, training_id, source, order_item_id, starts_at, expires_at, created_at)
        SELECT bought.id, %(user_id)s, bought.training_id, 'purchase', bought.line,
               greatest(%(paid_at)s, (SELECT max(ended.expires_at) FROM enrolments AS ended
                                       WHERE ended.user_id = %(user_id)s AND ended.training_id = bought.training_id
                                         AND ended.revoked_at IS NULL AND ended.expires_at <= %(now)s)),
               bought.expires_at, %(now)s
          FROM unnest(%(ids)s::uuid[], %(lines)s::uuid[], %(trainings)s::uuid[], %(expiries)s::timestamptz[])
               WITH ORDINALITY AS bought (id, line, training_id, expires_at, place)
         ORDER BY bought.place
        ON CONFLICT DO NOTHING
        RETURNING order_item_id, expires_at
        """,
        {
            "user_id": user_id,
            "paid_at": paid_at,
            "now": now,
            "ids": [one.id for one in ordered],
            "lines": [one.order_item_id for one in ordered],
            "trainings": [one.training_id for one in ordered],
            "expiries": [expiry(paid_at, one.access_days) for one in ordered],
        },
    )


def insert_access(connection: Connection[Any], new: Sequence[NewEnrolment]) -> None:
    """The halves of an order's lines, which are there already: access was sold, whether or not it could be given."""
    connection.execute(
        """
        INSERT INTO access_items (id, training_id, access_days)
        SELECT * FROM unnest(%(ids)s::uuid[], %(trainings)s::uuid[], %(days)s::integer[])
        """,
        {
            "ids": [one.order_item_id for one in new],
            "trainings": [one.training_id for one in new],
            "days": [one.access_days for one in new],
        },
    )
