"""Writing appointments. The time of each is already claimed under the same id; the database insists (0005)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg import Connection, Cursor
from psycopg.rows import scalar_row


@dataclass(frozen=True, slots=True)
class NewAppointment:
    """`id` is the id of its time claim."""

    id: UUID
    order_item_id: UUID
    tutor_id: UUID
    course_id: UUID
    start: datetime
    end: datetime


def insert_appointments(
    connection: Connection[Any], user_id: UUID, appointments: Sequence[NewAppointment], now: datetime
) -> None:
    """Scheduled appointments of one student, in one statement."""
    connection.execute(
        """
        INSERT INTO appointments (id, user_id, tutor_id, course_id, order_item_id, start_datetime, end_datetime,
                                  created_at, updated_at)
        SELECT id, %(user_id)s, tutor_id, course_id, order_item_id, start_at, end_at, %(now)s, %(now)s
          FROM unnest(%(id)s::uuid[], %(tutor_id)s::uuid[], %(course_id)s::uuid[], %(order_item_id)s::uuid[],
                      %(start)s::timestamptz[], %(end)s::timestamptz[])
               AS appointment (id, tutor_id, course_id, order_item_id, start_at, end_at)
        """,
        {
            "user_id": user_id,
            "now": now,
            "id": [appointment.id for appointment in appointments],
            "tutor_id": [appointment.tutor_id for appointment in appointments],
            "course_id": [appointment.course_id for appointment in appointments],
            "order_item_id": [appointment.order_item_id for appointment in appointments],
            "start": [appointment.start for appointment in appointments],
            "end": [appointment.end for appointment in appointments],
        },
    )


def find_booked(connection: Connection[Any], ids: Sequence[UUID]) -> Cursor[UUID]:
    """Which of these sessions are appointments already, be they cancelled since."""
    return connection.cursor(row_factory=scalar_row).execute(
        "SELECT id FROM appointments WHERE id = ANY(%(ids)s)", {"ids": list(ids)}
    )
