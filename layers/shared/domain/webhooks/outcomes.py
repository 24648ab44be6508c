"""What came of an attempt, written in one transaction: the event, the trace of the attempt, the endpoint's health."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from psycopg import Connection

from domain.webhooks import endpoints, pace
from domain.webhooks.delivery import Delivery, Failure
from domain.webhooks.event_types import EVENTS
from domain.webhooks.reasons import NO_URL
from domain.webhooks.retries import LONGEST_RETRY_AFTER, MAX_ATTEMPTS, delay_after

MAX_EXCERPT = 4096
ALARMING_ATTEMPT = 4


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of an event, and what an operator must be told (b.7). `due` is when it is tried again."""

    event_id: str
    type: str
    status: str
    due: datetime | None = None
    alerts: tuple[str, ...] = ()


def skip(connection: Connection[Any], event_id: str, event_type: str) -> Outcome:
    """No URL is configured for its own area: the event can be delivered again once there is one (c.2).

    What an administrator sent again rests as before.
    """
    row = connection.execute(
        """
        UPDATE outbox SET status = coalesce(resting_status, 'skipped'), lease_until = NULL, trigger = 'auto',
               redelivery_id = NULL, resting_status = NULL, forcing = false, endpoint = %(area)s,
               last_error = CASE WHEN resting_status = 'delivered' THEN last_error ELSE %(no_url)s END
         WHERE event_id = %(event_id)s AND status IN ('enqueued', 'pending', 'retrying')
        RETURNING status::text
        """,
        {"event_id": event_id, "no_url": NO_URL, "area": EVENTS[event_type].endpoint},
    ).fetchone()
    return Outcome(event_id, event_type, str(row[0]) if row else "skipped", alerts=("url_missing",))


def write_success(connection: Connection[Any], delivery: Delivery, per_second: int, now: datetime) -> Outcome:
    """Delivered. An administrator's event leaves no row (R-1); a resumed endpoint's events are on their way."""
    kind = EVENTS[delivery.type]
    with connection.transaction():
        resumed = endpoints.note_success(connection, delivery.endpoint, per_second, now)
        if kind.recorded:
            _close(connection, delivery.event_id, kind.body_outlives_delivery, now)
            if delivery.is_replay:
                _trace(connection, delivery, None, now)
        else:
            _forget(connection, delivery.event_id)
    return Outcome(
        delivery.event_id, delivery.type, "delivered", alerts=("endpoint_resumed",) if resumed else ()
    )


def write_failure(
    connection: Connection[Any], delivery: Delivery, failure: Failure, now: datetime, draw: float
) -> Outcome:
    """Not delivered: to be tried again, held, or given up. A receiver's failure is an outcome, never an error."""
    probing = delivery.trigger == "canary"
    due: datetime | None = None
    answered_at = now + timedelta(milliseconds=failure.duration_ms)
    with connection.transaction():
        before, after = endpoints.note_failure(connection, delivery.endpoint, failure, probing, now)
        pace.bind(connection, delivery.lane, failure, answered_at)
        status = _status_after(delivery, endpoint_is_paused=after.state == "paused")
        if status == "retrying" and not probing:
            due = answered_at + delay_after(min(delivery.attempt, MAX_ATTEMPTS - 1), failure, draw)
        is_ours = _reschedule(connection, delivery, failure, status, due, answered_at)
        if is_ours:
            _trace(connection, delivery, failure, now)
    alerts = [
        name
        for name, happened in {
            "fourth_failure": is_ours
            and delivery.spends_budget
            and delivery.attempt == ALARMING_ATTEMPT
            and EVENTS[delivery.type].recorded,
            "exhausted": is_ours and status == "exhausted" and delivery.spends_budget,
            "endpoint_paused": after.state == "paused" and before.state != "paused",
            "url_refused": failure.url_is_wrong,
        }.items()
        if happened
    ]
    return Outcome(delivery.event_id, delivery.type, status, due if is_ours else None, tuple(alerts))


def _status_after(delivery: Delivery, *, endpoint_is_paused: bool) -> str:
    """A replay has one attempt, and then rests as before; what served as a canary goes on waiting."""
    if delivery.trigger == "canary":
        return "held" if endpoint_is_paused else "retrying"
    if delivery.resting_status is not None:
        return delivery.resting_status
    if endpoint_is_paused:
        return "held"
    if delivery.spends_budget and delivery.attempt >= MAX_ATTEMPTS:
        return "exhausted"
    return "retrying"


