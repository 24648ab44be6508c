"""Who is calling: a guest known by a cookie, or a signed-in person known by a session."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg import Connection
from psycopg.rows import tuple_row

from domain.errors import Refused
from domain.ids import fingerprint


@dataclass(frozen=True, slots=True)
class Buyer:
    """Whose cart it is: exactly one of the two is set."""

    user_id: UUID | None = None
    session_hash: bytes | None = None

    @classmethod
    def guest(cls, cookie: str) -> "Buyer":
        return cls(session_hash=fingerprint(cookie))

    @classmethod
    def student(cls, user_id: UUID) -> "Buyer":
        return cls(user_id=user_id)


@dataclass(frozen=True, slots=True)
class Person:
    """A signed-in person. Role and standing are read from the database on every request (decision 7)."""

    user_id: UUID
    role: str
    suspended: bool = False

    @property
    def may_enter(self) -> bool:
        """A suspended student may still see and cancel what is booked; nobody else suspended may do anything."""
        return self.role == "student" or not self.suspended

    @property
    def may_book(self) -> bool:
        """Only students buy (spec 2.11), and not while suspended."""
        return self.role == "student" and not self.suspended


def find_person(connection: Connection[Any], session_token: str, now: datetime) -> Person | None:
    """The person behind a session token, or None when it opens nothing."""
    row = (
        connection.cursor(row_factory=tuple_row)
        .execute(
            """
        SELECT users.id, users.role::text, users.status = 'suspended'
          FROM auth_sessions JOIN users ON users.id = user_id
         WHERE token_hash = %(token_hash)s AND revoked_at IS NULL AND expires_at > %(now)s
        """,
            {"token_hash": fingerprint(session_token), "now": now},
        )
        .fetchone()
    )
    person = Person(*row) if row else None
    return person if person and person.may_enter else None


def ask_person(connection: Connection[Any], user_id: UUID) -> Person | None:
    """The person with that account, whatever they may do."""
    row = (
        connection.cursor(row_factory=tuple_row)
        .execute(
            "SELECT id, role::text, status = 'suspended' FROM users WHERE id = %(id)s",
            {"id": user_id},
        )
        .fetchone()
    )
    return Person(*row) if row else None


def as_buyer(person: Person) -> Buyer:
    """The person as a buyer. Refuses with BOOKING_NOT_ALLOWED."""
    if not person.may_book:
        raise Refused("BOOKING_NOT_ALLOWED")
    return Buyer.student(person.user_id)
