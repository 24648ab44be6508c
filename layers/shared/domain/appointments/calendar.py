"""The address of a student's calendar, and the sessions it shows.

The token is 256 random bits and all there is to know: calendar programmes send no cookie. It is kept as it is,
because it is shown again and opens nothing that is not in the same database; making a new one ends the old.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from psycopg import Connection, Cursor
from psycopg.rows import class_row, tuple_row

from domain.appointments.student import find_appointment
from domain.errors import Refused
from domain.ids import new_secret

PAST_SHOWN = timedelta(days=90)


@dataclass(frozen=True, slots=True)
class Feed:
    token: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Session:
    """An appointment as a calendar shows it. `sequence` grows and `updated_at` moves with each change."""

    id: UUID
    course_title_fr: str
    tutor_display_name: str
    start: datetime
    end: datetime
    status: str
    meeting_link: str | None
    sequence: int
    created_at: datetime
    updated_at: datetime


def find_session(connection: Connection[Any], user_id: UUID, appointment_id: UUID) -> Session:
    """One session of a student. Refuses with APPOINTMENT_NOT_FOUND."""
    row = find_appointment(connection, user_id, appointment_id)
    return Session(
        row.id,
        row.course_title_fr,
        row.tutor_display_name,
        row.start,
        row.end,
        row.status,
        row.meeting_link,
        row.sequence,
        row.created_at,
        row.updated_at,
    )


def find_sessions_of_feed(connection: Connection[Any], token: str, now: datetime) -> list[Session]:
    """Every session to come of the feed's owner, and those of the last PAST_SHOWN, cancelled ones too.

    Refuses with CALENDAR_NOT_FOUND.
    """
    owner = _select_owner(connection, token).fetchone()
    if owner is None:
        raise Refused("CALENDAR_NOT_FOUND")
    return _select_sessions(connection, owner[0], now - PAST_SHOWN).fetchall()


def find_feed(connection: Connection[Any], user_id: UUID, now: datetime) -> Feed:
    """The student's feed, made when they first ask."""
    return _insert_feed(connection, user_id, new_secret(), now) or _select_feed(connection, user_id)


def renew_feed(connection: Connection[Any], user_id: UUID, now: datetime) -> Feed:
    """A new address; the old one shows nothing from now on."""
    feed = Feed(new_secret(), now)
    connection.execute(
        """
        INSERT INTO calendar_feeds (user_id, token, created_at) VALUES (%(user_id)s, %(token)s, %(now)s)
        ON CONFLICT (user_id) DO UPDATE SET token = EXCLUDED.token, created_at = EXCLUDED.created_at
        """,
        {"user_id": user_id, "token": feed.token, "now": now},
    )
    return feed


def _insert_feed(connection: Connection[Any], user_id: UUID, token: str, now: datetime) -> Feed | None:
    """The feed, or None when there is one already."""
    return (
        connection.cursor(row_factory=class_row(Feed))
        .execute(
            """
            INSERT INTO calendar_feeds (user_id, token, created_at) VALUES (%(user_id)s, %(token)s, %(now)s)
            ON CONFLICT (user_id) DO NOTHING RETURNING token, created_at
            """,
            {"user_id": user_id, "token": token, "now": now},
        )
        .fetchone()
    )


def _select_feed(connection: Connection[Any], user_id: UUID) -> Feed:
    feed = (
        connection.cursor(row_factory=class_row(Feed))
        .execute(
            "SELECT token, created_at FROM calendar_feeds WHERE user_id = %(user_id)s", {"user_id": user_id}
        )
        .fetchone()
    )
    if feed is None:
        raise LookupError("a feed that was there a moment ago")
    return feed


def _select_owner(connection: Connection[Any], token: str) -> Cursor[Any]:
    return connection.cursor(row_factory=tuple_row).execute(
        "SELECT user_id FROM calendar_feeds WHERE token = %(token)s", {"token": token}
    )


def _select_sessions(connection: Connection[Any], user_id: UUID, since: datetime) -> Cursor[Session]:
    return connection.cursor(row_factory=class_row(Session)).execute(
        """
        SELECT appointment.id, course.title_fr AS course_title_fr, tutor.display_name AS tutor_display_name,
               appointment.start_datetime AS start, appointment.end_datetime AS "end", appointment.status::text,
               appointment.meeting_link, appointment.sequence, appointment.created_at, appointment.updated_at
          FROM appointments AS appointment
          JOIN courses AS course ON course.id = appointment.course_id
          JOIN tutors AS tutor ON tutor.id = appointment.tutor_id
         WHERE appointment.user_id = %(user_id)s AND appointment.start_datetime >= %(since)s
         ORDER BY appointment.start_datetime, appointment.id
        """,
        {"user_id": user_id, "since": since},
    )
