"""Guests' carts are kept as long as the cookie that opens them (spec 5.9)."""

from datetime import datetime, timedelta
from typing import Any

from psycopg import Connection

IDLE = timedelta(days=30)


def delete_idle_guest_carts(connection: Connection[Any], now: datetime, at_most: int) -> int:
    """Delete up to `at_most` guests' carts that nobody changed for IDLE; answers how many.

    A cart that is being paid with stays until its checkout has ended.
    """
    return connection.execute(
        """
        WITH idle AS MATERIALIZED (
            SELECT id FROM carts
             WHERE session_hash IS NOT NULL AND updated_at < %(until)s
               AND NOT EXISTS (SELECT FROM checkouts WHERE cart_id = carts.id AND status IN ('open', 'processing'))
             ORDER BY updated_at LIMIT %(at_most)s FOR UPDATE SKIP LOCKED)
        DELETE FROM carts USING idle WHERE carts.id = idle.id
        """,
        {"until": now - IDLE, "at_most": at_most},
    ).rowcount
