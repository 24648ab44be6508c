"""A student's appointments, as they are read."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal
from uuid import UUID

from psycopg import Connection, Cursor
from psycopg.rows import class_row

from domain.paging import Place

type Filter = Literal["upcoming", "past", "cancelled", "all"]


@dataclass(frozen=True, slots=True)
class StudentAppointment:
    """Never what the tutor earns."""

    id: UUID
    order_id: UUID
    course_id: UUID
    course_slug: str
    course_title_fr: str
    tutor_id: UUID
    tutor_display_name: str
    start: datetime
    end: datetime
    duration_min: int
    status: str
    sequence: int
    meeting_link: str | None
    price_cad: Decimal
    discount_share_cad: Decimal
    returned_cad: Decimal
    cancellation_reason: str | None
    cancelled_by_role: str | None
    cancelled_at: datetime | None
    completed_at: datetime | None
    created_at: datetime
    updated_at: datetime

    @property
    def left_cad(self) -> Decimal:
        """What the line was paid and has not given back any way: what a cancellation credits."""
        return self.price_cad - self.discount_share_cad - self.returned_cad

    @property
    def place(self) -> Place:
        return Place(self.start, self.id)


def select_appointments(
    connection: Connection[Any],
    user_id: UUID,
    which: Filter,
    after: Place | None,
    limit: int,
    now: datetime,
) -> Cursor[StudentAppointment]:
    """A student's appointments by start, those after a place, one more than `limit` (OP-S05)."""
    return connection.cursor(row_factory=class_row(StudentAppointment)).execute(
        """
        SELECT appointment.id, item.order_id, course.id AS course_id, course.slug AS course_slug,
               course.title_fr AS course_title_fr, tutor.id AS tutor_id, tutor.display_name AS tutor_display_name,
               appointment.start_datetime AS start, appointment.end_datetime AS "end",
               (extract(epoch FROM appointment.end_datetime - appointment.start_datetime) / 60)::integer
                   AS duration_min,
               appointment.status::text, appointment.sequence, appointment.meeting_link,
               item.line_total_cad AS price_cad, item.discount_share_cad, item.returned_cad,
               appointment.cancellation_reason, canceller.role::text AS cancelled_by_role,
               appointment.cancelled_at, appointment.completed_at,
               appointment.created_at, appointment.updated_at
          FROM appointments AS appointment
          JOIN order_items AS item ON item.id = appointment.order_item_id
          JOIN courses AS course ON course.id = appointment.course_id
          JOIN tutors AS tutor ON tutor.id = appointment.tutor_id
          LEFT JOIN users AS canceller ON canceller.id = appointment.cancelled_by
         WHERE appointment.user_id = %(user_id)s
           AND CASE %(which)s
               WHEN 'upcoming' THEN appointment.status = 'scheduled' AND appointment.start_datetime > %(now)s
               WHEN 'past' THEN appointment.status = 'completed'
                             OR appointment.status = 'scheduled' AND appointment.start_datetime <= %(now)s
               WHEN 'cancelled' THEN appointment.status = 'cancelled'
               ELSE true END
           AND (%(at)s::timestamptz IS NULL OR (appointment.start_datetime, appointment.id) > (%(at)s, %(id)s))
         ORDER BY appointment.start_datetime, appointment.id
         LIMIT %(limit)s
        """,
        {
            "user_id": user_id,
            "which": which,
            "now": now,
            "at": after.at if after else None,
            "id": after.id if after else None,
            "limit": limit + 1,
        },
    )


def select_appointment(
    connection: Connection[Any], user_id: UUID, appointment_id: UUID
) -> Cursor[StudentAppointment]:
    """That appointment if it is that student's."""
    return connection.cursor(row_factory=class_row(StudentAppointment)).execute(
        """
        SELECT appointment.id, item.order_id, course.id AS course_id, course.slug AS course_slug,
               course.title_fr AS course_title_fr, tutor.id AS tutor_id, tutor.display_name AS tutor_display_name,
               appointment.start_datetime AS start, appointment.end_datetime AS "end",
               (extract(epoch FROM appointment.end_datetime - appointment.start_datetime) / 60)::integer
                   AS duration_min,
               appointment.status::text, appointment.sequence, appointment.meeting_link,
               item.line_total_cad AS price_cad, item.discount_share_cad, item.returned_cad,
               appointment.cancellation_reason, canceller.role::text AS cancelled_by_role,
               appointment.cancelled_at, appointment.completed_at,
               appointment.created_at, appointment.updated_at
          FROM appointments AS appointment
          JOIN order_items AS item ON item.id = appointment.order_item_id
          JOIN courses AS course ON course.id = appointment.course_id
          JOIN tutors AS tutor ON tutor.id = appointment.tutor_id
          LEFT JOIN users AS canceller ON canceller.id = appointment.cancelled_by
         WHERE appointment.id = %(id)s AND appointment.user_id = %(user_id)s
        """,
        {"id": appointment_id, "user_id": user_id},
    )
