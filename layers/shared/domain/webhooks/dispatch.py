"""From the queue to Make.com: claim an event, post its bytes, write down what came of it.

No transaction is open while Make is called. A message that comes twice finds nothing to claim.
"""

import random
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from psycopg import Connection
from psycopg.rows import class_row

from domain.webhooks import endpoints, outcomes
from domain.webhooks.delivery import Delivery, EndpointMissing, Receiver
from domain.webhooks.outcomes import Outcome

LEASE = timedelta(minutes=2)


def dispatch(
    connection: Connection[Any],
    receiver: Receiver,
    event_id: str,
    now: datetime,
    draw: Callable[[], float] = random.random,
) -> Outcome | None:
    """Deliver one event; None when somebody else is at it, has done it, or it is not its time."""
    event_type = _claimable_type(connection, event_id, now)
    if event_type is None:
        return None
    try:
        area = receiver.route(event_type)
    except EndpointMissing:
        return outcomes.skip(connection, event_id, event_type)
    delivery = _claim(connection, event_id, area, now)
    if delivery is None:
        parked = endpoints.park(connection, event_id, area)
        return Outcome(event_id, event_type, parked) if parked else None
    failure = receiver.post(delivery, now)
    if failure is None:
        return outcomes.write_success(connection, delivery, now)
    return outcomes.write_failure(connection, delivery, failure, now, draw())


def _claimable_type(connection: Connection[Any], event_id: str, now: datetime) -> str | None:
    row = connection.execute(
        """
        SELECT type FROM outbox
         WHERE event_id = %(event_id)s AND body IS NOT NULL
           AND (status = 'enqueued' OR (status IN ('pending', 'retrying') AND next_attempt_at <= %(now)s))
        """,
        {"event_id": event_id, "now": now},
    ).fetchone()
    return str(row[0]) if row else None


def _claim(connection: Connection[Any], event_id: str, area: str, now: datetime) -> Delivery | None:
    """Take the event for ourselves, unless its endpoint is left alone: only canaries and a person may knock."""
    return (
        connection.cursor(row_factory=class_row(Delivery))
        .execute(
            """
            UPDATE outbox SET status = 'delivering', lease_until = %(lease_until)s, endpoint = %(area)s,
                   attempts = attempts + (trigger = 'auto')::integer
             WHERE event_id = %(event_id)s
               AND (status = 'enqueued' OR (status IN ('pending', 'retrying') AND next_attempt_at <= %(now)s))
               AND (trigger = 'canary' OR (trigger = 'manual' AND redelivery_id IS NULL)
                    OR NOT EXISTS (SELECT FROM webhook_endpoints WHERE area = %(area)s AND state <> 'active'))
            RETURNING event_id, type, body, endpoint, trigger, forced, resting_status::text,
                      attempts + (trigger <> 'auto')::integer AS attempt
            """,
            {"event_id": event_id, "area": area, "now": now, "lease_until": now + LEASE},
        )
        .fetchone()
    )
