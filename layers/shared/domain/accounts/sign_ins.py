"""The sessions of who is signed in: opened, looked up and ended. A token is known by its hash alone."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from psycopg import Connection, Cursor
from psycopg.rows import tuple_row

from domain.ids import fingerprint, new_secret

SESSION_TTL = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class OpenSession:
    token: str
    expires_at: datetime


def open_session(connection: Connection[Any], user_id: UUID, now: datetime) -> OpenSession:
    """Sign a person in: the token is answered once and only its hash is kept."""
    session = OpenSession(new_secret(), now + SESSION_TTL)
    connection.execute(
        """
        INSERT INTO auth_sessions (token_hash, user_id, created_at, expires_at)
        VALUES (%(token_hash)s, %(user_id)s, %(now)s, %(expires_at)s)
        """,
        {
            "token_hash": fingerprint(session.token),
            "user_id": user_id,
            "now": now,
            "expires_at": session.expires_at,
        },
    )
    return session


def find_owner_of_session(connection: Connection[Any], token_hash: bytes) -> Cursor[Any]:
    """The id of the person whose session it is, unless it was ended."""
    return connection.cursor(row_factory=tuple_row).execute(
        "SELECT user_id FROM auth_sessions WHERE token_hash = %(token_hash)s AND revoked_at IS NULL",
        {"token_hash": token_hash},
    )


def end_session(connection: Connection[Any], token_hash: bytes, now: datetime) -> None:
    connection.execute(
        "UPDATE auth_sessions SET revoked_at = %(now)s WHERE token_hash = %(token_hash)s AND revoked_at IS NULL",
        {"token_hash": token_hash, "now": now},
    )


def end_sessions(connection: Connection[Any], user_id: UUID, now: datetime) -> None:
    """End every session of a person."""
    connection.execute(
        "UPDATE auth_sessions SET revoked_at = %(now)s WHERE user_id = %(user_id)s AND revoked_at IS NULL",
        {"user_id": user_id, "now": now},
    )
