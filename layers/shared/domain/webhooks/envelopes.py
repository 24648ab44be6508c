"""What is around an event's own fields. Each product keeps the envelope that its receivers in Make.com were built on.

The bytes are frozen in two pieces, around the number that only the database knows.
"""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Protocol

from domain.clock import utc_milliseconds

SCHEMA_VERSION = 1


class Envelope(Protocol):
    """`type_key` and `id_key` name the event's type and id; `inside` is the key of its own fields, if they have one."""

    type_key: str
    id_key: str
    inside: str | None

    def before_sequence(self, event_type: str, event_id: str, now: datetime) -> bytes:
        """The body up to the event's number."""

    def after_sequence(self, environment: str, payload: str) -> bytes:
        """The rest of the body; `payload` is a JSON object."""

    def payload_of(self, event: Mapping[str, Any]) -> Mapping[str, Any]:
        """The own fields of an event that was read back."""


class Nested:
    """That of 4AS (make-webhooks a.2): snake_case, the event's own fields under `payload`."""

    type_key = "type"
    id_key = "event_id"
    inside: str | None = "payload"

    def before_sequence(self, event_type: str, event_id: str, now: datetime) -> bytes:
        written = utc_milliseconds(now)
        return _opened(
            {
                "type": event_type,
                "event_id": event_id,
                "sent_at": written,
                "timestamp": written,
                "schema_version": SCHEMA_VERSION,
            }
        )

    def after_sequence(self, environment: str, payload: str) -> bytes:
        return f',"environment":"{environment}","payload":{payload}}}'.encode()

    def payload_of(self, event: Mapping[str, Any]) -> Mapping[str, Any]:
        payload: Mapping[str, Any] = event["payload"]
        return payload


class Flat:
    """That of Le Dojo (courses.md 6.1): camelCase, the event's own fields beside those that all events have."""

    type_key = "eventType"
    id_key = "eventId"
    inside: str | None = None
    keys = ("eventType", "eventId", "occurredAt", "sequence", "environment")

    def before_sequence(self, event_type: str, event_id: str, now: datetime) -> bytes:
        return _opened(
            {"eventType": event_type, "eventId": event_id, "occurredAt": utc_milliseconds(now)},
        )

    def after_sequence(self, environment: str, payload: str) -> bytes:
        return f',"environment":"{environment}",{payload.removeprefix("{")}'.encode()

    def payload_of(self, event: Mapping[str, Any]) -> Mapping[str, Any]:
        return {name: value for name, value in event.items() if name not in self.keys}


def _opened(head: Mapping[str, Any]) -> bytes:
    return f'{json.dumps(head, separators=(",", ":"))[:-1]},"sequence":'.encode()
