"""A session that was sold: what its order line is besides a line, and what its tutor is owed for it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal
from uuid import UUID

from psycopg import Connection

type EarningsStatus = Literal["scheduled", "earned", "paid", "cancelled"]


@dataclass(frozen=True, slots=True)
class SoldSession:
    """`id` is the order line's. `earnings_status` is cancelled when the session could not be booked."""

    id: UUID
    course_id: UUID
    tutor_id: UUID
    start: datetime
    end: datetime
    duration_min: int
    hours: Decimal
    rate_cad: Decimal
    earnings_cad: Decimal
    earnings_status: EarningsStatus


def insert_sold(connection: Connection[Any], sessions: Sequence[SoldSession]) -> None:
    """The halves of an order's lines, which are there already, and the earnings: two statements, nothing is fetched."""
    values = {
        "id": [session.id for session in sessions],
        "course_id": [session.course_id for session in sessions],
        "tutor_id": [session.tutor_id for session in sessions],
        "start": [session.start for session in sessions],
        "end": [session.end for session in sessions],
        "duration_min": [session.duration_min for session in sessions],
        "hours": [session.hours for session in sessions],
        "rate": [session.rate_cad for session in sessions],
        "amount": [session.earnings_cad for session in sessions],
        "status": [session.earnings_status for session in sessions],
    }
    connection.execute(
        """
        INSERT INTO session_items (id, course_id, tutor_id, start_datetime, end_datetime, duration_min)
        SELECT * FROM unnest(%(id)s::uuid[], %(course_id)s::uuid[], %(tutor_id)s::uuid[], %(start)s::timestamptz[],
                             %(end)s::timestamptz[], %(duration_min)s::smallint[])
        """,
        values,
    )
    connection.execute(
        """
        INSERT INTO earnings (order_item_id, tutor_id, hours, rate_cad, amount_cad, status)
        SELECT id, tutor_id, hours, rate, amount, status::earnings_status
          FROM unnest(%(id)s::uuid[], %(tutor_id)s::uuid[], %(hours)s::numeric[], %(rate)s::numeric[],
                      %(amount)s::numeric[], %(status)s::text[])
               AS earned (id, tutor_id, hours, rate, amount, status)
        """,
        values,
    )
