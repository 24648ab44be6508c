"""What is not worth telling any more: a reminder of what has begun, the token of a reset that is over (decision 27)."""

from datetime import datetime
from typing import Any

from psycopg import Connection

from domain.webhooks.event_types import EVENTS
from domain.webhooks.outcomes import Outcome
from domain.webhooks.reasons import EXPIRED

WITH_SECRETS = [event.name for event in EVENTS.values() if event.carries_secret]


def expire(connection: Connection[Any], now: datetime) -> int:
    """Give up what has expired and waits, and say so; a body with a secret goes. Answers how many there were."""
    return len(_expire(connection, None, now))


def expire_one(connection: Connection[Any], event_id: str, now: datetime) -> Outcome | None:
    """The same for one event; None when it has not expired, or does not wait."""
    for event_type, status in _expire(connection, event_id, now):
        return Outcome(event_id, event_type, status)
    return None


def _expire(connection: Connection[Any], event_id: str | None, now: datetime) -> list[tuple[str, str]]:
    """What an administrator sent again rests as before; what is with Make at this moment is left alone.

    A dispatcher whose lease has run out is dead: what it had with it expires.
    """
    return connection.execute(
        """
        UPDATE outbox SET status = coalesce(resting_status, 'cancelled'), lease_until = NULL, trigger = 'auto',
               redelivery_id = NULL, resting_status = NULL, forcing = false, next_attempt_at = %(now)s,
               last_error = CASE WHEN resting_status IS NULL THEN %(expired)s ELSE last_error END,
               body = CASE WHEN type = ANY(%(with_secrets)s) THEN NULL ELSE body END
         WHERE event_id IN (SELECT event_id FROM outbox
                             WHERE expires_at <= %(now)s AND body IS NOT NULL
                               AND (status IN ('pending', 'retrying', 'held', 'enqueued', 'skipped')
                                    OR status = 'delivering' AND lease_until <= %(now)s)
                               AND (%(event_id)s::text IS NULL OR event_id = %(event_id)s)
                             ORDER BY event_id FOR UPDATE SKIP LOCKED)
        RETURNING type, status::text
        """,
        {"event_id": event_id, "now": now, "expired": EXPIRED, "with_secrets": WITH_SECRETS},
    ).fetchall()


def forget_secrets(connection: Connection[Any], now: datetime) -> int:
    """Empty the bodies of what rests and carries a secret that is no longer good for anything. Answers how many."""
    return connection.execute(
        """
        UPDATE outbox SET body = NULL
         WHERE event_id IN (SELECT event_id FROM outbox
                             WHERE expires_at <= %(now)s AND body IS NOT NULL AND type = ANY(%(with_secrets)s)
                               AND status IN ('delivered', 'exhausted', 'cancelled')
                             ORDER BY event_id FOR UPDATE SKIP LOCKED)
        """,
        {"now": now, "with_secrets": WITH_SECRETS},
    ).rowcount
