"""Sessions as an iCalendar file (RFC 5545). Only this loads icalendar, and only when a calendar is asked for.

Every instant is in UTC: some programmes read a time zone's changes wrongly, and none reads UTC wrongly.
"""

from collections.abc import Sequence
from datetime import UTC

from icalendar import Calendar, Event, vCalAddress

from adapters.settings import Merchant
from domain.appointments.calendar import Session

PRODUCT = "-//4AS//Seances//FR"
UID_DOMAIN = "4as"
NAME = "Séances 4AS"
NO_EMAIL = "invalid:nomail"  # RFC 5546 wants an organizer, and a deployment may have given no e-mail


def write_feed(sessions: Sequence[Session], merchant: Merchant) -> bytes:
    """A calendar to subscribe to. What is cancelled is CANCELLED in it, so that programmes take it away."""
    return _write(sessions, "PUBLISH", merchant)


def write_session(session: Session, merchant: Merchant) -> bytes:
    """One session, to be put in a calendar or, cancelled, to be taken out of it."""
    return _write([session], "PUBLISH" if _takes_place(session) else "CANCEL", merchant)


def _write(sessions: Sequence[Session], method: str, merchant: Merchant) -> bytes:
    calendar = Calendar()
    calendar.add("prodid", PRODUCT)
    calendar.add("version", "2.0")
    calendar.add("calscale", "GREGORIAN")
    calendar.add("method", method)
    calendar.add("x-wr-calname", NAME)
    for session in sessions:
        calendar.add_component(_event(session, merchant))
    return bytes(calendar.to_ical())


def _event(session: Session, merchant: Merchant) -> Event:
    event = Event()
    event.add("uid", f"{session.id}@{UID_DOMAIN}")
    event.add("sequence", session.sequence)
    event.add("dtstamp", session.updated_at.astimezone(UTC))
    event.add("created", session.created_at.astimezone(UTC))
    event.add("last-modified", session.updated_at.astimezone(UTC))
    event.add("dtstart", session.start.astimezone(UTC))
    event.add("dtend", session.end.astimezone(UTC))
    event.add("summary", _title(session))
    event.add("organizer", _organizer(merchant))
    event.add("status", "CONFIRMED" if _takes_place(session) else "CANCELLED")
    event.add("transp", "OPAQUE" if _takes_place(session) else "TRANSPARENT")
    if session.meeting_link and _takes_place(session):
        event.add("location", session.meeting_link)
        event.add("url", session.meeting_link)
    return event


def _organizer(merchant: Merchant) -> vCalAddress:
    organizer = vCalAddress(f"mailto:{merchant.email}" if merchant.email else NO_EMAIL)
    organizer.params["CN"] = merchant.name
    return organizer


def _title(session: Session) -> str:
    """It says that a session is cancelled: many programmes show no status."""
    title = f"{session.course_title_fr} avec {session.tutor_display_name}"
    return title if _takes_place(session) else f"Annulée : {title}"


def _takes_place(session: Session) -> bool:
    return session.status in ("scheduled", "completed")
