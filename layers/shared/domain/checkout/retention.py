"""How long the snapshot of a purchase is kept: it holds, until it ends, a password's hash (§5.9).

Orders keep what was sold and to where; nothing refers to a checkout that has ended.
"""

from datetime import datetime, timedelta
from typing import Any

from psycopg import Connection

KEPT_ONCE_PAID = timedelta(days=90)
KEPT_ONCE_ABANDONED = timedelta(hours=24)


def forget_hashes(connection: Connection[Any], now: datetime, at_most: int) -> int:
    """Null the password hashes of up to `at_most` checkouts that were left open long after they could be paid.

    Not while an intent is not known to be closed: should it be paid after all, it opens the account with the chosen
    password (decision 19). Closing it is what reconciliation does, and an alarm tells when it cannot.
    """
    return connection.execute(
        """
        WITH stale AS MATERIALIZED (
            SELECT id FROM checkouts
             WHERE expires_at < %(until)s AND buyer ? 'password_hash'
               AND (payment_intent_id IS NULL OR intent_closed_at IS NOT NULL)
             ORDER BY expires_at LIMIT %(at_most)s FOR NO KEY UPDATE SKIP LOCKED)
        UPDATE checkouts SET buyer = buyer - 'password_hash' FROM stale WHERE checkouts.id = stale.id
        """,
        {"until": now - KEPT_ONCE_ABANDONED, "at_most": at_most},
    ).rowcount


def delete_ended(connection: Connection[Any], now: datetime, at_most: int) -> int:
    """Delete up to `at_most` checkouts that ended long enough ago; answers how many.

    One that may still be paid is left, however old, until reconciliation has seen to it that it cannot (0013).
    """
    return connection.execute(
        """
        WITH paid AS MATERIALIZED (
            SELECT id FROM checkouts WHERE status IN ('settled', 'refunded') AND settled_at < %(paid_until)s
             ORDER BY settled_at LIMIT %(at_most)s FOR UPDATE SKIP LOCKED),
        abandoned AS MATERIALIZED (
            SELECT id FROM checkouts
             WHERE status IN ('failed', 'cancelled') AND expires_at < %(abandoned_until)s
               AND (payment_intent_id IS NULL OR intent_closed_at IS NOT NULL)
             ORDER BY expires_at LIMIT %(at_most)s - (SELECT count(*) FROM paid) FOR UPDATE SKIP LOCKED)
        DELETE FROM checkouts USING (SELECT id FROM paid UNION ALL SELECT id FROM abandoned) AS ended
         WHERE checkouts.id = ended.id
        """,
        {
            "paid_until": now - KEPT_ONCE_PAID,
            "abandoned_until": now - KEPT_ONCE_ABANDONED,
            "at_most": at_most,
        },
    ).rowcount
