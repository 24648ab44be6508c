"""What is forgotten of deliveries, and when (make-webhooks R-1 to R-3). Each function is one bounded step."""

from datetime import datetime, timedelta
from typing import Any

from psycopg import Connection

from domain.webhooks.event_types import EVENTS

KEEP_BODIES = timedelta(days=90)
KEEP_ROWS = timedelta(days=396)
"""Thirteen months."""
KEEP_ATTEMPTS = timedelta(days=30)
KEEP_UNRECORDED = timedelta(hours=72)


def forget_bodies(connection: Connection[Any], now: datetime, at_most: int) -> int:
    """Empty the bodies of old events that Make has, or that were given up; the rest of the row stays.

    What is not delivered keeps its body: it can still be told.
    """
    return connection.execute(
        """
        UPDATE outbox SET body = NULL
         WHERE event_id IN (SELECT event_id FROM outbox
                             WHERE created_at < %(before)s AND body IS NOT NULL AND status IN ('delivered', 'cancelled')
                             ORDER BY created_at LIMIT %(at_most)s FOR UPDATE SKIP LOCKED)
        """,
        {"before": now - KEEP_BODIES, "at_most": at_most},
    ).rowcount


def delete_rows(connection: Connection[Any], now: datetime, at_most: int) -> int:
    """Delete what was delivered or given up thirteen months ago; its key and its number stay (b.4, b.5)."""
    return connection.execute(
        """
        WITH gone AS (
            DELETE FROM outbox
             WHERE event_id IN (SELECT event_id FROM outbox
                                 WHERE created_at < %(before)s AND status IN ('delivered', 'cancelled')
                                 ORDER BY created_at LIMIT %(at_most)s FOR UPDATE SKIP LOCKED)
            RETURNING dedupe_key, ordering_key, sequence)
        INSERT INTO outbox_forgotten SELECT dedupe_key, ordering_key, sequence FROM gone
        """,
        {"before": now - KEEP_ROWS, "at_most": at_most},
    ).rowcount


def delete_attempts(connection: Connection[Any], now: datetime, at_most: int) -> int:
    """Delete the traces of old attempts."""
    return connection.execute(
        """
        DELETE FROM webhook_attempts
         WHERE id IN (SELECT id FROM webhook_attempts WHERE started_at < %(before)s
                       ORDER BY started_at LIMIT %(at_most)s FOR UPDATE SKIP LOCKED)
        """,
        {"before": now - KEEP_ATTEMPTS, "at_most": at_most},
    ).rowcount


def delete_unrecorded(connection: Connection[Any], now: datetime, at_most: int) -> int:
    """Delete administrators' events that were given up three days ago and nobody sent again."""
    return connection.execute(
        """
        WITH gone AS (
            DELETE FROM outbox
             WHERE event_id IN (SELECT event_id FROM outbox
                                 WHERE type = ANY(%(types)s) AND status IN ('exhausted', 'skipped', 'cancelled')
                                   AND next_attempt_at < %(before)s
                                 ORDER BY next_attempt_at LIMIT %(at_most)s FOR UPDATE SKIP LOCKED)
            RETURNING dedupe_key, ordering_key, sequence)
        INSERT INTO outbox_forgotten SELECT dedupe_key, ordering_key, sequence FROM gone
        """,
        {
            "types": [event.name for event in EVENTS.values() if not event.recorded],
            "before": now - KEEP_UNRECORDED,
            "at_most": at_most,
        },
    ).rowcount
