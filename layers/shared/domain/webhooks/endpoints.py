"""The health of Make's URLs as it is kept, and the events that wait for it.

Whoever changes an endpoint locks its row before any event's, so that two dispatchers cannot wait in a circle.
"""

from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

from psycopg import Connection
from psycopg.rows import class_row

from domain.webhooks.breaker import Endpoint, after_failure, resumes_by_itself
from domain.webhooks.delivery import Failure, Routes
from domain.webhooks.reasons import GIVEN_UP, HELD

PROBE_LEASE = timedelta(minutes=10)


def note_failure(
    connection: Connection[Any], area: str, failure: Failure, probing: bool, now: datetime
) -> tuple[Endpoint, Endpoint]:
    """Count a failure against its endpoint; answers the endpoint before and after."""
    before = lock_endpoint(connection, area)
    after = after_failure(before, failure, probing, now)
    if after != before:
        write_endpoint(connection, after)
    if after.state == "paused" and before.state != "paused":
        hold_events(connection, area, {})
    return before, after


def note_success(connection: Connection[Any], area: str, per_second: int, now: datetime) -> bool:
    """Count a success; answers whether it put the endpoint back in service and its events on their way."""
    if not _is_news(connection, area, now):
        return False
    endpoint = lock_endpoint(connection, area)
    if endpoint.state == "active" or resumes_by_itself(endpoint):
        write_endpoint(connection, Endpoint(area, last_success_at=now))
    if not resumes_by_itself(endpoint):
        return False
    drain(connection, area, per_second, now)
    return True


def _is_news(connection: Connection[Any], area: str, now: datetime) -> bool:
    """Whether a success changes what is known; it is written once a minute, or every delivery would wait for it."""
    row = connection.execute(
        """
        SELECT state = 'active' AND consecutive_failures = 0 AND last_success_at > %(lately)s
          FROM webhook_endpoints WHERE area = %(area)s
        """,
        {"area": area, "lately": now - timedelta(minutes=1)},
    ).fetchone()
    return row is None or not row[0]


def find_endpoints(connection: Connection[Any]) -> list[Endpoint]:
    """Every endpoint that was ever tried."""
    return (
        connection.cursor(row_factory=class_row(Endpoint))
        .execute(
            """
            SELECT area, state, reason, consecutive_failures, failing_since, opened_at, probe_at, probe_wait_seconds,
                   last_success_at
              FROM webhook_endpoints
            """
        )
        .fetchall()
    )


def lock_endpoint(connection: Connection[Any], area: str) -> Endpoint:
    """An endpoint that nobody else changes until the transaction ends."""
    found = (
        connection.cursor(row_factory=class_row(Endpoint))
        .execute(
            """
            INSERT INTO webhook_endpoints (area) VALUES (%(area)s)
            ON CONFLICT (area) DO UPDATE SET area = excluded.area
            RETURNING area, state, reason, consecutive_failures, failing_since, opened_at, probe_at,
                      probe_wait_seconds, last_success_at
            """,
            {"area": area},
        )
        .fetchone()
    )
    return found or Endpoint(area)


def write_endpoint(connection: Connection[Any], endpoint: Endpoint) -> None:
    connection.execute(
        """
        UPDATE webhook_endpoints
           SET state = %(state)s::endpoint_state, reason = %(reason)s, consecutive_failures = %(consecutive_failures)s,
               failing_since = %(failing_since)s, opened_at = %(opened_at)s, probe_at = %(probe_at)s,
               probe_wait_seconds = %(probe_wait_seconds)s, last_success_at = %(last_success_at)s
         WHERE area = %(area)s
        """,
        asdict(endpoint),
    )


def hold_events(connection: Connection[Any], area: str, routes: Routes) -> int:
    """Hold what waits for an endpoint that was paused, what was never tried included where `routes` tell of it.

    What is on the queue is held too: its message then finds nothing to claim.
    """
    return connection.execute(
        """
        UPDATE outbox SET status = 'held', endpoint = %(area)s, lease_until = NULL,
               trigger = own_trigger(outbox), last_error = coalesce(last_error, %(held)s)
         WHERE event_id IN (SELECT event_id FROM outbox
                             WHERE (endpoint = %(area)s OR (endpoint IS NULL AND type = ANY(%(types)s)))
                               AND status IN ('pending', 'retrying', 'enqueued')
                             ORDER BY event_id FOR UPDATE)
        """,
        {"area": area, "types": _types_of(area, routes), "held": HELD},
    ).rowcount


def drain(connection: Connection[Any], area: str, per_second: int, now: datetime) -> int:
    """Make everything that waits for an endpoint due, oldest first, at its pace; what was told to wait longer does."""
    return connection.execute(
        """
        WITH waiting AS (
            SELECT event_id, created_at, ordering_key, sequence FROM outbox
             WHERE endpoint = %(area)s AND status IN ('pending', 'retrying', 'held')
             ORDER BY event_id FOR UPDATE),
        placed AS (
            SELECT event_id, row_number() OVER (ORDER BY created_at, ordering_key, sequence) - 1 AS place FROM waiting)
        UPDATE outbox SET status = 'retrying', last_error = nullif(last_error, %(held)s),
               next_attempt_at = greatest(not_before, %(now)s + make_interval(secs => place::float / %(rate)s))
          FROM placed WHERE outbox.event_id = placed.event_id
        """,
        {"area": area, "now": now, "rate": per_second, "held": HELD},
    ).rowcount


