"""Moving an appointment to another time of the same tutor (spec 2.10).

A student moves within the tutor's free times; a tutor or an administrator to any time of the coming year that nobody
else owns.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from psycopg import Connection
from psycopg.errors import ExclusionViolation

from domain.appointments import facts
from domain.appointments.booked import Booked, By, Session, lock, may
from domain.appointments.history import write_modification
from domain.catalog.timetable import read_timetables
from domain.clock import utc_milliseconds
from domain.errors import Refused
from domain.scheduling import booked_time
from domain.scheduling.availability import TutorCalendar, horizon_of
from domain.scheduling.claims import Claim
from domain.scheduling.grid import (
    bits_of,
    instant_of,
    local_date,
    on_grid,
    run,
    starts_that_fit,
    step_at,
    step_from,
    steps_in,
)
from domain.transactions import retried_on_deadlock
from domain.webhooks.outbox import Environment, record_facts

EARLIEST = timedelta(hours=24)
LATEST = timedelta(days=30)
LATEST_BY_STAFF = timedelta(days=366)


@dataclass(frozen=True, slots=True)
class Moved:
    old_start: datetime
    start: datetime
    end: datetime


@retried_on_deadlock
def reschedule(
    connection: Connection[Any],
    by: By,
    appointment_id: UUID,
    start: datetime,
    reason: str | None,
    environment: Environment,
    now: datetime,
) -> Moved:
    """Move an appointment; its order line moves along and the old time is free at the same instant.

    Refuses with APPOINTMENT_NOT_FOUND, NOT_RESCHEDULABLE, APPOINTMENT_PAST, RESCHEDULE_TOO_LATE, OFF_GRID, TOO_SOON,
    TOO_FAR, SAME_TIME, SLOT_UNAVAILABLE.
    """
    try:
        with connection.transaction():
            booked = (locked := lock(connection, by, appointment_id)).booked
            transition = may("reschedule", by, booked, now, _refusal_at(now))
            _judge(connection, by, booked, start, now)
            end = start + timedelta(minutes=booked.duration_min)
            booked_time.move(connection, Claim(booked.id, booked.tutor_id, start, end), now)
            _move_appointment(connection, booked.id, start, end, now)
            _move_line(connection, booked.order_item_id, start, end)
            modification_id = write_modification(
                connection,
                booked.id,
                transition.log,
                by.user_id,
                reason or None,
                _times(booked.start, booked.end),
                _times(start, end),
                booked.sequence + 1,
                now,
            )
            fact = facts.rescheduled(locked, by, reason, start, end, modification_id, now)
            record_facts(connection, [fact], environment, now)
            return Moved(booked.start, start, end)
    except ExclusionViolation as taken:
        raise Refused("SLOT_UNAVAILABLE") from taken


def reschedule_starts(
    connection: Connection[Any],
    by: By,
    session: Session,
    first: date | None,
    last: date | None,
    now: datetime,
) -> list[datetime]:
    """The times a student can move an appointment to, on the local days `first` to `last` within what is offered.

    Refuses with NOT_RESCHEDULABLE, APPOINTMENT_PAST, RESCHEDULE_TOO_LATE, RANGE_REVERSED.
    """
    may("reschedule", by, session, now, _refusal_at(now))
    if first and last and last < first:
        raise Refused("RANGE_REVERSED")
    soonest, furthest = local_date(now + EARLIEST), local_date(now + LATEST)
    first, last = max(first or soonest, soonest), min(last or furthest, furthest)
    if last < first:
        return []
    calendar = _calendar(connection, session, first, last, now)
    starts = free_starts(calendar, session.duration_min, first, last, now) if calendar else []
    return [start for start in starts if start != session.start]


def free_starts(
    calendar: TutorCalendar, duration_min: int, first: date, last: date, now: datetime
) -> list[datetime]:
    """The starts on those local days at which the tutor can give that many minutes, from EARLIEST to LATEST."""
    horizon = horizon_of(first, last)
    days = run(0, horizon.days[-1].first - horizon.first)
    window = run(step_from(now + EARLIEST) - horizon.first, step_at(now + LATEST) + 1 - horizon.first)
    fitting = starts_that_fit(calendar.free(horizon), steps_in(duration_min))
    return [instant_of(horizon.first + place) for place in bits_of(fitting & days & window)]


def without_own_time(calendar: TutorCalendar, start: datetime, end: datetime) -> TutorCalendar:
    """The calendar as if that session were not booked. A time off of exactly the same minutes still counts."""
    taken = [tuple(stretch) for stretch in calendar.taken]
    own = (step_at(start), step_from(end))
    if own in taken:
        taken.remove(own)
    return replace(calendar, taken=taken)


def _judge(connection: Connection[Any], by: By, booked: Booked, start: datetime, now: datetime) -> None:
    if start == booked.start:
        raise Refused("SAME_TIME")
    if not on_grid(start):
        raise Refused("OFF_GRID")
    if by.actor != "student":
        if start <= now:
            raise Refused("TOO_SOON", "Le nouveau créneau est déjà passé.")
        if start > now + LATEST_BY_STAFF:
            raise Refused("TOO_FAR", "Le nouveau créneau doit commencer d'ici un an.")
        return
    if start < now + EARLIEST:
        raise Refused("TOO_SOON", "Le nouveau créneau doit commencer dans au moins 24 heures")
    if start > now + LATEST:
        raise Refused("TOO_FAR", "Le nouveau créneau doit commencer dans au plus 30 jours")
    day = local_date(start)
    calendar = _calendar(connection, booked, day, day, now)
    if calendar is None or start not in free_starts(calendar, booked.duration_min, day, day, now):
        raise Refused("SLOT_UNAVAILABLE")


def _calendar(
    connection: Connection[Any], session: Session, first: date, last: date, now: datetime
) -> TutorCalendar | None:
    """The tutor's calendar without this session; None when the tutor no longer teaches the course."""
    timetables = read_timetables(connection, [session.course_id], first, last, now)
    calendars = timetables[session.course_id].calendars if session.course_id in timetables else {}
    calendar = calendars.get(session.tutor_id)
    return without_own_time(calendar, session.start, session.end) if calendar else None


