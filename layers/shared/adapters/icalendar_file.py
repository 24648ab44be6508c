"""Sessions as an iCalendar file (RFC 5545). Only this loads icalendar, and only when a calendar is asked for."""

from collections.abc import Sequence
from datetime import UTC, date, datetime

from icalendar import Calendar, Event, Timezone

from domain.appointments.calendar import Session
from domain.clock import TORONTO, on_toronto_clock

PRODUCT = "-//4AS//Seances//FR"
UID_DOMAIN = "4as"
NAME = "Séances 4AS"


def write_feed(sessions: Sequence[Session], now: datetime) -> bytes:
    """A calendar to subscribe to. What is cancelled is CANCELLED in it, so that programmes take it away."""
    return _write(sessions, "PUBLISH", now)


def write_session(session: Session, now: datetime) -> bytes:
    """One session, to be put in a calendar or, cancelled, to be taken out of it."""
    return _write([session], "PUBLISH" if _takes_place(session) else "CANCEL", now)


def _write(sessions: Sequence[Session], method: str, now: datetime) -> bytes:
    calendar = Calendar()
    calendar.add("prodid", PRODUCT)
    calendar.add("version", "2.0")
    calendar.add("calscale", "GREGORIAN")
    calendar.add("method", method)
    calendar.add("x-wr-calname", NAME)
    calendar.add_component(_timezone(sessions, now))
    for session in sessions:
        calendar.add_component(_event(session))
    return bytes(calendar.to_ical())


def _event(session: Session) -> Event:
    event = Event()
    event.add("uid", f"{session.id}@{UID_DOMAIN}")
    event.add("sequence", session.sequence)
    event.add("dtstamp", session.updated_at.astimezone(UTC))
    event.add("created", session.created_at.astimezone(UTC))
    event.add("last-modified", session.updated_at.astimezone(UTC))
    event.add("dtstart", _written(session.start))
    event.add("dtend", _written(session.end))
    event.add("summary", f"{session.course_title_fr} avec {session.tutor_display_name}")
    event.add("status", "CONFIRMED" if _takes_place(session) else "CANCELLED")
    event.add("transp", "OPAQUE" if _takes_place(session) else "TRANSPARENT")
    if session.meeting_link and _takes_place(session):
        event.add("location", session.meeting_link)
        event.add("url", session.meeting_link)
    return event


def _takes_place(session: Session) -> bool:
    return session.status in ("scheduled", "completed")


def _written(instant: datetime) -> datetime:
    """On Toronto's clock; in UTC within the hour that clock shows twice, of which RFC 5545 can name only the first."""
    local = on_toronto_clock(instant)
    return instant.astimezone(UTC) if local.fold else local


def _timezone(sessions: Sequence[Session], now: datetime) -> Timezone:
    """Toronto's clock in the years of the sessions."""
    years = [on_toronto_clock(session.start).year for session in sessions] or [now.year]
    return Timezone.from_tzinfo(TORONTO, TORONTO.key, date(min(years) - 1, 1, 1), date(max(years) + 2, 1, 1))
