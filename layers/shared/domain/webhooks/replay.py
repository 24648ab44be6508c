"""What an administrator does about deliveries: send again, pause, resume. Each action leaves a line in the audit."""

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg import Connection

from domain.auditing import note_action
from domain.errors import Refused
from domain.ids import new_id
from domain.webhooks import endpoints
from domain.webhooks.breaker import Endpoint, paused
from domain.webhooks.delivery import Routes
from domain.webhooks.event_types import AREAS, EVENTS


@dataclass(frozen=True, slots=True)
class Range:
    """What of the past to send again: recorded from `since` until before `until`; None is any type, any status."""

    since: datetime
    until: datetime
    type: str | None = None
    status: str | None = None


@dataclass(frozen=True, slots=True)
class Redelivery:
    """A range to send again: `counts` by type; `id` is None for a dry run."""

    id: UUID | None
    counts: dict[str, int]

    @property
    def total(self) -> int:
        return sum(self.counts.values())


def redeliver(
    connection: Connection[Any], actor_id: UUID | None, event_id: str, now: datetime, *, force: bool = False
) -> None:
    """Send one event again, whatever its status, with the same id and body; it replaces a pending retry.

    It leaves with the relay's next run, or when its receiver wants to be called again. `force` tells the receiver by
    x-4as-replay that this repetition is meant.

    Refuses with DELIVERY_NOT_FOUND, DELIVERY_BODY_FORGOTTEN, DELIVERY_EXPIRED and
    DELIVERY_IN_PROGRESS.
    """
    with connection.transaction():
        row = connection.execute(
            """
            SELECT status::text, body IS NULL, expires_at <= %(now)s,
                   status = 'delivering' AND lease_until > %(now)s
              FROM outbox WHERE event_id = %(event_id)s FOR UPDATE
            """,
            {"event_id": event_id, "now": now},
        ).fetchone()
        if row is None:
            raise Refused("DELIVERY_NOT_FOUND")
        status, forgotten, expired, in_progress = row
        if expired:
            raise Refused("DELIVERY_EXPIRED")
        if forgotten:
            raise Refused("DELIVERY_BODY_FORGOTTEN")
        if in_progress:
            raise Refused("DELIVERY_IN_PROGRESS")
        connection.execute(
            """
            UPDATE outbox SET status = 'pending', next_attempt_at = greatest(not_before, %(now)s), lease_until = NULL,
                   trigger = 'manual',
                   actor_id = %(actor_id)s, redelivery_id = NULL, forced = forced + %(force)s::integer,
                   forcing = %(force)s,
                   resting_status = coalesce(resting_status, CASE
                       WHEN status IN ('delivered', 'exhausted', 'held', 'skipped', 'cancelled') THEN status END)
             WHERE event_id = %(event_id)s
            """,
            {"event_id": event_id, "now": now, "actor_id": actor_id, "force": force},
        )
        note_action(
            connection,
            actor_id,
            "webhooks.redeliver",
            "webhook",
            event_id,
            {"status": status},
            {"status": "pending", "force": force},
            now,
        )


RANGE_AT_MOST = 20_000
"""As many as one transaction sends again within a request's time (B-6); a longer past is sent in parts."""

CHOSEN = """
    created_at >= %(since)s AND created_at < %(until)s AND body IS NOT NULL
    AND (expires_at IS NULL OR expires_at > %(now)s)
    AND (status IN ('delivered', 'exhausted', 'skipped', 'cancelled')
         OR status = 'held' AND NOT EXISTS (SELECT FROM webhook_endpoints WHERE area = endpoint AND state <> 'active'))
    AND (%(type)s::text IS NULL OR type = %(type)s)
    AND (%(status)s::delivery_status IS NULL OR status = %(status)s::delivery_status)
"""


def count_range(connection: Connection[Any], wanted: Range, now: datetime) -> Redelivery:
    """The dry run: how many events of each type would be sent again."""
    rows = connection.execute(
        f"SELECT type, count(*) FROM outbox WHERE {CHOSEN} GROUP BY type ORDER BY type",  # noqa: S608  our constant
        {**asdict(wanted), "now": now},
    ).fetchall()
    return Redelivery(None, dict(rows))


def redeliver_range(
    connection: Connection[Any],
    actor_id: UUID | None,
    wanted: Range,
    per_second: int,
    now: datetime,
    *,
    force: bool = False,
) -> Redelivery:
    """Send again what rests, of a range, at the lanes' pace, oldest first; `stop` ends it.

    What is on its way stays so; so does what is held for a URL that is left alone, until that is back in service.
    Refuses with REDELIVERY_TOO_LARGE beyond RANGE_AT_MOST.
    """
    redelivery_id = new_id()
    with connection.transaction():
        _look_for_too_many(connection, wanted, now)
        connection.execute(
            """
            INSERT INTO webhook_redeliveries (id, actor_id, events, created_at)
            VALUES (%(id)s, %(actor_id)s, 0, %(now)s)
            """,
            {"id": redelivery_id, "actor_id": actor_id, "now": now},
        )
        rows = connection.execute(
            f"""
            WITH chosen AS (
                SELECT event_id, created_at, ordering_key, sequence FROM outbox
                 WHERE {CHOSEN}
                 ORDER BY event_id FOR UPDATE),
            placed AS (
                SELECT event_id, row_number() OVER (ORDER BY created_at, ordering_key, sequence) - 1 AS place
                  FROM chosen),
            sent AS (
                UPDATE outbox SET status = 'pending', resting_status = status, trigger = 'manual', lease_until = NULL,
                       actor_id = %(actor_id)s, redelivery_id = %(id)s,
                       forced = forced + %(force)s::integer, forcing = %(force)s,
                       next_attempt_at = greatest(not_before,
                                                  %(now)s + make_interval(secs => place::float / %(rate)s))
                  FROM placed WHERE outbox.event_id = placed.event_id
                RETURNING type)
            SELECT type, count(*) FROM sent GROUP BY type ORDER BY type
            """,  # noqa: S608  our constant
            {
                **asdict(wanted),
                "now": now,
                "actor_id": actor_id,
                "id": redelivery_id,
                "rate": per_second,
                "force": force,
            },
        ).fetchall()
        redelivery = Redelivery(redelivery_id, dict(rows))
        connection.execute(
            "UPDATE webhook_redeliveries SET events = %(events)s WHERE id = %(id)s",
            {"id": redelivery_id, "events": redelivery.total},
        )
        note_action(
            connection,
            actor_id,
            "webhooks.redeliver_range",
            "webhook_redelivery",
            str(redelivery_id),
            None,
            {
                "from": wanted.since.isoformat(),
                "to": wanted.until.isoformat(),
                "type": wanted.type,
                "status": wanted.status,
                "force": force,
                "counts": redelivery.counts,
            },
            now,
        )
    return redelivery


