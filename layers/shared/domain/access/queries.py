"""The SQL of access. Locks are taken in this order: reset tokens, the person, sessions."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg import Connection, Cursor
from psycopg.rows import class_row, dict_row, tuple_row


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


def find_open_session(connection: Connection[Any], token_hash: bytes) -> Cursor[Any]:
    """The id of the person whose session it is, unless it was ended."""
    return connection.cursor(row_factory=tuple_row).execute(
        "SELECT user_id FROM auth_sessions WHERE token_hash = %(token_hash)s AND revoked_at IS NULL",
        {"token_hash": token_hash},
    )


def revoke_session(connection: Connection[Any], token_hash: bytes, now: datetime) -> None:
    connection.execute(
        "UPDATE auth_sessions SET revoked_at = %(now)s WHERE token_hash = %(token_hash)s AND revoked_at IS NULL",
        {"token_hash": token_hash, "now": now},
    )


def revoke_sessions(connection: Connection[Any], user_id: UUID, now: datetime) -> None:
    """End every session of a person."""
    connection.execute(
        "UPDATE auth_sessions SET revoked_at = %(now)s WHERE user_id = %(user_id)s AND revoked_at IS NULL",
        {"user_id": user_id, "now": now},
    )


def put_reset_token(
    connection: Connection[Any], token_hash: bytes, email: str | None, expires_at: datetime
) -> Cursor[Any]:
    """The one token of the active person with that e-mail, in place of any other; nobody's when there is none.

    A row with the person's id, or with null.
    """
    return connection.cursor(row_factory=tuple_row).execute(
        """
        INSERT INTO password_reset_tokens (token_hash, user_id, expires_at)
        VALUES (%(token_hash)s,
                (SELECT id FROM users WHERE email = %(email)s::citext AND status = 'active'), %(expires_at)s)
        ON CONFLICT (user_id) DO UPDATE SET token_hash = excluded.token_hash, expires_at = excluded.expires_at
        RETURNING user_id
        """,
        {"token_hash": token_hash, "email": email, "expires_at": expires_at},
    )


def find_reset_token(connection: Connection[Any], token_hash: bytes, now: datetime) -> Cursor[Any]:
    """A row when the token could be used now."""
    return connection.execute(
        """
        SELECT FROM password_reset_tokens
         WHERE token_hash = %(token_hash)s AND expires_at > %(now)s AND user_id IS NOT NULL
        """,
        {"token_hash": token_hash, "now": now},
    )


def take_reset_token(connection: Connection[Any], token_hash: bytes, now: datetime) -> Cursor[Any]:
    """Use a token: the person's id comes back once."""
    return connection.cursor(row_factory=tuple_row).execute(
        """
        DELETE FROM password_reset_tokens
         WHERE token_hash = %(token_hash)s AND expires_at > %(now)s AND user_id IS NOT NULL
        RETURNING user_id
        """,
        {"token_hash": token_hash, "now": now},
    )


def drop_reset_token(connection: Connection[Any], user_id: UUID) -> None:
    connection.execute("DELETE FROM password_reset_tokens WHERE user_id = %(user_id)s", {"user_id": user_id})


def drop_expired_reset_tokens(connection: Connection[Any], now: datetime) -> None:
    connection.execute(
        """
        DELETE FROM password_reset_tokens WHERE token_hash IN (
            SELECT token_hash FROM password_reset_tokens WHERE expires_at <= %(now)s FOR UPDATE SKIP LOCKED)
        """,
        {"now": now},
    )


def lock_profile(connection: Connection[Any], user_id: UUID) -> Cursor[dict[str, Any]]:
    """What a person may change of themselves, as nobody else changes it before this transaction ends."""
    return connection.cursor(row_factory=dict_row).execute(
        "SELECT first_name, last_name, phone FROM users WHERE id = %(id)s FOR NO KEY UPDATE", {"id": user_id}
    )


def change_profile(
    connection: Connection[Any], user_id: UUID, profile: dict[str, Any], now: datetime
) -> None:
    connection.execute(
        """
        UPDATE users SET first_name = %(first_name)s, last_name = %(last_name)s, phone = %(phone)s,
               updated_at = %(now)s
         WHERE id = %(id)s
        """,
        {**profile, "id": user_id, "now": now},
    )


def find_profile(connection: Connection[Any], user_id: UUID) -> Cursor[dict[str, Any]]:
    """The person, and what everybody may read of them when they teach."""
    return connection.cursor(row_factory=dict_row).execute(
        """
        SELECT users.id, email::text, first_name, last_name, phone, role::text, status::text, users.created_at,
               CASE WHEN tutors.id IS NOT NULL
                    THEN jsonb_build_object('display_name', display_name, 'bio_fr', bio_fr) END AS tutor
          FROM users LEFT JOIN tutors USING (id) WHERE users.id = %(id)s
        """,
        {"id": user_id},
    )
