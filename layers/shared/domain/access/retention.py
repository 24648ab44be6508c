"""Ways back into an account that open nothing any more are not kept; one that was used is deleted at once."""

from datetime import datetime
from typing import Any

from psycopg import Connection


def delete_expired_reset_tokens(connection: Connection[Any], now: datetime, at_most: int) -> int:
    """Delete up to `at_most` expired tokens of lost passwords, nobody's included; answers how many."""
    return connection.execute(
        """
        WITH expired AS MATERIALIZED (
            SELECT token_hash FROM password_reset_tokens WHERE expires_at <= %(now)s
             ORDER BY expires_at LIMIT %(at_most)s FOR UPDATE SKIP LOCKED)
        DELETE FROM password_reset_tokens USING expired
         WHERE password_reset_tokens.token_hash = expired.token_hash
        """,
        {"now": now, "at_most": at_most},
    ).rowcount