def cancel_waiting(connection: Connection[Any], area: str, routes: Routes, now: datetime) -> int:
    """Give up what has been told for an endpoint and Make has not received, tried or not, as an administrator asked.

    What is posted at this very moment is given up too: if Make takes it, it is delivered, else it is not tried again.
    A repetition of what Make has received ends as delivered. Answers how many there were of both.
    """
    return connection.execute(
        """
        UPDATE outbox SET endpoint = %(area)s, lease_until = NULL, forcing = false, next_attempt_at = %(now)s,
               status = CASE WHEN resting_status = 'delivered' THEN resting_status ELSE 'cancelled' END,
               last_error = CASE WHEN resting_status = 'delivered' THEN last_error ELSE %(given_up)s END,
               trigger = 'auto', redelivery_id = NULL, resting_status = NULL
         WHERE event_id IN (SELECT event_id FROM outbox
                             WHERE (endpoint = %(area)s OR (endpoint IS NULL AND type = ANY(%(types)s)))
                               AND status IN ('pending', 'retrying', 'held', 'enqueued', 'delivering')
                             ORDER BY event_id FOR UPDATE)
        """,
        {
            "now": now,
            "area": area,
            "types": _types_of(area, routes),
            "given_up": GIVEN_UP,
        },
    ).rowcount


def follow_routes(connection: Connection[Any], routes: Routes) -> int:
    """What waits for an area whose URL it no longer goes to waits for the one it goes to now. Answers how many."""
    return connection.execute(
        """
        UPDATE outbox SET endpoint = route.area
          FROM unnest(%(types)s::text[], %(areas)s::text[]) AS route (type, area)
         WHERE outbox.type = route.type AND event_id IN (
               SELECT event_id FROM outbox AS waiting JOIN unnest(%(types)s::text[], %(areas)s::text[])
                      AS new_route (type, area) USING (type)
                WHERE status IN ('pending', 'retrying', 'held') AND endpoint <> new_route.area
                ORDER BY event_id FOR UPDATE OF waiting SKIP LOCKED)
        """,
        {"types": list(routes), "areas": [route.area for route in routes.values()]},
    ).rowcount


def _types_of(area: str, routes: Routes) -> list[str]:
    return [event_type for event_type, route in routes.items() if route.area == area]


def park(connection: Connection[Any], event_id: str, area: str) -> str | None:
    """An event whose endpoint is left alone waits for it, and costs it no attempt. Answers its status, if it waits."""
    row = connection.execute(
        """
        UPDATE outbox SET endpoint = %(area)s, lease_until = NULL, last_error = coalesce(last_error, %(held)s),
               status = CASE WHEN webhook_endpoints.state = 'paused' THEN 'held'::delivery_status ELSE 'retrying' END
          FROM webhook_endpoints
         WHERE event_id = %(event_id)s AND status IN ('enqueued', 'pending', 'retrying')
           AND area = %(area)s AND state <> 'active'
           AND (trigger = 'auto' OR trigger = 'manual' AND redelivery_id IS NOT NULL)
        RETURNING outbox.status::text
        """,
        {"event_id": event_id, "area": area, "held": HELD},
    ).fetchone()
    return str(row[0]) if row else None


def take_canaries(
    connection: Connection[Any], routes: Routes, now: datetime, until: datetime
) -> list[tuple[str, datetime]]:
    """For each endpoint whose probe is due by `until`, its oldest waiting event, leased; with when to post it.

    None is due before what its receiver asked for is over. An event that this endpoint refused for what it holds comes
    last: it would keep the breaker open for ever.
    """
    rows = connection.execute(
        """
        WITH due AS (
            SELECT area, greatest(probe_at, %(now)s, (SELECT free_at FROM webhook_lanes WHERE lane = (
                       SELECT lane FROM unnest(%(areas)s::text[], %(lanes)s::text[]) AS route (name, lane)
                        WHERE name = area LIMIT 1))) AS probe_at
              FROM webhook_endpoints
             WHERE state <> 'active' AND probe_at <= %(until)s FOR UPDATE SKIP LOCKED),
        canary AS (
            SELECT oldest.event_id, due.probe_at FROM due CROSS JOIN LATERAL (
                SELECT event_id FROM outbox
                 WHERE endpoint = due.area AND status IN ('pending', 'retrying', 'held') AND body IS NOT NULL
                   AND (status = 'held' OR trigger <> 'manual' OR redelivery_id IS NOT NULL) -- a person's knocks anyway
                   AND (not_before IS NULL OR not_before <= due.probe_at)
                   AND (expires_at IS NULL OR expires_at > due.probe_at)
                   AND NOT EXISTS (SELECT FROM outbox AS flying WHERE flying.endpoint = due.area
                                      AND flying.trigger = 'canary' AND flying.lease_until > %(now)s)
                 ORDER BY coalesce(last_status_code BETWEEN 400 AND 499
                                   AND last_status_code NOT IN (401, 403, 404, 408, 410, 429), false),
                          created_at, ordering_key, sequence
                 LIMIT 1 FOR UPDATE SKIP LOCKED) AS oldest
             WHERE due.probe_at <= %(until)s)
        UPDATE outbox SET status = 'enqueued', trigger = 'canary', lease_until = canary.probe_at + %(lease)s
          FROM canary WHERE outbox.event_id = canary.event_id
        RETURNING outbox.event_id, canary.probe_at
        """,
        {
            "now": now,
            "until": until,
            "lease": PROBE_LEASE,
            "areas": [route.area for route in routes.values()],
            "lanes": [route.lane for route in routes.values()],
        },
    ).fetchall()
    return [(event_id, probe_at) for event_id, probe_at in rows]
