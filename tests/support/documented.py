"""What docs/webhooks promises to whoever builds the scenarios, and whether an event keeps the promise."""

import json
from functools import cache
from typing import Any

from jsonschema_rs import Draft202012Validator
from psycopg import Connection

from local.webhook_docs.texts import DOCS


def schema(event_type: str) -> dict[str, Any]:
    """The committed schema of an event. Raises FileNotFoundError when it has none."""
    document: dict[str, Any] = json.loads((DOCS / "schemas" / f"{event_type}.json").read_text("utf-8"))
    return document


def sample(event_type: str) -> dict[str, Any]:
    """The committed sample of an event."""
    document: dict[str, Any] = json.loads((DOCS / "samples" / f"{event_type}.json").read_text("utf-8"))
    return document


def broken_promises(event: dict[str, Any]) -> list[str]:
    """Where an event differs from the committed schema of its type."""
    return [
        f"{fault.instance_path}: {fault.message}" for fault in _validator(type_of(event)).iter_errors(event)
    ]


def type_of(event: dict[str, Any]) -> str:
    """What an event is, by the name that its product's envelope gives to it."""
    return str(event["type"] if "type" in event else event["eventType"])


def assert_told_as_documented(connection: Connection[Any]) -> None:
    """Every event in the outbox, whoever recorded it, keeps its promise."""
    for (body,) in connection.execute("SELECT body FROM outbox WHERE body IS NOT NULL").fetchall():
        event = json.loads(body)
        broken = broken_promises(event)
        assert not broken, f"{type_of(event)}: {broken}"


@cache
def _validator(event_type: str) -> Draft202012Validator:
    return Draft202012Validator(schema(event_type), validate_formats=True)
