"""How fast events leave for a URL: so many a second, whoever sends them (decision 27).

A lane is a URL. Its departures lie on a grid; whoever posts takes the next one that is free, and waits for it. A
receiver that asks for patience moves the lane's next departure.
"""

from datetime import datetime, timedelta
from typing import Any

from psycopg import Connection

from domain.webhooks.delivery import Failure
from domain.webhooks.retries import LONGEST_RETRY_AFTER

LONGEST_WAIT = timedelta(seconds=2)
"""How far ahead of now a departure may be taken; beyond, the event goes back to the relay."""


def take_departure(connection: Connection[Any], lane: str, per_second: int, now: datetime) -> datetime | None:
    """The next departure of a lane, ours alone; None when it is too far ahead."""
    row = connection.execute(
        """
        INSERT INTO webhook_lanes AS taken (lane, free_at)
        VALUES (%(lane)s, next_departure(%(now)s, %(rate)s) + make_interval(secs => 1.0 / %(rate)s))
        ON CONFLICT (lane) DO UPDATE
           SET free_at = next_departure(greatest(taken.free_at, %(now)s), %(rate)s)
                         + make_interval(secs => 1.0 / %(rate)s)
         WHERE next_departure(greatest(taken.free_at, %(now)s), %(rate)s) <= %(until)s
        RETURNING free_at - make_interval(secs => 1.0 / %(rate)s)
        """,
        {"lane": lane, "rate": per_second, "now": now, "until": now + LONGEST_WAIT},
    ).fetchone()
    return row[0] if row else None


def put_off(connection: Connection[Any], event_id: str, lane: str) -> None:
    """Give an event back to the relay, which finds a time for it when its lane is free again."""
    connection.execute(
        """
        UPDATE outbox SET lease_until = NULL,
               status = CASE WHEN status = 'enqueued' AND attempts = 0 THEN 'pending'::delivery_status
                             WHEN status = 'enqueued' THEN 'retrying' ELSE status END,
               trigger = own_trigger(outbox),
               next_attempt_at = greatest(next_attempt_at, free_at)
          FROM webhook_lanes
         WHERE event_id = %(event_id)s AND lane = %(lane)s AND status IN ('enqueued', 'pending', 'retrying')
        """,
        {"event_id": event_id, "lane": lane},
    )


def bind(connection: Connection[Any], lane: str, failure: Failure, now: datetime) -> None:
    """Nothing leaves for the URL before its receiver's Retry-After is over, six hours at most; later ones stand."""
    if not failure.binds_the_endpoint or failure.retry_after is None:
        return
    connection.execute(
        """
        INSERT INTO webhook_lanes AS bound (lane, free_at, not_before) VALUES (%(lane)s, %(until)s, %(until)s)
        ON CONFLICT (lane) DO UPDATE SET free_at = greatest(bound.free_at, excluded.free_at),
                                         not_before = greatest(bound.not_before, excluded.not_before)
        """,
        {"lane": lane, "until": now + min(failure.retry_after, LONGEST_RETRY_AFTER)},
    )
