"""From the queue to Make.com: claim an event, post its bytes, write down what came of it.

No transaction is open while Make is called. A message that comes twice finds nothing to claim.
"""

import random
from collections.abc import Callable
from datetime import datetime, timedelta
from time import sleep
from typing import Any

from psycopg import Connection
from psycopg.rows import class_row

from domain.webhooks import endpoints, expiry, outcomes, pace
from domain.webhooks.delivery import Delivery, EndpointMissing, Receiver, Route
from domain.webhooks.outcomes import Outcome

LEASE = timedelta(minutes=2)


def dispatch(
    connection: Connection[Any],
    receiver: Receiver,
    event_id: str,
    now: datetime,
    draw: Callable[[], float] = random.random,
    wait: Callable[[float], None] = sleep,
) -> Outcome | None:
    """Deliver one event, at its lane's pace; None when somebody else is at it, has done it, or it is not its time.

    `wait` takes the seconds until the departure. An event without a URL is skipped, one whose endpoint is left alone
    is parked, one whose lane is busy for longer goes back to the relay. So does one whose receiver asked for patience
    while it waited for its departure.
    """
    claimable = _find_claimable(connection, event_id, now)
    if claimable is None:
        return expiry.expire_one(connection, event_id, now)
    event_type, due_at = claimable
    try:
        route = receiver.route(event_type)
    except EndpointMissing:
        return outcomes.skip(connection, event_id, event_type)
    if parked := endpoints.park(connection, event_id, route.area):
        return Outcome(event_id, event_type, parked)
    departure = pace.take_departure(connection, route.lane, receiver.per_second, max(now, due_at))
    if departure is None:
        pace.put_off(connection, event_id, route.lane)
        return None
    wait(max(0.0, (departure - now).total_seconds()))
    now = max(now, departure)
    delivery = _claim(connection, event_id, route, now)
    if delivery is None:
        parked = endpoints.park(connection, event_id, route.area)
        if parked is None:
            pace.put_off(connection, event_id, route.lane)
        return Outcome(event_id, event_type, parked) if parked else None
    failure = receiver.post(delivery, now)
    if failure is None:
        return outcomes.write_success(connection, delivery, receiver.per_second, now)
    return outcomes.write_failure(connection, delivery, failure, now, draw())


def _find_claimable(connection: Connection[Any], event_id: str, now: datetime) -> tuple[str, datetime] | None:
    """The type of an event that may be posted now or within LONGEST_WAIT, and from when; None when it may not.

    A message that comes twice, or from before a receiver asked for patience, may come long before its event's time.
    A canary is not bound by its event's next attempt.
    """
    return connection.execute(
        """
        SELECT type, due_at
          FROM outbox CROSS JOIN LATERAL (
               SELECT greatest(%(now)s, not_before, CASE WHEN trigger <> 'canary' THEN next_attempt_at END)
                      AS due_at) AS due
         WHERE event_id = %(event_id)s AND body IS NOT NULL AND (expires_at IS NULL OR expires_at > %(now)s)
           AND status IN ('enqueued', 'pending', 'retrying') AND due_at <= %(soon)s
        """,
        {"event_id": event_id, "now": now, "soon": now + pace.LONGEST_WAIT},
    ).fetchone()


def _claim(connection: Connection[Any], event_id: str, route: Route, now: datetime) -> Delivery | None:
    """Take the event for ourselves, unless its endpoint is left alone: only canaries and a person may knock.

    Nobody posts to a lane whose receiver asks for patience.
    """
    return (
        connection.cursor(row_factory=class_row(Delivery))
        .execute(
            """
            UPDATE outbox SET status = 'delivering', lease_until = %(lease_until)s, endpoint = %(area)s,
                   attempts = attempts + (trigger = 'auto')::integer
             WHERE event_id = %(event_id)s AND body IS NOT NULL AND (expires_at IS NULL OR expires_at > %(now)s)
               AND status IN ('enqueued', 'pending', 'retrying') AND (trigger = 'canary' OR next_attempt_at <= %(now)s)
               AND NOT EXISTS (SELECT FROM webhook_lanes WHERE lane = %(lane)s AND not_before > %(now)s)
               AND (trigger = 'canary' OR (trigger = 'manual' AND redelivery_id IS NULL)
                    OR NOT EXISTS (SELECT FROM webhook_endpoints WHERE area = %(area)s AND state <> 'active'))
            RETURNING event_id, type, body, endpoint, trigger, forced, forcing, resting_status::text,
                      attempts + (trigger <> 'auto')::integer AS attempt, %(lane)s AS lane, lease_until
            """,
            {
                "event_id": event_id,
                "area": route.area,
                "lane": route.lane,
                "now": now,
                "lease_until": now + LEASE,
            },
        )
        .fetchone()
    )
