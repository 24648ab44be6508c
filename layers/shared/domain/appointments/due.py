"""Sessions a schedule acts on, many at once, with everything Make.com is told of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from psycopg import Connection, Cursor
from psycopg.rows import class_row

from domain.webhooks.events import Contact


@dataclass(frozen=True, slots=True)
class Due:
    """One session. `tutor_earnings_cad` is confidential, and zero when nothing was sold (a.5)."""

    id: UUID
    order_id: UUID | None
    course_id: UUID
    course_title_fr: str
    start: datetime
    end: datetime
    sequence: int
    meeting_link: str | None
    tutor_earnings_cad: Decimal
    student_id: UUID
    student_first_name: str
    student_last_name: str
    student_email: str
    student_phone: str | None
    tutor_id: UUID
    tutor_name: str
    tutor_first_name: str
    tutor_last_name: str
    tutor_email: str
    tutor_phone: str | None

    @property
    def duration_min(self) -> int:
        return int((self.end - self.start).total_seconds()) // 60

    @property
    def student(self) -> Contact:
        return Contact(
            id=self.student_id,
            first_name=self.student_first_name,
            last_name=self.student_last_name,
            email=self.student_email,
            phone=self.student_phone,
        )

    @property
    def tutor(self) -> Contact:
        return Contact(
            id=self.tutor_id,
            first_name=self.tutor_first_name,
            last_name=self.tutor_last_name,
            email=self.tutor_email,
            phone=self.tutor_phone,
        )


def read_due(connection: Connection[Any], ids: Sequence[UUID]) -> Cursor[Due]:
    """Those sessions, which the caller has locked, by start."""
    return connection.cursor(row_factory=class_row(Due)).execute(
        """
        SELECT appointment.id, item.order_id, course.id AS course_id, course.title_fr AS course_title_fr,
               appointment.start_datetime AS start, appointment.end_datetime AS "end", appointment.sequence,
               appointment.meeting_link, coalesce(earned.amount_cad, 0) AS tutor_earnings_cad,
               student.id AS student_id, student.first_name AS student_first_name,
               student.last_name AS student_last_name, student.email::text AS student_email,
               student.phone AS student_phone,
               tutor.id AS tutor_id, tutor.display_name AS tutor_name, teacher.first_name AS tutor_first_name,
               teacher.last_name AS tutor_last_name, teacher.email::text AS tutor_email,
               teacher.phone AS tutor_phone
          FROM appointments AS appointment
          JOIN courses AS course ON course.id = appointment.course_id
          JOIN users AS student ON student.id = appointment.user_id
          JOIN tutors AS tutor ON tutor.id = appointment.tutor_id
          JOIN users AS teacher ON teacher.id = appointment.tutor_id
          LEFT JOIN order_items AS item ON item.id = appointment.order_item_id
          LEFT JOIN earnings AS earned USING (order_item_id)
         WHERE appointment.id = ANY(%(ids)s)
         ORDER BY appointment.start_datetime, appointment.id
        """,
        {"ids": ids},
    )