def _close(connection: Connection[Any], event_id: str, keep_body: bool, now: datetime) -> None:
    """Whoever else claimed it or gave it up meanwhile, a success is one. What went wrong before is over."""
    connection.execute(
        """
        UPDATE outbox SET status = 'delivered', delivered_at = %(now)s, lease_until = NULL, last_error = NULL,
               last_status_code = NULL, not_before = NULL, trigger = 'auto', redelivery_id = NULL,
               resting_status = NULL, forcing = false,
               body = CASE WHEN %(keep_body)s THEN body END
         WHERE event_id = %(event_id)s AND status IN ('delivering', 'enqueued', 'retrying', 'held', 'skipped',
                                                         'exhausted', 'cancelled')
        """,
        {"event_id": event_id, "keep_body": keep_body, "now": now},
    )


def _forget(connection: Connection[Any], event_id: str) -> None:
    """Delete the row; what remains is its key, so that it is never told again, and its number (R-1, b.4, b.5)."""
    connection.execute(
        """
        WITH gone AS (DELETE FROM outbox WHERE event_id = %(event_id)s RETURNING dedupe_key, ordering_key, sequence)
        INSERT INTO outbox_forgotten SELECT dedupe_key, ordering_key, sequence FROM gone
        """,
        {"event_id": event_id},
    )


def _reschedule(
    connection: Connection[Any],
    delivery: Delivery,
    failure: Failure,
    status: str,
    due: datetime | None,
    now: datetime,
) -> bool:
    """Answers False when the event is no longer this attempt's: its lease ran out and somebody else took it.

    A 410 costs the event none of its attempts: it is the endpoint's answer, not the event's. What Make has received
    before has not failed.
    """
    goes_on = status in ("retrying", "held")
    return (
        connection.execute(
            """
            UPDATE outbox SET status = %(status)s::delivery_status, lease_until = NULL, last_error = %(reason)s,
                   next_attempt_at = greatest(coalesce(%(due)s, next_attempt_at), %(not_before)s),
                   last_status_code = %(status_code)s, not_before = greatest(not_before, %(not_before)s),
                   attempts = attempts - %(given_back)s, forcing = forcing AND %(goes_on)s,
                   trigger = CASE WHEN %(probing)s THEN own_trigger(outbox) ELSE 'auto' END,
                   redelivery_id = CASE WHEN %(probing)s THEN redelivery_id END,
                   resting_status = CASE WHEN %(probing)s THEN resting_status END
             WHERE event_id = %(event_id)s AND status = 'delivering' AND trigger = %(trigger)s
               AND attempts + (trigger <> 'auto')::integer = %(attempt)s
               AND lease_until IS NOT DISTINCT FROM %(lease_until)s
            """,
            {
                "event_id": delivery.event_id,
                "status": status,
                "due": due,
                "not_before": None
                if failure.retry_after is None
                else now + min(failure.retry_after, LONGEST_RETRY_AFTER),
                "reason": None if status == "delivered" else failure.reason,
                "status_code": None if status == "delivered" else failure.status_code,
                "goes_on": goes_on,
                "probing": delivery.trigger == "canary",
                "given_back": int(failure.gone and delivery.spends_budget),
                "trigger": delivery.trigger,
                "attempt": delivery.attempt,
                "lease_until": delivery.lease_until,
            },
        ).rowcount
        == 1
    )


def _trace(connection: Connection[Any], delivery: Delivery, failure: Failure | None, now: datetime) -> None:
    connection.execute(
        """
        INSERT INTO webhook_attempts (event_id, attempt_no, trigger, started_at, duration_ms, status_code, error_class,
                                      response_excerpt, actor_id)
        SELECT event_id, %(attempt)s, %(trigger)s, %(now)s, %(duration_ms)s, %(status_code)s, %(error_class)s,
               %(excerpt)s, CASE WHEN %(trigger)s <> 'auto' THEN actor_id END
          FROM outbox WHERE event_id = %(event_id)s
        """,
        {
            "event_id": delivery.event_id,
            "attempt": delivery.attempt,
            "trigger": delivery.trigger,
            "now": now,
            "duration_ms": failure.duration_ms if failure else 0,
            "status_code": failure.status_code if failure else None,
            "error_class": failure.error_class if failure else None,
            "excerpt": _excerpt(delivery, failure),
        },
    )


def _excerpt(delivery: Delivery, failure: Failure | None) -> str | None:
    """The beginning of the receiver's answer; none when it may repeat a secret that was sent."""
    if failure is None or EVENTS[delivery.type].carries_secret:
        return None
    return failure.excerpt.replace("\x00", "")[:MAX_EXCERPT]
