"""What the cookie of a guest still stands for."""

from typing import Any
from uuid import UUID

from psycopg import Connection

from domain.accounts.callers import Buyer


def is_known(connection: Connection[Any], guest: Buyer) -> bool:
    """Whether a cart or a checkout is this guest's: neither is once they are an account's, and its owner signed out."""
    row = connection.execute(
        """
        SELECT EXISTS (SELECT FROM carts WHERE session_hash = %(session_hash)s)
            OR EXISTS (SELECT FROM checkouts WHERE session_hash = %(session_hash)s)
        """,
        {"session_hash": guest.session_hash},
    ).fetchone()
    return bool(row and row[0])


def has_started(connection: Connection[Any], guest: Buyer, checkout_id: UUID | None) -> bool:
    """Whether that checkout is this guest's."""
    row = connection.execute(
        "SELECT FROM checkouts WHERE id = %(id)s AND session_hash = %(session_hash)s",
        {"id": checkout_id, "session_hash": guest.session_hash},
    ).fetchone()
    return row is not None
