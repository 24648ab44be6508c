"""What the blueprint does with the very calls that we make, played by our reading of Make (make_scenario.py)."""

import json
from datetime import timedelta
from typing import Any

import pytest

from adapters.make import headers_of
from domain.webhooks.delivery import Delivery
from domain.webhooks.event_types import EVENTS
from domain.webhooks.events.cast import NOW
from domain.webhooks.events.samples import sample
from local.webhook_docs import texts
from local.webhook_docs.blueprint import SECRET as PLACEHOLDER
from tests.contract.make_scenario import Scenario
from tests.support.documented import schema

SECRET = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
NEXT_SECRET = "whsec_HxweHRwbGhkYFxYVFBMSERAPDg0MCwoJCAcGBQQDAgE="
LINES = [
    "jeudi 10 décembre 2026 à 9 h, 60,75 $",
    "mardi 15 décembre 2026 à 16 h 30, 60,75 $",
    "À zoe@exemple.ca : Français, secondaire (jeudi 10 décembre 2026, de 9 h à 10 h 30) ; Mathématiques, secondaire"
    " (mardi 15 décembre 2026, de 16 h 30 à 18 h). Total : 109,35 $.",
]
BLUEPRINT = json.loads((texts.DOCS / "blueprint.json").read_text(encoding="utf-8"))


@pytest.fixture
def scenario() -> Scenario:
    return Scenario(BLUEPRINT, SECRET, PLACEHOLDER, NOW)


def call(event: dict[str, Any], *secrets: str, forced: int = 0) -> tuple[str, dict[str, str]]:
    """The text and the headers of an event as they leave."""
    body = json.dumps(event, ensure_ascii=False, separators=(",", ":"))
    trigger = "manual" if forced else "auto"
    event_id = event.get("event_id", "evt_ping")
    delivery = Delivery(
        event_id,
        event["type"],
        body.encode(),
        1,
        "BOOKING",
        trigger=trigger,
        forced=forced,
        forcing=forced > 0,
    )
    return body, headers_of(delivery, list(secrets) or [SECRET], NOW)


def test_an_empty_data_store_and_a_sample_print_a_line_for_each_session(
    scenario: Scenario,
) -> None:
    assert scenario.receive(*call(sample("booking.created"))) == LINES
    assert list(scenario.store) == [sample("booking.created")["event_id"]]


@pytest.mark.parametrize("empty", [False, True])
@pytest.mark.parametrize("event_type", [one.name for one in EVENTS.values() if one.product == "tutoring"])
def test_every_event_comes_out_of_its_route_with_nothing_left_to_fill(
    scenario: Scenario, event_type: str, empty: bool
) -> None:
    """`empty`: with nothing in what may be null."""
    event = sample(event_type)
    for name, field in schema(event_type)["properties"]["payload"]["properties"].items():
        if empty and {"type": "null"} in field.get("anyOf", ()):
            event["payload"][name] = None

    lines = scenario.receive(*call(event))

    assert lines
    assert not any("{{" in line or "Type inconnu" in line for line in lines)
    assert not any(": ." in line or "  " in line or line.endswith(" ") for line in lines)


def test_the_same_event_twice_is_told_once_unless_it_is_forced(scenario: Scenario) -> None:
    event = sample("booking.created")

    assert scenario.receive(*call(event)) == LINES
    assert scenario.receive(*call(event)) == []
    assert scenario.receive(*call(event, forced=1)) == LINES
    assert scenario.receive(*call(event)) == []


def test_a_repetition_marked_by_a_thief_is_good_for_a_week(scenario: Scenario) -> None:
    """`x-4as-replay` is not signed: the call of another day, the mark added to it."""
    body, headers = call(sample("booking.created"))
    marked = headers | {"x-4as-replay": "1"}
    assert scenario.receive(body, headers) == LINES

    later = Scenario(BLUEPRINT, SECRET, PLACEHOLDER, NOW + timedelta(days=7))
    later.store = scenario.store
    too_late = Scenario(BLUEPRINT, SECRET, PLACEHOLDER, NOW + timedelta(days=7, seconds=1))
    too_late.store = scenario.store

    assert later.receive(body, marked) == LINES
    assert too_late.receive(body, marked) == []


def test_a_first_arrival_may_have_waited_for_any_time(scenario: Scenario) -> None:
    late = Scenario(BLUEPRINT, SECRET, PLACEHOLDER, NOW + timedelta(days=29))

    assert late.receive(*call(sample("booking.created"))) == LINES


def test_a_cancellation_by_a_refund_is_the_refund_s_to_tell_the_student(scenario: Scenario) -> None:
    event = sample("booking.cancelled")
    both = scenario.receive(*call(event))
    event["event_id"] += "0"
    event["payload"]["cause"] = "refund"

    to_the_tutor = [line for line in both if line.startswith("À helene.roy@exemple.ca")]
    assert len(both) == 2
    assert scenario.receive(*call(event)) == to_the_tutor


@pytest.mark.parametrize(("role", "told"), [("admin", "À zoe@exemple.ca : "), ("student", "Claire Gagnon, ")])
def test_a_ticket_s_message_goes_to_the_other_side(scenario: Scenario, role: str, told: str) -> None:
    event = sample("ticket.message_added")
    event["payload"]["sender_role"] = role

    (line,) = scenario.receive(*call(event))

    assert line.startswith(told)
    assert event["payload"]["message"] in line


def test_another_secret_a_changed_text_or_no_signature_goes_no_further(scenario: Scenario) -> None:
    body, headers = call(sample("signup"))
    unsigned = {name: value for name, value in headers.items() if name != "webhook-signature"}

    assert scenario.receive(*call(sample("signup"), NEXT_SECRET)) == []
    assert scenario.receive(body.replace("zoe@", "eve@"), headers) == []
    assert scenario.receive(body, headers | {"webhook-id": "evt_another"}) == []
    assert scenario.receive(body, unsigned) == []
    assert scenario.store == {}
    assert len(scenario.receive(body, headers)) == 1


def test_while_a_secret_changes_both_are_good(scenario: Scenario) -> None:
    after = Scenario(BLUEPRINT, NEXT_SECRET, PLACEHOLDER, NOW)
    signed_twice = call(sample("booking.created"), NEXT_SECRET, SECRET)

    assert scenario.receive(*signed_twice) == after.receive(*signed_twice) == LINES


def test_a_blueprint_without_its_secret_lets_nothing_through() -> None:
    as_imported = Scenario(BLUEPRINT, PLACEHOLDER, PLACEHOLDER, NOW)

    assert as_imported.receive(*call(sample("booking.created"))) == []


def test_a_ping_and_another_deployment_s_events_stop_and_are_not_remembered(scenario: Scenario) -> None:
    assert scenario.receive(*call({"type": "test.ping"})) == []
    assert scenario.receive(*call(sample("signup") | {"environment": "staging"})) == []
    assert scenario.store == {}


def test_a_type_that_the_blueprint_does_not_know_says_so_and_fails_nothing(scenario: Scenario) -> None:
    assert scenario.receive(*call(sample("signup") | {"type": "gift.bought"})) == [
        "Type inconnu : gift.bought"
    ]


@pytest.mark.parametrize("event_type", ["password.reset_requested", "appointment.reminder"])
def test_what_expired_in_make_s_queue_is_not_told(event_type: str) -> None:
    late = Scenario(BLUEPRINT, SECRET, PLACEHOLDER, NOW + timedelta(days=3))

    assert late.receive(*call(sample(event_type))) == []
