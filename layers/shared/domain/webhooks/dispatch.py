"""From the queue to Make.com: claim an event, post its bytes, write down what came of it."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

from psycopg import Connection
from psycopg.rows import class_row

from domain.webhooks.events import EVENTS

LEASE = timedelta(minutes=2)
RETRY_DELAYS = tuple(
    timedelta(seconds=seconds)
    for seconds in (5, 30, 120, 600, 1_800, 3_600, 10_800, 21_600, 43_200, 86_400, 108_000)
)
"""Between one attempt and the next: twelve attempts over 76 h 42 min 35 s (b.3)."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """One attempt to deliver one event. `attempt` counts from 1."""

    event_id: str
    type: str
    body: bytes
    attempt: int

    @property
    def endpoint(self) -> str:
        """The area of the URL it goes to: MAKE_<AREA>_WEBHOOK_URL."""
        return EVENTS[self.type].endpoint


@dataclass(frozen=True, slots=True)
class Failure:
    """Why an attempt did not deliver; never holds a payload."""

    reason: str


class EndpointMissing(Exception):
    """No URL is configured for the event's endpoint."""


class Receiver(Protocol):
    def post(self, delivery: Delivery, now: datetime) -> Failure | None:
        """Send one event; None when it was accepted. Raises EndpointMissing."""


def dispatch(connection: Connection[Any], receiver: Receiver, event_id: str, now: datetime) -> None:
    """Deliver one event unless somebody else is at it or has done it: a repeated message changes nothing."""
    delivery = _claim(connection, event_id, now)
    if delivery is None:
        return
    try:
        failure = receiver.post(delivery, now)
    except EndpointMissing:
        _close(connection, event_id, "skipped")
        return
    if failure is None:
        _close(connection, event_id, "delivered", delivered_at=now)
    elif delivery.attempt <= len(RETRY_DELAYS):
        _retry(connection, event_id, failure, now + RETRY_DELAYS[delivery.attempt - 1])
    else:
        _close(connection, event_id, "exhausted", error=failure.reason)


def _claim(connection: Connection[Any], event_id: str, now: datetime) -> Delivery | None:
    return (
        connection.cursor(row_factory=class_row(Delivery))
        .execute(
            """
            UPDATE outbox SET status = 'delivering', attempts = attempts + 1, lease_until = %(lease_until)s
             WHERE event_id = %(event_id)s AND status = 'enqueued'
            RETURNING event_id, type, body, attempts AS attempt
            """,
            {"event_id": event_id, "lease_until": now + LEASE},
        )
        .fetchone()
    )


def _retry(connection: Connection[Any], event_id: str, failure: Failure, due: datetime) -> None:
    connection.execute(
        """
        UPDATE outbox SET status = 'retrying', next_attempt_at = %(due)s, last_error = %(error)s, lease_until = NULL
         WHERE event_id = %(event_id)s AND status = 'delivering'
        """,
        {"event_id": event_id, "due": due, "error": failure.reason},
    )


def _close(
    connection: Connection[Any],
    event_id: str,
    status: str,
    *,
    delivered_at: datetime | None = None,
    error: str | None = None,
) -> None:
    connection.execute(
        """
        UPDATE outbox SET status = %(status)s::delivery_status, delivered_at = %(delivered_at)s,
               last_error = %(error)s, lease_until = NULL
         WHERE event_id = %(event_id)s AND status = 'delivering'
        """,
        {"event_id": event_id, "status": status, "delivered_at": delivered_at, "error": error},
    )
