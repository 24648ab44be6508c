"""A course with its tutors' calendars: what free times are made of. One statement, however many tutors."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from psycopg import Connection, Cursor
from psycopg.rows import tuple_row

from domain.errors import Refused
from domain.scheduling.availability import TutorCalendar, reach_of
from domain.scheduling.grid import read_half_hours


@dataclass(frozen=True, slots=True)
class Timetable:
    """An active course, and its tutors' names and calendars by id, best priority first (spec 2.4)."""

    course_id: UUID
    title_fr: str
    student_rate_cad: Decimal
    names: dict[UUID, str]
    calendars: dict[UUID, TutorCalendar]

    def of_tutor(self, tutor_id: UUID) -> "Timetable":
        """Only that tutor's. Refuses with TUTOR_NOT_FOUND who does not teach the course."""
        if tutor_id not in self.calendars:
            raise Refused("TUTOR_NOT_FOUND")
        return replace(
            self,
            names={tutor_id: self.names[tutor_id]},
            calendars={tutor_id: self.calendars[tutor_id]},
        )


def ask_timetables(
    connection: Connection[Any],
    first: date,
    last: date,
    now: datetime,
    *,
    course_ids: Iterable[UUID] = (),
    slug: str | None = None,
) -> Cursor[Any]:
    """Send for the courses with those ids or that slug, to judge starts on the local days `first` to `last`.

    `read_timetables` takes the answer. Holds that have expired at `now` take no time.
    """
    reach = reach_of(first, last)
    return connection.cursor(row_factory=tuple_row, binary=True).execute(
        """
        SELECT * FROM timetables(string_to_array(%(course_ids)s, ',')::uuid[], %(slug)s,
                                 %(first)s, %(last)s, %(from)s, %(to)s, %(now)s)
        """,
        {
            # psycopg takes longer to write an array than PostgreSQL to read one
            "course_ids": ",".join(map(str, course_ids)),
            "slug": slug,
            "first": first,
            "last": last + timedelta(days=1),
            "from": reach[0],
            "to": reach[1],
            "now": now,
        },
    )


def read_timetables(answer: Cursor[Any]) -> dict[UUID, Timetable]:
    """The active courses among those asked for, by id."""
    timetables: dict[UUID, Timetable] = {}
    for course_id, title, rate, tutor_id, name, weekly, exceptions, taken_from, taken_until in answer:
        timetable = timetables.get(course_id)
        if timetable is None:
            timetable = timetables[course_id] = Timetable(course_id, title, rate, {}, {})
        if tutor_id is not None:
            timetable.names[tutor_id] = name
            taken = list(
                zip(read_half_hours(taken_from or b""), read_half_hours(taken_until or b""), strict=True)
            )
            timetable.calendars[tutor_id] = TutorCalendar(tutor_id, weekly or (), exceptions or (), taken)
    return timetables
