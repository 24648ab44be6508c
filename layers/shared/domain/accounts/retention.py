"""Sessions that open nothing any more are not kept."""

from datetime import datetime
from typing import Any

from psycopg import Connection


def delete_expired_sessions(connection: Connection[Any], now: datetime, at_most: int) -> int:
    """Delete up to `at_most` sessions that have expired, revoked or not; answers how many."""
    return connection.execute(
        """
        WITH expired AS MATERIALIZED (
            SELECT token_hash FROM auth_sessions WHERE expires_at <= %(now)s
             ORDER BY expires_at LIMIT %(at_most)s FOR UPDATE SKIP LOCKED)
        DELETE FROM auth_sessions USING expired WHERE auth_sessions.token_hash = expired.token_hash
        """,
        {"now": now, "at_most": at_most},
    ).rowcount
