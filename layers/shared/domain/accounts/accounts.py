"""A student's account: opened by a paid checkout, and by nothing else (UR-15)."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg import Connection, Cursor
from psycopg.rows import class_row

from domain.ids import new_id


@dataclass(frozen=True, slots=True)
class Account:
    id: UUID
    email: str
    first_name: str
    last_name: str
    phone: str | None
    role: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class NewAccount:
    """What a guest typed at checkout; the password is already a hash, or forgotten."""

    email: str
    first_name: str
    last_name: str
    phone: str | None
    password_hash: str | None = None


def email_is_taken(connection: Connection[Any], email: str) -> Cursor[Any]:
    """One row when an account has that e-mail, in whatever case."""
    return connection.execute("SELECT id FROM users WHERE email = %(email)s::citext", {"email": email})


def open_account(connection: Connection[Any], person: NewAccount, now: datetime) -> Cursor[Any]:
    """A student account, unless the e-mail has one: a row when it was opened (§5.3: the older account wins)."""
    return connection.execute(
        """
        INSERT INTO users (id, email, first_name, last_name, phone, role, password_hash, created_at, updated_at)
        VALUES (%(id)s, %(email)s, %(first_name)s, %(last_name)s, %(phone)s, 'student', %(password_hash)s,
                %(now)s, %(now)s)
        ON CONFLICT (email) DO NOTHING RETURNING id
        """,
        {
            "id": new_id(),
            "email": person.email,
            "first_name": person.first_name,
            "last_name": person.last_name,
            "phone": person.phone,
            "password_hash": person.password_hash,
            "now": now,
        },
    )


def find_account(connection: Connection[Any], user_id: UUID | None, email: str | None) -> Cursor[Account]:
    """The account with that id, else with that e-mail."""
    return connection.cursor(row_factory=class_row(Account)).execute(
        """
        SELECT id, email::text, first_name, last_name, phone, role::text, created_at FROM users
         WHERE id = %(user_id)s OR (%(user_id)s::uuid IS NULL AND email = %(email)s::citext)
        """,
        {"user_id": user_id, "email": email},
    )
