"""The right of whoever follows a settled checkout to be signed in by it, once."""

from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg import Connection, Cursor
from psycopg.rows import tuple_row

from domain.checkout.checkout import SIGN_IN_WINDOW


def take_sign_in(connection: Connection[Any], checkout_id: UUID, now: datetime) -> Cursor[Any]:
    """The one right to be signed in by a settled checkout: the buyer's id comes back once."""
    return connection.cursor(row_factory=tuple_row).execute(
        """
        UPDATE checkouts SET signed_in_at = %(now)s FROM orders
         WHERE checkouts.id = %(id)s AND orders.id = checkouts.order_id AND account_created
           AND signed_in_at IS NULL AND checkouts.settled_at > %(since)s
        RETURNING orders.user_id
        """,
        {"id": checkout_id, "now": now, "since": now - SIGN_IN_WINDOW},
    )
