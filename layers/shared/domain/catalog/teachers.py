"""Tutors as a booking needs them: their pay, and how to reach them."""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

from psycopg import Connection, Cursor
from psycopg.rows import class_row, tuple_row


@dataclass(frozen=True, slots=True)
class Teacher:
    """Confidential: students never see the rate nor the e-mail."""

    tutor_id: UUID
    display_name: str
    email: str
    hourly_base_rate_cad: Decimal


def ask_rates(connection: Connection[Any], tutor_ids: Iterable[UUID]) -> Cursor[Any]:
    """A row for each of these tutors: their id, and what they earn in an hour, in CAD."""
    return connection.cursor(row_factory=tuple_row).execute(
        "SELECT id, hourly_base_rate_cad FROM tutors WHERE id = ANY(%(ids)s)", {"ids": list(tutor_ids)}
    )


def ask_teachers(
    connection: Connection[Any],
    tutor_ids: Iterable[UUID],
    course_ids: Iterable[UUID] = (),
    claim_ids: Iterable[UUID] = (),
) -> Cursor[Teacher]:
    """Those tutors, every active tutor of those courses, and those whose time is claimed so."""
    return connection.cursor(row_factory=class_row(Teacher)).execute(
        """
        SELECT tutor.id AS tutor_id, tutor.display_name, users.email::text, tutor.hourly_base_rate_cad
          FROM tutors AS tutor JOIN users ON users.id = tutor.id
         WHERE tutor.id = ANY(ARRAY(
               SELECT unnest(%(tutor_ids)s::uuid[])
                UNION ALL
               SELECT tutor_id FROM time_claims WHERE id = ANY(%(claim_ids)s)
                UNION ALL
               SELECT tutor_id FROM tutor_courses JOIN tutors ON tutors.id = tutor_id AND tutors.active
                WHERE course_id = ANY(%(course_ids)s) AND tutor_courses.active))
        """,
        {"tutor_ids": list(tutor_ids), "course_ids": list(course_ids), "claim_ids": list(claim_ids)},
    )


def ask_titles(connection: Connection[Any], course_ids: Iterable[UUID]) -> Cursor[Any]:
    """The id and title of each course, active or not."""
    return connection.cursor(row_factory=tuple_row).execute(
        "SELECT id, title_fr FROM courses WHERE id = ANY(%(course_ids)s)", {"course_ids": list(course_ids)}
    )
