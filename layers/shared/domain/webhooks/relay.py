"""From the outbox to the queue. The queue carries ids only; the outbox keeps the facts."""

import math
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple, Protocol

from psycopg import Connection

from domain.webhooks import endpoints

BATCH = 100
NUDGED = 10
"""As many as one call to SQS carries."""
LOOK_AHEAD = timedelta(seconds=60)
"""A run takes what comes due until the next one, each to appear on the queue at its own second."""
ENQUEUED_LEASE = timedelta(minutes=10)


class Message(NamedTuple):
    """An event's id, and in how many seconds the dispatcher may see it: at most 900, which is all SQS can."""

    event_id: str
    delay_seconds: int = 0


class Due(NamedTuple):
    """An event that is about to be put on the queue."""

    event_id: str
    due_at: datetime
    created_at: datetime
    ordering_key: str
    sequence: int


class Queue(Protocol):
    def send(self, messages: Sequence[Message]) -> Sequence[str]:
        """Put ids on the queue; answers those that could not be."""


def relay(connection: Connection[Any], queue: Queue, now: datetime, rounds: int = 1) -> int:
    """Put every due event on the queue, a hundred a round; answers how many. This is the schedule's run."""
    until = now + LOOK_AHEAD
    enqueued = _send(connection, queue, endpoints.take_canaries(connection, now, until), now)
    for _ in range(rounds):
        due = take_due(connection, now, until, BATCH)
        sent = _send(connection, queue, due, now)
        enqueued += sent
        if len(due) < BATCH or sent < len(due):
            break
    return enqueued


def nudge(connection: Connection[Any], queue: Queue, now: datetime) -> int:
    """Put what was just recorded on the queue, in one call (b.6); answers how many. The next run finds the rest."""
    return _send(connection, queue, take_due(connection, now, now, NUDGED), now)


def _send(
    connection: Connection[Any], queue: Queue, due: Sequence[tuple[str, datetime]], now: datetime
) -> int:
    if not due:
        return 0
    refused = queue.send([Message(event_id, seconds_until(at, now)) for event_id, at in due])
    if refused:
        put_back(connection, refused)
    return len(due) - len(refused)


def seconds_until(at: datetime, now: datetime) -> int:
    """Whole seconds, never too few; 0 for what is past."""
    return max(0, math.ceil((at - now).total_seconds()))


def take_due(
    connection: Connection[Any], now: datetime, until: datetime, at_most: int
) -> list[tuple[str, datetime]]:
    """Lease the events that come due by `until`, oldest first; answers each id and when it is due.

    An event whose queue message or whose dispatcher was lost is due again when its lease has run out; so is one
    that is held although its endpoint is in service. What waits for an endpoint that is left alone is not due.
    """
    rows = connection.execute(
        """
        WITH due AS (
            SELECT event_id FROM outbox
             WHERE ((status IN ('pending', 'retrying') AND next_attempt_at <= %(until)s)
                    OR (status IN ('enqueued', 'delivering') AND lease_until <= %(now)s)
                    OR status = 'held')
               AND (trigger = 'manual' AND redelivery_id IS NULL OR status IN ('enqueued', 'delivering')
                    OR NOT EXISTS (SELECT FROM webhook_endpoints
                                    WHERE area = outbox.endpoint AND state <> 'active'))
             ORDER BY created_at, ordering_key, sequence LIMIT %(at_most)s FOR UPDATE SKIP LOCKED)
        UPDATE outbox SET status = 'enqueued', lease_until = greatest(next_attempt_at, %(now)s) + %(lease)s,
               trigger = CASE WHEN trigger = 'canary' THEN 'auto' ELSE trigger END
          FROM due WHERE outbox.event_id = due.event_id
        RETURNING outbox.event_id, next_attempt_at, created_at, ordering_key, sequence
        """,
        {"now": now, "until": until, "lease": ENQUEUED_LEASE, "at_most": at_most},
    ).fetchall()
    return _in_sequence([Due(*row) for row in rows])


def _in_sequence(due: Sequence[Due]) -> list[tuple[str, datetime]]:
    """Oldest first, and an aggregate's one after the other in their sequence (b.5), whoever's clock was late."""
    oldest: dict[str, datetime] = {}
    for event in due:
        oldest[event.ordering_key] = min(event.created_at, oldest.get(event.ordering_key, event.created_at))
    ordered = sorted(due, key=lambda event: (oldest[event.ordering_key], event.ordering_key, event.sequence))
    return [(event.event_id, event.due_at) for event in ordered]


def put_back(connection: Connection[Any], event_ids: Sequence[str]) -> None:
    """Events that could not be put on the queue are due as they were."""
    connection.execute(
        """
        UPDATE outbox SET lease_until = NULL,
               status = CASE WHEN attempts = 0 THEN 'pending'::delivery_status ELSE 'retrying' END,
               trigger = CASE WHEN trigger = 'canary' THEN 'auto' ELSE trigger END
         WHERE event_id = ANY(%(event_ids)s) AND status = 'enqueued'
        """,
        {"event_ids": list(event_ids)},
    )
