"""A course with its tutors' calendars: what free times are made of. One statement, however many tutors."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from psycopg import Connection
from psycopg.rows import tuple_row

from domain.errors import Refused
from domain.scheduling.availability import TutorCalendar, reach_of, tutors_free_at
from domain.scheduling.grid import read_half_hours

COLUMNS = 9
"""Of a row of `timetables` (0008)."""


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

    def who_gives(self, start: datetime, minutes: int, bound_to: UUID, *, anyone: bool) -> list[UUID]:
        """Who can give a session that is bound to a tutor: that tutor first, then, if anyone will do, the others."""
        free = tutors_free_at(self.calendars.values(), start, minutes)
        bound = [tutor_id for tutor_id in free if tutor_id == bound_to]
        return bound + [tutor_id for tutor_id in free if anyone and tutor_id != bound_to]


def read_timetables(
    connection: Connection[Any], course_ids: Iterable[UUID], first: date, last: date, now: datetime
) -> dict[UUID, Timetable]:
    """The active courses among these, by id, to judge starts on the local days `first` to `last`."""
    return collect(
        connection.cursor(row_factory=tuple_row, binary=True).execute(
            """
            SELECT * FROM timetables(string_to_array(%(course_ids)s, ',')::uuid[],
                                     %(first)s, %(end)s, %(from)s, %(to)s, %(now)s)
            """,
            {"course_ids": as_list(course_ids), **window(first, last, now)},
        )
    )


def find_timetable(
    connection: Connection[Any], slug: str, first: date, last: date, now: datetime
) -> Timetable | None:
    """The active course of that address, to judge starts on the local days `first` to `last`."""
    found = collect(
        connection.cursor(row_factory=tuple_row, binary=True).execute(
            """
            SELECT * FROM timetables(ARRAY(SELECT id FROM courses WHERE slug = %(slug)s),
                                     %(first)s, %(end)s, %(from)s, %(to)s, %(now)s)
            """,
            {"slug": slug, **window(first, last, now)},
        )
    )
    return next(iter(found.values()), None)


def window(first: date, last: date, now: datetime) -> dict[str, Any]:
    """What `timetables` (0008) is asked to judge starts on these days; holds expired at `now` take no time."""
    begins, ends = reach_of(first, last)
    return {"first": first, "end": last + timedelta(days=1), "from": begins, "to": ends, "now": now}


def as_list(ids: Iterable[UUID]) -> str:
    """Ids as `string_to_array` reads them: psycopg takes longer to write an array than PostgreSQL to read one."""
    return ",".join(map(str, ids))


def collect(rows: Iterable[Any]) -> dict[UUID, Timetable]:
    """Courses out of the rows of `timetables` (0008), COLUMNS of them."""
    timetables: dict[UUID, Timetable] = {}
    for course_id, title, rate, tutor_id, name, weekly, exceptions, taken_from, taken_until in rows:
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
