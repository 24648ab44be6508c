"""From the outbox to the queue. The queue carries ids only; the outbox keeps the facts.

A run puts no more on the queue than a lane lets through until the next one, each to appear at its departure: what is
new before what is sent again. Whoever posts keeps the pace to the fifth of a second (`domain.webhooks.pace`).
"""

import math
from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple, Protocol

from psycopg import Connection

from domain.webhooks import endpoints, expiry
from domain.webhooks.delivery import Routes

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
    """An event that is about to be put on the queue; `lane_at` is when its lane has a place, None without a lane."""

    event_id: str
    due_at: datetime
    lane: str | None
    lane_at: datetime | None
    created_at: datetime
    ordering_key: str
    sequence: int


class Queue(Protocol):
    def send(self, messages: Sequence[Message]) -> Sequence[str]:
        """Put ids on the queue; answers those that could not be."""


def relay(
    connection: Connection[Any],
    queue: Queue,
    routes: Routes,
    per_second: int,
    now: datetime,
    rounds: int = 1,
) -> int:
    """Put every due event on the queue, a hundred a round; answers how many. This is the schedule's run."""
    until = now + LOOK_AHEAD
    end_what_expired(connection, now)
    endpoints.follow_routes(connection, routes)
    enqueued = _send(connection, queue, endpoints.take_canaries(connection, routes, now, until), now)
    for _ in range(rounds):
        due = take_due(connection, routes, per_second, now, until, BATCH)
        sent = _send(connection, queue, due, now)
        enqueued += sent
        if not due or sent < len(due):
            break
    return enqueued


def end_what_expired(connection: Connection[Any], now: datetime) -> None:
    """Give up what is not worth telling any more and empty what carries a dead secret, whether events leave or not."""
    expiry.expire(connection, now)
    expiry.forget_secrets(connection, now)


def nudge(connection: Connection[Any], queue: Queue, now: datetime) -> int:
    """Put what was just recorded on the queue, in one call (b.6); answers how many. The next run finds the rest."""
    return _send(connection, queue, take_new(connection, now), now)


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


IS_DUE = """
    ((status IN ('pending', 'retrying') AND next_attempt_at <= %(until)s)
     OR (status IN ('enqueued', 'delivering') AND lease_until <= %(now)s)
     OR (status = 'held' AND (not_before IS NULL OR not_before <= %(until)s)))
    AND body IS NOT NULL
    AND (trigger = 'manual' AND redelivery_id IS NULL AND status <> 'held' OR status IN ('enqueued', 'delivering')
         OR NOT EXISTS (SELECT FROM webhook_endpoints WHERE area = outbox.endpoint AND state <> 'active'))
"""
"""An event whose queue message or whose dispatcher was lost is due again when its lease has run out; so is one that
is held although its endpoint is in service. What waits for an endpoint that is left alone is not due."""


