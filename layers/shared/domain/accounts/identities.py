"""What opens an account: an e-mail and the password's hash."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg import Connection, Cursor
from psycopg.rows import class_row


@dataclass(frozen=True, slots=True)
class Identity:
    """Who an e-mail belongs to, and what opens the account."""

    id: UUID
    role: str
    suspended: bool
    password_hash: str | None


def find_identity(
    connection: Connection[Any], *, email: str | None = None, user_id: UUID | None = None
) -> Cursor[Identity]:
    return connection.cursor(row_factory=class_row(Identity)).execute(
        """
        SELECT id, role::text, status = 'suspended' AS suspended, password_hash FROM users
         WHERE email = %(email)s::citext OR id = %(user_id)s
        """,
        {"email": email, "user_id": user_id},
    )


def lock_identity(connection: Connection[Any], user_id: UUID, password_hash: str | None) -> Cursor[Any]:
    """A row when that still is the person's hash; nobody changes it before this transaction ends."""
    return connection.execute(
        "SELECT id FROM users WHERE id = %(id)s AND password_hash = %(password_hash)s FOR NO KEY UPDATE",
        {"id": user_id, "password_hash": password_hash},
    )


def set_password(connection: Connection[Any], user_id: UUID, password_hash: str, now: datetime) -> None:
    connection.execute(
        "UPDATE users SET password_hash = %(password_hash)s, updated_at = %(now)s WHERE id = %(id)s",
        {"id": user_id, "password_hash": password_hash, "now": now},
    )
