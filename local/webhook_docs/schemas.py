"""The JSON Schema (2020-12) of each event, from its model; what each field means, from docs/webhooks/source."""

from typing import Any

from domain.webhooks.event_types import EVENTS
from domain.webhooks.events import PAYLOADS, FlatEnvelope, NestedEnvelope
from domain.webhooks.events.base import EventSchema
from local.webhook_docs.texts import meaning

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def schema(event_type: str) -> dict[str, Any]:
    """What the body of that event is, whole."""
    kind = EVENTS[event_type].envelope
    payload = PAYLOADS[event_type].model_json_schema(mode="serialization", schema_generator=EventSchema)
    model = NestedEnvelope if kind.inside else FlatEnvelope
    envelope = model.model_json_schema(mode="serialization", schema_generator=EventSchema)
    definitions = payload.pop("$defs", {}) | {
        name: part for name, part in envelope["$defs"].items() if name != "Payload"
    }
    envelope["properties"][kind.type_key] = {"type": "string", "const": event_type}
    if kind.inside:
        envelope["properties"][kind.inside] = payload
    else:
        envelope["properties"] |= payload["properties"]
        envelope["required"] += payload["required"]
    whole = {
        "$schema": DIALECT,
        "$id": f"urn:4as:webhooks:{event_type}:1",
        **{key: envelope[key] for key in ("type", "properties", "required", "additionalProperties")},
        "$defs": dict(sorted(definitions.items())),
    }
    _say_in_french(whole, event_type)
    return whole


def _say_in_french(node: Any, event_type: str) -> None:
    """Drop what pydantic says in the code's terms; say what each property means."""
    if isinstance(node, list):
        for element in node:
            _say_in_french(element, event_type)
    if not isinstance(node, dict):
        return
    for key in ("title", "description", "default"):
        if key == "default" or isinstance(node.get(key), str):
            node.pop(key, None)
    for name, value in node.items():
        if name == "properties":
            for field, described in value.items():
                _say_in_french(described, event_type)
                described["description"] = meaning(event_type, field)
        else:
            _say_in_french(value, event_type)
