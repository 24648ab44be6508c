"""A test event, at an administrator's word: posted as any other, at its lane's pace; nothing records it."""

import json
from collections.abc import Callable
from datetime import datetime
from time import sleep
from typing import Any
from uuid import UUID

from psycopg import Connection

from domain.auditing import note_action
from domain.errors import Refused
from domain.ids import time_ordered_id
from domain.webhooks import pace
from domain.webhooks.delivery import Delivery, EndpointMissing, Failure, Receiver, Route
from domain.webhooks.envelopes import Envelope
from domain.webhooks.event_types import AREAS, EVENTS

PING = "test.ping"


def send_test(
    connection: Connection[Any],
    receiver: Receiver,
    actor_id: UUID | None,
    area: str,
    event_type: str | None,
    environment: str,
    now: datetime,
    wait: Callable[[float], None] = sleep,
) -> Failure | None:
    """Post a ping, or the sample of a type, to the URL of an area, its own or the fallback's; None when it was taken.

    Leaves a line in the audit. Refuses with ENDPOINT_NOT_FOUND, ENDPOINT_WITHOUT_URL, EVENT_TYPE_ELSEWHERE for a type
    of another area, and ENDPOINT_BUSY when events keep the URL busy or it asked for patience.
    """
    there = _route(receiver, area, event_type)
    departure = pace.take_departure(connection, there.lane, receiver.per_second, now)
    if departure is None:
        raise Refused("ENDPOINT_BUSY")
    note_action(
        connection,
        actor_id,
        "webhooks.test",
        "webhook_endpoint",
        area,
        None,
        {"type": event_type or PING},
        now,
    )
    delivery = _example(event_type, area, there, environment, now)
    wait(max(0.0, (departure - now).total_seconds()))
    now = max(now, departure)
    failure = receiver.post(delivery, now)
    if failure is not None:
        pace.bind(connection, there.lane, failure, now)
    return failure


def _route(receiver: Receiver, area: str, event_type: str | None) -> Route:
    if area not in AREAS:
        raise Refused("ENDPOINT_NOT_FOUND")
    if event_type is not None and EVENTS[event_type].endpoint != area:
        raise Refused("EVENT_TYPE_ELSEWHERE")
    try:
        return receiver.route(next(event.name for event in EVENTS.values() if event.endpoint == area))
    except EndpointMissing as missing:
        raise Refused("ENDPOINT_WITHOUT_URL") from missing


def _example(event_type: str | None, area: str, there: Route, environment: str, now: datetime) -> Delivery:
    """As it would arrive from here, about people who do not exist."""
    event_id = f"evt_{time_ordered_id(now).hex}"
    body: dict[str, Any] = {_envelope(area).type_key: PING}
    if event_type is not None:
        from domain.webhooks.events.samples import sample  # loads every payload

        body = sample(event_type) | {_envelope(area).id_key: event_id, "environment": environment}
    text = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
    return Delivery(event_id, event_type or PING, text, 1, there.area, lane=there.lane)


def _envelope(area: str) -> Envelope:
    return next(event.envelope for event in EVENTS.values() if event.endpoint == area)
