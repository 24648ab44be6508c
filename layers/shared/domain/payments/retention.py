"""How long it is remembered which of the payment service's events were seen (spec 5.9)."""

from datetime import datetime, timedelta
from typing import Any

from psycopg import Connection

KEPT = timedelta(days=397)
"""Thirteen months at their longest."""


def delete_old_events(connection: Connection[Any], now: datetime, at_most: int) -> int:
    """Forget up to `at_most` events received longer ago than KEPT; answers how many."""
    return connection.execute(
        """
        WITH old AS MATERIALIZED (
            SELECT source, external_event_id FROM webhook_events WHERE received_at < %(until)s
             ORDER BY received_at LIMIT %(at_most)s FOR UPDATE SKIP LOCKED)
        DELETE FROM webhook_events USING old
         WHERE (webhook_events.source, webhook_events.external_event_id) = (old.source, old.external_event_id)
        """,
        {"until": now - KEPT, "at_most": at_most},
    ).rowcount