def take_due(
    connection: Connection[Any],
    routes: Routes,
    per_second: int,
    now: datetime,
    until: datetime,
    at_most: int,
) -> list[tuple[str, datetime]]:
    """Lease the events that come due by `until`, as many as their lanes have room for; answers each id and its time.

    A lane's places are those of its pace from now, or from when its receiver wants to be called again, less what
    is on the queue already.
    """
    rows = connection.execute(
        f"""
        WITH route AS (
            SELECT * FROM unnest(%(types)s::text[], %(lanes)s::text[]) AS route (type, lane)),
        queued AS (
            SELECT lane, count(*) AS events FROM outbox JOIN route USING (type)
             WHERE status = 'enqueued' AND lease_until > %(now)s GROUP BY lane),
        room AS (
            SELECT type, lane, places,
                   from_at + make_interval(secs => coalesce(events, 0)::float / %(rate)s) AS lane_at
              FROM route LEFT JOIN webhook_lanes USING (lane) LEFT JOIN queued USING (lane)
             CROSS JOIN LATERAL (SELECT greatest(%(now)s, free_at) AS from_at) AS start
             CROSS JOIN LATERAL (SELECT floor(extract(epoch FROM %(until)s - from_at) * %(rate)s)
                                        - coalesce(events, 0) AS places) AS free),
        ranked AS (
            SELECT event_id, places, redelivery_id IS NOT NULL AS again, created_at, ordering_key, sequence,
                   row_number() OVER (PARTITION BY lane
                                      ORDER BY redelivery_id IS NOT NULL, created_at, ordering_key, sequence) AS place
              FROM outbox LEFT JOIN room USING (type)
             WHERE {IS_DUE}),
        chosen AS (
            SELECT event_id FROM ranked WHERE place <= coalesce(places, place)
             ORDER BY again, created_at, ordering_key, sequence LIMIT %(at_most)s),
        due AS (
            SELECT event_id FROM outbox WHERE event_id IN (SELECT event_id FROM chosen) AND {IS_DUE}
             ORDER BY event_id FOR UPDATE SKIP LOCKED)
        UPDATE outbox SET status = 'enqueued',
               lease_until = greatest(outbox.next_attempt_at, room.lane_at, %(now)s) + %(lease)s,
               trigger = own_trigger(outbox)
          FROM due JOIN outbox AS known USING (event_id) LEFT JOIN room USING (type)
         WHERE outbox.event_id = due.event_id
        RETURNING outbox.event_id, outbox.next_attempt_at, room.lane, room.lane_at, outbox.created_at,
                  outbox.ordering_key, outbox.sequence
        """,  # noqa: S608  a constant of this module
        {
            "now": now,
            "until": until,
            "lease": ENQUEUED_LEASE,
            "at_most": at_most,
            "rate": per_second,
            "types": list(routes),
            "lanes": [route.lane for route in routes.values()],
        },
    ).fetchall()
    return _departures(_in_sequence([Due(*row) for row in rows]), per_second)


def take_new(connection: Connection[Any], now: datetime) -> list[tuple[str, datetime]]:
    """Lease what was recorded in the last minute and nobody has tried; answers each id and now."""
    rows = connection.execute(
        """
        WITH new AS (
            SELECT event_id FROM outbox
             WHERE status = 'pending' AND trigger = 'auto' AND attempts = 0 AND next_attempt_at <= %(now)s
               AND next_attempt_at > %(recently)s AND created_at > %(recently)s
             ORDER BY created_at, ordering_key, sequence LIMIT %(at_most)s FOR UPDATE SKIP LOCKED)
        UPDATE outbox SET status = 'enqueued', lease_until = %(now)s + %(lease)s
          FROM new WHERE outbox.event_id = new.event_id
        RETURNING outbox.event_id, next_attempt_at, NULL, NULL, created_at, ordering_key, sequence
        """,
        {"now": now, "recently": now - LOOK_AHEAD, "lease": ENQUEUED_LEASE, "at_most": NUDGED},
    ).fetchall()
    return [(event.event_id, event.due_at) for event in _in_sequence([Due(*row) for row in rows])]


def _in_sequence(due: Sequence[Due]) -> list[Due]:
    """Oldest first, and an aggregate's one after the other in their sequence (b.5), whoever's clock was late."""
    oldest: dict[str, datetime] = {}
    for event in due:
        oldest[event.ordering_key] = min(event.created_at, oldest.get(event.ordering_key, event.created_at))
    return sorted(due, key=lambda event: (oldest[event.ordering_key], event.ordering_key, event.sequence))


def _departures(due: Sequence[Due], per_second: int) -> list[tuple[str, datetime]]:
    """When each may leave: not before it is due, nor before the second of its place in its lane."""
    before: Counter[str] = Counter()
    times = []
    for event in due:
        at = event.due_at
        if event.lane is not None and event.lane_at is not None:
            at = max(at, event.lane_at + timedelta(seconds=before[event.lane] // per_second))
            before[event.lane] += 1
        times.append((event.event_id, at))
    return times


def put_back(connection: Connection[Any], event_ids: Sequence[str]) -> None:
    """Events that could not be put on the queue are due as they were."""
    connection.execute(
        """
        UPDATE outbox SET lease_until = NULL,
               status = CASE WHEN attempts = 0 THEN 'pending'::delivery_status ELSE 'retrying' END,
               trigger = own_trigger(outbox)
         WHERE event_id = ANY(%(event_ids)s) AND status = 'enqueued'
        """,
        {"event_ids": list(event_ids)},
    )
