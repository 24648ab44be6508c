"""What is around an event's own fields, byte for byte, and which addresses each product's events go to."""

import json
from datetime import UTC, datetime

import pytest

from domain.webhooks.envelopes import Flat
from domain.webhooks.event_types import ENVELOPES, EVENTS, LE_DOJO, secret_setting, url_setting
from domain.webhooks.events import PAYLOADS, FlatEnvelope
from domain.webhooks.events.base import schema_of

NOW = datetime(2027, 1, 18, 17, 0, 5, 123_456, tzinfo=UTC)
OWN = '{"titre":"Déontologie","montant":50.99}'


def whole(event_type: str) -> bytes:
    envelope = EVENTS[event_type].envelope
    return envelope.before_sequence(event_type, "evt_1", NOW) + b"7" + envelope.after_sequence("prod", OWN)


def test_of_4as_an_event_s_own_fields_are_under_payload() -> None:
    assert whole("booking.created").decode() == (
        '{"type":"booking.created","event_id":"evt_1","sent_at":"2027-01-18T17:00:05.123Z",'
        '"timestamp":"2027-01-18T17:00:05.123Z","schema_version":1,"sequence":7,"environment":"prod",'
        '"payload":{"titre":"Déontologie","montant":50.99}}'
    )


def test_of_le_dojo_they_are_beside_what_every_event_has() -> None:
    assert whole("payment.success").decode() == (
        '{"eventType":"payment.success","eventId":"evt_1","occurredAt":"2027-01-18T17:00:05.123Z",'
        '"sequence":7,"environment":"prod","titre":"Déontologie","montant":50.99}'
    )


@pytest.mark.parametrize("event_type", ["booking.created", "payment.success"])
def test_an_event_s_own_fields_are_found_again(event_type: str) -> None:
    event = json.loads(whole(event_type))

    assert EVENTS[event_type].envelope.payload_of(event) == json.loads(OWN)


@pytest.mark.parametrize("event_type", [one.name for one in EVENTS.values() if one.product == "training"])
def test_no_field_of_an_event_is_named_as_one_of_its_envelope(event_type: str) -> None:
    assert schema_of(PAYLOADS[event_type])["properties"].keys() & {*Flat.keys} == set()


def test_the_published_envelope_is_the_one_that_is_sent() -> None:
    declared = FlatEnvelope.model_json_schema(mode="serialization")["properties"]

    assert tuple(declared) == Flat.keys == tuple(json.loads(whole("payment.failed")))[:5]


def test_an_area_says_by_its_name_whose_it_is() -> None:
    for event in EVENTS.values():
        assert event.endpoint.startswith(LE_DOJO) == (event.product == "training")
        assert event.envelope is ENVELOPES[event.product]


def test_each_product_names_its_settings_as_its_owner_does() -> None:
    assert (url_setting("BOOKING"), secret_setting("BOOKING")) == (
        "MAKE_BOOKING_WEBHOOK_URL",
        "MAKE_BOOKING_WEBHOOK_SECRET",
    )
    assert (url_setting("DOJO_PAYMENTS"), secret_setting("DOJO_PAYMENTS")) == (
        "MAKE_WEBHOOK_PAYMENTS_URL",
        "MAKE_WEBHOOK_PAYMENTS_SECRET",
    )
    areas = {event.endpoint for event in EVENTS.values()}
    assert len({url_setting(area) for area in areas}) == len(areas)
