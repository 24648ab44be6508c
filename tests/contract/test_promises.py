"""Our reading of the schemas beside the reference's: the same faults; and what is done about them (a.5)."""

import copy
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest
from jsonschema_rs import Draft202012Validator

from domain.webhooks.event_types import EVENTS
from domain.webhooks.events import PAYLOADS, samples
from domain.webhooks.events.base import schema_of
from domain.webhooks.outbox import Environment, record_facts
from domain.webhooks.promises import LIMITS, BrokenPromise, differences
from tests.support.documented import sample

NOW = datetime(2027, 1, 18, 17, tzinfo=UTC)
UNDERSTOOD = {*LIMITS, "$ref", "$defs", "anyOf", "type", "items", "properties", "additionalProperties"}
SAID = {"title", "description", "default"}  # to people
SPOILT: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1.5, 6, 10**6, "", "x", "é" * 6_000, [], {}, [None], ["x"]),
    *("2027-02-30T10:00:00.000Z", "2027-02-20T10:00:00Z", "nulle part", "a@b", "+15145550123", "CAD"),
)
every_event = pytest.mark.parametrize("event_type", PAYLOADS)


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Each container of a value with each of its keys, however deep."""
    for key in list(value.keys() if isinstance(value, dict) else range(len(value))):
        yield value, key
        if isinstance(value[key], dict | list):
            yield from places(value[key])


def keywords(node: Any) -> set[str]:
    if isinstance(node, list):
        return set().union(*map(keywords, node))
    if not isinstance(node, dict):
        return set()
    named = {**node.get("properties", {}), **node.get("$defs", {})}
    rest = [node[key] for key in node.keys() & {"anyOf", "items"}]
    return set(node) | keywords(list(named.values())) | keywords(rest)


@every_event
def test_no_schema_uses_a_word_that_is_not_understood(event_type: str) -> None:
    assert keywords(schema_of(PAYLOADS[event_type])) <= UNDERSTOOD | SAID


@every_event
def test_whatever_is_spoilt_is_found_exactly_when_the_reference_finds_it(event_type: str) -> None:
    schema = schema_of(PAYLOADS[event_type])
    reference = Draft202012Validator(dict(schema), validate_formats=True)
    payload = dict(EVENTS[event_type].envelope.payload_of(sample(event_type)))
    assert differences(payload, schema) == []

    for container, key in list(places(payload)):
        kept = container[key]
        for value in SPOILT:
            container[key] = copy.deepcopy(value)
            assert (differences(payload, schema) == []) == reference.is_valid(payload), (key, value)
        container[key] = kept
        if isinstance(container, dict):
            del container[key]
            assert (differences(payload, schema) == []) == reference.is_valid(payload), key
            container[key] = kept
            container["surplus"] = 1
            assert (differences(payload, schema) == []) == reference.is_valid(payload), "surplus"
            del container["surplus"]


def test_a_difference_names_its_place_and_not_what_is_there() -> None:
    payload = sample("booking.created")["payload"]
    payload["items"][0]["tutor_email"] = "nulle part"
    payload["student"]["phone"] = "514 555-0123"

    assert sorted(differences(payload, schema_of(PAYLOADS["booking.created"]))) == [
        "/items/0/tutor_email: format",
        "/student/phone: anyOf",
    ]


@pytest.mark.parametrize("environment", ["dev", "staging"])
def test_outside_prod_what_is_not_as_promised_is_not_recorded(
    connection: psycopg.Connection, environment: Environment
) -> None:
    with pytest.raises(BrokenPromise, match=r"^message\.sent: /receiver_email: format$"):
        record_facts(connection, [broken_message()], environment, NOW)

    assert connection.execute("SELECT count(*) FROM outbox").fetchone() == (0,)


def test_in_prod_it_is_recorded_all_the_same(connection: psycopg.Connection) -> None:
    record_facts(connection, [broken_message()], "prod", NOW)

    assert connection.execute("SELECT count(*) FROM outbox").fetchone() == (1,)


def broken_message() -> Any:
    told = samples.PAYLOADS["message.sent"]
    return told.model_copy(update={"receiver_email": "nulle part"})
