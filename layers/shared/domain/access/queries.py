"""The SQL of access. Locks are taken in this order: reset tokens, the person, sessions."""

from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg import Connection, Cursor
from psycopg.rows import dict_row, tuple_row


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
