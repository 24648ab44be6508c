"""What every event is made of (make-webhooks a.1, a.2). Every declared key is always present, null when empty.

Bounds are told by the schema and not checked by the models: in prod none of them may stop a booking (a.5).
"""

import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from functools import cache
from typing import Annotated, Any, ClassVar, Literal
from uuid import UUID

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    PlainSerializer,
    SerializeAsAny,
    WithJsonSchema,
)
from pydantic.alias_generators import to_camel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaMode, JsonSchemaValue
from pydantic_core import CoreSchema

from domain.clock import on_toronto_clock, utc_milliseconds
from domain.french import plain_span
from domain.money import to_cent
from domain.webhooks.promises import Schema, differences

type Dollars = Annotated[
    Decimal,
    AfterValidator(to_cent),
    PlainSerializer(float, return_type=float),
    WithJsonSchema({"type": "number", "minimum": 0}),
]
"""CAD as a JSON number with at most two decimals; exact, since a float prints its shortest form."""
type Moment = Annotated[
    AwareDatetime,
    PlainSerializer(utc_milliseconds, return_type=str),
    WithJsonSchema(
        {
            "type": "string",
            "format": "date-time",
            "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$",
        }
    ),
]
"""RFC 3339 in UTC with milliseconds and Z."""
type LocalMoment = Annotated[
    AwareDatetime,
    PlainSerializer(lambda instant: on_toronto_clock(instant).isoformat(timespec="seconds"), return_type=str),
    WithJsonSchema(
        {
            "type": "string",
            "format": "date-time",
            "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d-0[45]:00$",
        }
    ),
]
"""RFC 3339 with Toronto's offset."""
type Printed = str
"""French, ready to print: `jeudi 10 décembre 2026 à 9 h`, `60,75 $`."""
type Minutes = Annotated[int, WithJsonSchema({"type": "integer", "minimum": 1})]
type Count = Annotated[int, WithJsonSchema({"type": "integer", "minimum": 0})]
type Email = Annotated[str, WithJsonSchema({"type": "string", "format": "email"})]
"""Lower case."""
type Phone = Annotated[str, WithJsonSchema({"type": "string", "pattern": r"^\+[1-9]\d{9,14}$"})]
"""E.164."""
type Role = Literal["student", "tutor", "admin"]

WHO: dict[Role, str] = {"student": "l’élève", "tutor": "le tuteur ou la tutrice", "admin": "l’équipe"}
"""Who did it, as a sentence says it."""


def fields_in_french(names: Iterable[str], words: Mapping[str, str]) -> Printed | None:
    """Names of fields as a sentence says them, `le titre, le tarif`; without words, as they are. None when empty."""
    return ", ".join(words.get(name, name) for name in names) or None


def sessions_in_french(sessions: Iterable[tuple[str, datetime, datetime]]) -> Printed:
    """Titles, starts and ends as `Français, secondaire (jeudi 10 décembre 2026, de 9 h à 10 h 30) ; …`."""
    return " ; ".join(f"{title} ({plain_span(start, end)})" for title, start, end in sessions)


class EventSchema(GenerateJsonSchema):
    """What is computed is told like any other field: nobody writes an event but us."""

    def generate(self, schema: CoreSchema, mode: JsonSchemaMode = "serialization") -> JsonSchemaValue:
        told: JsonSchemaValue = _without_read_only(super().generate(schema, mode))
        return told


def _without_read_only(node: Any) -> Any:
    if isinstance(node, list):
        return [_without_read_only(element) for element in node]
    if isinstance(node, dict):
        return {key: _without_read_only(value) for key, value in node.items() if key != "readOnly"}
    return node


class Part(BaseModel):
    """An object on the wire. Its schema is compiled when it is first used: few functions tell more than one fact."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, defer_build=True, json_schema_serialization_defaults_required=True
    )


class Payload(Part):
    """What an event says of its own. `type` names the event, one of `domain.webhooks.event_types.EVENTS`."""

    type: ClassVar[str]

    @property
    def dedupe_key(self) -> str:
        """The same fact always has the same key (b.4)."""
        raise NotImplementedError

    @property
    def ordering_key(self) -> str:
        """Events with one key are numbered in sequence (b.5)."""
        raise NotImplementedError

    @property
    def told_until(self) -> datetime | None:
        """From then on it is worth nothing to anybody, and is not told; None is never."""
        return None

    @property
    def about_user(self) -> UUID | None:
        """The student or account it is about, for whoever looks for it."""
        return getattr(self, "user_id", None)

    @property
    def about_order(self) -> UUID | None:
        """The order it is about."""
        return getattr(self, "order_id", None)

    def broken_promises(self) -> list[str]:
        """Where this is not as its published schema says (a.5)."""
        return differences(json.loads(self.model_dump_json()), schema_of(type(self)))


@cache
def schema_of(payload: type[Payload]) -> Schema:
    """The published schema of a payload."""
    return payload.model_json_schema(mode="serialization", schema_generator=EventSchema)


class Contact(Part):
    """A person whom Make.com may write to."""

    id: UUID
    first_name: str
    last_name: str
    email: Email
    phone: Phone | None


EventId = Annotated[str, WithJsonSchema({"type": "string", "pattern": "^evt_[0-9a-f]{32}$"})]
Positive = Annotated[int, WithJsonSchema({"type": "integer", "minimum": 1})]
Environment = Literal["prod", "staging", "dev"]


class NestedEnvelope(Part):
    """What is sent of 4AS: `domain.webhooks.envelopes` writes it once, when the fact is recorded."""

    type: str
    event_id: EventId
    sent_at: Moment
    timestamp: Moment
    schema_version: Positive
    sequence: Positive
    environment: Environment
    payload: SerializeAsAny[Payload]


class CamelPart(Part):
    """An object of Le Dojo's: camelCase on the wire, Python's names for whoever makes it."""

    model_config = ConfigDict(
        alias_generator=to_camel, validate_by_name=True, validate_by_alias=False, serialize_by_alias=True
    )


class FlatEnvelope(CamelPart):
    """What is sent of Le Dojo, before the event's own fields."""

    event_type: str
    event_id: EventId
    occurred_at: Moment
    sequence: Positive
    environment: Environment