def _refusal_at(now: datetime) -> Callable[[Session, bool], Refused]:
    def refuse(session: Session, too_late: bool) -> Refused:
        if session.status == "cancelled":
            return Refused("NOT_RESCHEDULABLE", "Ce rendez-vous est annulé et ne peut pas être reprogrammé")
        if session.start <= now:
            return Refused("APPOINTMENT_PAST")
        return Refused("RESCHEDULE_TOO_LATE" if too_late else "NOT_RESCHEDULABLE")

    return refuse


def _times(start: datetime, end: datetime) -> dict[str, str]:
    return {"start_datetime": utc_milliseconds(start), "end_datetime": utc_milliseconds(end)}


def _move_appointment(
    connection: Connection[Any], appointment_id: UUID, start: datetime, end: datetime, now: datetime
) -> None:
    """To its new time, of which nobody was reminded yet."""
    connection.execute(
        """
        UPDATE appointments
           SET start_datetime = %(start)s, end_datetime = %(end)s, reminder_sent_at = NULL, sequence = sequence + 1,
               updated_at = %(now)s
         WHERE id = %(id)s
        """,
        {"id": appointment_id, "start": start, "end": end, "now": now},
    )


def _move_line(connection: Connection[Any], order_item_id: UUID, start: datetime, end: datetime) -> None:
    """What was sold follows what will be given, or earnings would count in the wrong month (X-23)."""
    connection.execute(
        "UPDATE session_items SET start_datetime = %(start)s, end_datetime = %(end)s WHERE id = %(id)s",
        {"id": order_item_id, "start": start, "end": end},
    )