def _look_for_too_many(connection: Connection[Any], wanted: Range, now: datetime) -> None:
    row = connection.execute(
        f"SELECT count(*) FROM (SELECT FROM outbox WHERE {CHOSEN} LIMIT %(beyond)s) AS chosen",  # noqa: S608  our constant
        {**asdict(wanted), "now": now, "beyond": RANGE_AT_MOST + 1},
    ).fetchone()
    if row and row[0] > RANGE_AT_MOST:
        raise Refused("REDELIVERY_TOO_LARGE")


def stop(connection: Connection[Any], actor_id: UUID | None, redelivery_id: UUID, now: datetime) -> int:
    """End a range's redelivery: what was not sent rests as before. Answers how many.

    What is posted at this very moment rests too: if Make takes it, it is delivered, else it is not tried again.
    Refuses with REDELIVERY_NOT_FOUND.
    """
    with connection.transaction():
        known = connection.execute(
            "UPDATE webhook_redeliveries SET stopped_at = coalesce(stopped_at, %(now)s) WHERE id = %(id)s",
            {"id": redelivery_id, "now": now},
        ).rowcount
        if not known:
            raise Refused("REDELIVERY_NOT_FOUND")
        stopped = connection.execute(
            """
            UPDATE outbox SET status = resting_status, resting_status = NULL, trigger = 'auto', redelivery_id = NULL,
                   lease_until = NULL, forcing = false
             WHERE event_id IN (SELECT event_id FROM outbox
                                 WHERE redelivery_id = %(id)s AND resting_status IS NOT NULL
                                 ORDER BY event_id FOR UPDATE)
            """,
            {"id": redelivery_id},
        ).rowcount
        note_action(
            connection,
            actor_id,
            "webhooks.stop_redelivery",
            "webhook_redelivery",
            str(redelivery_id),
            None,
            {"stopped": stopped},
            now,
        )
    return stopped


def pause(
    connection: Connection[Any], actor_id: UUID | None, area: str, routes: Routes, now: datetime
) -> int:
    """Hold what goes to a URL until somebody resumes it. Answers how many wait.

    Refuses with ENDPOINT_NOT_FOUND, and for an area that has no URL of its own with ENDPOINT_VIA_FALLBACK or
    ENDPOINT_WITHOUT_URL: nothing would be held.
    """
    _look_for_url(area, routes)
    with connection.transaction():
        before = endpoints.lock_endpoint(connection, area)
        since = before.opened_at if before.state == "paused" else None
        after = paused(before, "manual", since or now)
        endpoints.write_endpoint(connection, after)
        endpoints.follow_routes(connection, routes)
        held = endpoints.hold_events(connection, area, routes)
        note_action(
            connection,
            actor_id,
            "webhooks.pause",
            "webhook_endpoint",
            area,
            {"state": before.state, "reason": before.reason},
            {"state": after.state, "held": held},
            now,
        )
    return held


def resume(
    connection: Connection[Any],
    actor_id: UUID | None,
    area: str,
    routes: Routes,
    per_second: int,
    now: datetime,
    *,
    cancel: bool = False,
) -> int:
    """Put a URL back in service and send what waited, or give up all that was told until now. Answers how many.

    Refuses with ENDPOINT_NOT_FOUND. An area whose URL was taken away meanwhile can be resumed.
    """
    if area not in AREAS:
        raise Refused("ENDPOINT_NOT_FOUND")
    with connection.transaction():
        before = endpoints.lock_endpoint(connection, area)
        endpoints.write_endpoint(connection, Endpoint(area, last_success_at=before.last_success_at))
        endpoints.follow_routes(connection, routes)
        count = (
            endpoints.cancel_waiting(connection, area, routes, now)
            if cancel
            else endpoints.drain(connection, area, per_second, now)
        )
        note_action(
            connection,
            actor_id,
            "webhooks.resume",
            "webhook_endpoint",
            area,
            {"state": before.state, "reason": before.reason},
            {"state": "active", "cancelled" if cancel else "drained": count},
            now,
        )
    return count


def _look_for_url(area: str, routes: Routes) -> None:
    if area not in AREAS:
        raise Refused("ENDPOINT_NOT_FOUND")
    own = {route.area for name, route in routes.items() if EVENTS[name].endpoint == area}
    if not own:
        raise Refused("ENDPOINT_WITHOUT_URL")
    if own != {area}:
        raise Refused("ENDPOINT_VIA_FALLBACK")
