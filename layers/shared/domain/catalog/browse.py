"""What a visitor looks at before the cart: courses, their tutors, their free times."""

from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from psycopg import Connection

from domain import money
from domain.catalog import queries
from domain.catalog.models import (
    AvailableDays,
    CourseDetail,
    CourseList,
    CourseView,
    DaySlots,
    Prices,
    Slot,
    TutorSlot,
    TutorView,
)
from domain.catalog.timetable import Timetable, find_timetable
from domain.clock import on_toronto_clock
from domain.errors import Refused
from domain.paging import NamedPlace, page_of, read_named_cursor
from domain.scheduling.availability import DURATIONS_MIN, bookable_days, day_starts, days_with_starts

MAX_DAYS = 62


def list_courses(
    connection: Connection[Any], search: str | None, cursor: str | None, limit: int
) -> CourseList:
    """A page of the active courses, by title; with `search`, of those whose title or description contains it.

    Refuses with CURSOR_INVALID.
    """
    rows = queries.select_courses(connection, search, read_named_cursor(cursor), limit).fetchall()
    page = page_of(rows, limit, _place)
    return CourseList(items=[CourseView(**_course(row)) for row in page.items], next_cursor=page.next_cursor)


def show_course(connection: Connection[Any], slug: str) -> CourseDetail:
    """One active course and the tutors a student may choose. Refuses with COURSE_NOT_FOUND."""
    rows = _course_and_tutors(connection, slug)
    tutors = [
        TutorView(id=tutor_id, display_name=name, bio_fr=bio)
        for *_, tutor_id, name, bio in rows
        if tutor_id is not None
    ]
    return CourseDetail(**_course(rows[0]), tutors=tutors)


def free_slots(
    connection: Connection[Any],
    slug: str,
    day: date,
    duration_min: int,
    tutor_id: UUID | None,
    now: datetime,
) -> DaySlots:
    """The sessions of that length that begin on that local day, one per start whoever would give it (UR-03).

    Refuses with INVALID_DURATION, COURSE_NOT_FOUND, TUTOR_NOT_FOUND.
    """
    first, last = bookable_days(now)
    nearest = min(max(day, first), last)
    timetable = _timetable(connection, slug, nearest, nearest, duration_min, tutor_id, now)
    starts = day_starts(timetable.calendars.values(), day, duration_min, now) if day == nearest else []
    price = str(money.prorate(timetable.student_rate_cad, duration_min))
    length = timedelta(minutes=duration_min)
    slots = [
        Slot(
            start=on_toronto_clock(start),
            end=on_toronto_clock(start + length),
            duration_min=duration_min,
            price_cad=price,
        )
        for start in starts
    ]
    return DaySlots(
        date=day,
        duration_min=duration_min,
        has_availability=bool(slots),
        slots=slots
        if tutor_id is None
        else [TutorSlot(**slot.model_dump(), tutor_id=tutor_id) for slot in slots],
    )


def free_days(
    connection: Connection[Any],
    slug: str,
    first: date,
    last: date,
    duration_min: int,
    tutor_id: UUID | None,
    now: datetime,
) -> AvailableDays:
    """For each local day of a range, both ends included, whether a session of that length can begin on it.

    Refuses with RANGE_REVERSED, RANGE_TOO_LONG (more than MAX_DAYS days) and as `free_slots`.
    """
    if last < first:
        raise Refused("RANGE_REVERSED")
    if (last - first).days >= MAX_DAYS:
        raise Refused("RANGE_TOO_LONG")
    earliest, latest = bookable_days(now)
    from_day, to_day = (min(max(day, earliest), latest) for day in (first, last))
    timetable = _timetable(connection, slug, from_day, to_day, duration_min, tutor_id, now)
    offered = days_with_starts(timetable.calendars.values(), from_day, to_day, duration_min, now)
    days = (first + timedelta(days=n) for n in range((last - first).days + 1))
    return AvailableDays(days={day: offered.get(day, False) for day in days})


def _timetable(
    connection: Connection[Any],
    slug: str,
    first: date,
    last: date,
    duration_min: int,
    tutor_id: UUID | None,
    now: datetime,
) -> Timetable:
    """The course's tutors' calendars, or the chosen one's: the filter comes before any merging (X-15)."""
    if duration_min not in DURATIONS_MIN:
        raise Refused("INVALID_DURATION")
    timetable = find_timetable(connection, slug, first, last, now)
    if timetable is None:
        raise Refused("COURSE_NOT_FOUND")
    return timetable if tutor_id is None else timetable.of_tutor(tutor_id)


def _course_and_tutors(connection: Connection[Any], slug: str) -> list[Any]:
    rows = queries.select_course_and_tutors(connection, slug).fetchall()
    if not rows:
        raise Refused("COURSE_NOT_FOUND")
    return rows


def _place(row: Any) -> NamedPlace:
    course_id, *_, title_folded = row
    return NamedPlace(title_folded, course_id)


def _course(row: Any) -> dict[str, Any]:
    course_id, slug, title_fr, description_fr, rate, *_ = row
    sixty, ninety, hundred_twenty = (str(money.prorate(rate, minutes)) for minutes in DURATIONS_MIN)
    return {
        "id": course_id,
        "slug": slug,
        "title_fr": title_fr,
        "description_fr": description_fr,
        "student_rate_cad": str(rate),
        "prices": Prices(sixty=sixty, ninety=ninety, hundred_twenty=hundred_twenty),
    }
