"""What ends of a person's checkouts when they sign out, or when every way into their account ends."""

from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg import Connection


def end_sign_ins(connection: Connection[Any], user_id: UUID, now: datetime) -> None:
    """No checkout signs this person in any more."""
    connection.execute(
        """
        UPDATE checkouts SET signed_in_at = %(now)s
         WHERE user_id = %(user_id)s AND account_created AND signed_in_at IS NULL
        """,
        {"user_id": user_id, "now": now},
    )


def forget_guests(connection: Connection[Any], user_id: UUID) -> None:
    """The cookies that this person bought with, or was paying with before they signed in, read no checkout any more.

    Nor do the secrets of their payments read an order: they stand in the addresses that a browser remembers.

    An order is as old as its checkout is settled, so that those whose checkouts were deleted are not looked at.
    """
    connection.execute(
        """
        UPDATE checkouts
           SET session_hash = NULL, client_secret_hash = CASE WHEN order_id IS NULL THEN client_secret_hash END
         WHERE (order_id = ANY(ARRAY(
                    SELECT id FROM orders
                     WHERE user_id = %(user_id)s
                       AND created_at >= (SELECT min(settled_at) FROM checkouts WHERE status = 'settled')))
                OR cart_id = ANY(ARRAY(SELECT id FROM carts WHERE user_id = %(user_id)s))
                   AND status NOT IN ('open', 'processing'))
           AND (session_hash IS NOT NULL OR (order_id IS NOT NULL AND client_secret_hash IS NOT NULL))
        """,
        {"user_id": user_id},
    )
