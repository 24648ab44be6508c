"""docs/webhooks of Le Dojo against its contract (courses.md 6.1), which is written out here once more."""

import copy
import json
import re
from datetime import timedelta
from typing import Any

import pytest

from adapters.make import headers_of
from domain.webhooks.delivery import Delivery
from domain.webhooks.event_types import EVENTS
from domain.webhooks.events import PAYLOADS, samples
from domain.webhooks.events.cast import NOW
from local.webhook_docs import texts
from local.webhook_docs.blueprint import SECRET as PLACEHOLDER
from tests.contract.make_scenario import Scenario
from tests.support.documented import broken_promises, sample, schema

SECRET = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
NEXT_SECRET = "whsec_HxweHRwbGhkYFxYVFBMSERAPDg0MCwoJCAcGBQQDAgE="
ENVELOPE = "eventType eventId occurredAt sequence environment"
PRICED = "originalAmount discountAmount amount originalAmountFr discountAmountFr amountFr"
# Every field; ? when it may be null.
FIELDS = {
    "payment.success": f"items paymentIntentId? orderId orderNumber userId email firstName? lastName? isNewUser "
    f"couponCode? purchasedAt purchasedFr courseId enrollmentId? {PRICED} refundedAmount refundedAmountFr coursesFr?",
    "payment.failed": f"items paymentIntentId checkoutId userId? email? couponCode? failureCode? declineCode? message "
    f"failedAt failedFr courseId {PRICED} coursesFr",
    "payment.refunded": "items paymentIntentId orderId orderNumber userId email firstName? lastName? refundId "
    "stripeRefundId? amount amountFr orderAmount orderAmountFr totalRefunded totalRefundedFr net netFr partial "
    "refundedAt refundedFr courseId enrollmentId? coursesFr",
}
ITEMS = {
    "payment.success": (
        "BoughtCourse",
        f"courseId title {PRICED} enrollmentId? accessDays expiresAt? accessUntilFr?",
    ),
    "payment.failed": ("AskedCourse", f"courseId title {PRICED}"),
    "payment.refunded": ("RefundedCourse", "courseId enrollmentId? title refundedAmount refundedAmountFr"),
}
TWINS = {"expiresAt": "accessUntilFr"}
BLUEPRINT = json.loads((texts.DOCS / "blueprint-dojo.json").read_text(encoding="utf-8"))

every_event = pytest.mark.parametrize("event_type", FIELDS)


def fields(node: dict[str, Any]) -> list[str]:
    """As FIELDS writes them."""
    nullable = {
        name: any(choice.get("type") == "null" for choice in field.get("anyOf", ()))
        for name, field in node["properties"].items()
    }
    return [name + "?" * may_be for name, may_be in nullable.items()]


def test_these_are_all_the_events_of_le_dojo() -> None:
    assert set(FIELDS) == {event.name for event in EVENTS.values() if event.product == "training"}
    assert all(EVENTS[name].recorded and not EVENTS[name].falls_back for name in FIELDS)


@every_event
def test_an_event_has_exactly_its_fields_beside_its_envelope(event_type: str) -> None:
    document = schema(event_type)

    assert fields(document)[:5] == ENVELOPE.split()
    assert sorted(fields(document)[5:]) == sorted(FIELDS[event_type].split())
    name, promised = ITEMS[event_type]
    assert sorted(fields(document["$defs"][name])) == sorted(promised.split())


@every_event
def test_what_the_client_s_sample_had_is_still_there(event_type: str) -> None:
    """The scenarios that were built on it read these names, beside one another."""
    legacy = {
        "payment.success": "eventType paymentIntentId userId courseId enrollmentId amount originalAmount "
        "discountAmount couponCode",
        "payment.failed": "eventType paymentIntentId userId courseId amount failureCode message",
        "payment.refunded": "eventType paymentIntentId userId courseId refundId amount partial totalRefunded net",
    }

    assert set(legacy[event_type].split()) <= sample(event_type).keys()
    assert sample(event_type)["courseId"] == sample(event_type)["items"][0]["courseId"]


@every_event
def test_a_sample_is_valid_every_key_is_required_and_no_other_is_allowed(event_type: str) -> None:
    event = sample(event_type)
    assert broken_promises(event) == []

    for place in (event, event["items"][0]):
        for key in list(place):
            value = place.pop(key)
            if key != "eventType":
                assert broken_promises(event) != [], f"{key} is not required"
            place[key] = value
        place["surplus"] = 1
        assert broken_promises(event) != []
        del place["surplus"]


@every_event
def test_only_what_may_be_null_may_be_null(event_type: str) -> None:
    for field in fields(schema(event_type)):
        if field == "eventType":
            continue
        event = copy.deepcopy(sample(event_type)) | {field.rstrip("?"): None}
        assert (broken_promises(event) == []) == field.endswith("?"), field


@every_event
def test_amounts_are_numbers_with_cents_and_they_and_instants_have_a_twin_to_print(event_type: str) -> None:
    event = sample(event_type)
    for place in (event, *event["items"]):
        for name, value in place.items():
            if name.endswith("At") and name != "occurredAt" and value:
                assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", value), name
                assert TWINS.get(name, f"{name.removesuffix('At')}Fr") in place
            if name in ("net", "totalRefunded") or name.lower().endswith("amount"):
                assert isinstance(value, float), name
                assert round(value, 2) == value
                assert re.fullmatch(r"[\d ]+,\d\d \$", place[f"{name}Fr"]), name


@pytest.mark.parametrize(
    ("event_type", "spoil"),
    [
        ("payment.success", {"amount": "254.15"}),
        ("payment.success", {"items": []}),
        ("payment.success", {"email": "nulle part"}),
        ("payment.success", {"purchasedAt": "2026-12-08T12:00:00-05:00"}),
        ("payment.failed", {"checkoutId": ""}),
        ("payment.refunded", {"partial": "true"}),
        ("payment.refunded", {"net": -1}),
    ],
)
def test_a_wrong_value_is_refused(event_type: str, spoil: dict[str, Any]) -> None:
    assert len(broken_promises(sample(event_type) | spoil)) == 1


def test_what_could_not_be_delivered_is_told_apart_and_promised_to_nobody() -> None:
    event = sample("payment.success")

    assert [item["enrollmentId"] is None for item in event["items"]] == [False, True]
    assert (event["amount"], event["refundedAmount"]) == (305.14, 50.99)
    assert event["coursesFr"] == "CCVM, volume 1 (accès jusqu’au mercredi 8 décembre 2027 à 12 h)"

    told = samples.PAYLOADS["payment.success"]
    nothing = told.model_copy(update={"items": told.items[1:]})  # type: ignore[attr-defined]
    said = json.loads(nothing.model_dump_json())
    assert (said["enrollmentId"], said["coursesFr"], said["refundedAmount"]) == (None, None, 50.99)
    assert nothing.broken_promises() == []


def test_a_free_order_and_a_buyer_without_a_name_are_as_promised() -> None:
    told = samples.PAYLOADS["payment.success"].model_copy(
        update={"payment_intent_id": None, "first_name": None, "last_name": None}
    )

    assert told.broken_promises() == []
    assert json.loads(told.model_dump_json())["paymentIntentId"] is None


@pytest.mark.parametrize(("returned", "partial", "net"), [("50.99", True, 254.15), ("305.14", False, 0.0)])
def test_a_refund_is_partial_as_long_as_something_is_left(returned: str, partial: bool, net: float) -> None:
    told = samples.PAYLOADS["payment.refunded"]
    whole = PAYLOADS["payment.refunded"](**dict(told) | {"total_refunded": returned})

    said = json.loads(whole.model_dump_json())

    assert (said["partial"], said["net"]) == (partial, net)


def test_the_same_fact_has_the_same_key_and_an_order_numbers_its_own() -> None:
    success, failed, refunded = (samples.PAYLOADS[name] for name in FIELDS)
    order, checkout = sample("payment.success")["orderId"], sample("payment.failed")["checkoutId"]

    assert (success.dedupe_key, success.ordering_key) == (f"payment.success:{order}", f"order:{order}")
    assert failed.dedupe_key == "payment.failed:ch_3QhExempleDojo0001"
    assert failed.ordering_key == f"checkout:{checkout}"
    assert refunded.dedupe_key == f"payment.refunded:{sample('payment.refunded')['refundId']}"
    assert refunded.ordering_key == f"order:{order}"


def test_an_attempt_that_reached_no_bank_is_known_by_its_payment_its_code_and_its_instant() -> None:
    failed = samples.PAYLOADS["payment.failed"].model_copy(
        update={"charge_id": None, "failure_code": "payment_intent_authentication_failure"}
    )
    later = failed.model_copy(update={"failed_at": NOW + timedelta(seconds=1)})

    assert failed.dedupe_key == (
        "payment.failed:pi_3QhExempleDojo0001:payment_intent_authentication_failure:2026-12-08T16:58:00.000Z"
    )
    assert later.dedupe_key != failed.dedupe_key
    assert "charge" not in failed.model_dump_json()


def test_twenty_courses_are_below_20_kb() -> None:
    told = samples.PAYLOADS["payment.success"]
    whole = told.model_copy(update={"items": told.items[:1] * 20})  # type: ignore[attr-defined]

    assert len(whole.model_dump_json().encode()) < 20_000


@every_event
def test_a_page_has_every_field_and_the_sample_itself_and_examples_are_about_nobody(event_type: str) -> None:
    page = (texts.DOCS / f"{event_type}.md").read_text(encoding="utf-8")
    shown = re.search(r"```json\n(.*?)```", page, re.DOTALL)

    assert shown
    assert json.loads(shown[1]) == sample(event_type)
    assert all(f"| `{name.rstrip('?')}` |" in page for name in FIELDS[event_type].split())
    assert "`MAKE_WEBHOOK_PAYMENTS_URL`" in page
    assert "payload" not in page
    assert re.findall(r"@(?!exemple\.ca)", shown[1]) == []


# --- The guide and the blueprint -------------------------------------------------------------------------------------


@pytest.fixture
def scenario() -> Scenario:
    return Scenario(BLUEPRINT, SECRET, PLACEHOLDER, NOW)


def call(event: dict[str, Any], secret: str = SECRET, forced: int = 0) -> tuple[str, dict[str, str]]:
    """The text and the headers of an event as they leave."""
    body = json.dumps(event, ensure_ascii=False, separators=(",", ":"))
    delivery = Delivery(
        event.get("eventId", "evt_ping"),
        event["eventType"],
        body.encode(),
        1,
        "DOJO_PAYMENTS",
        forced=forced,
        forcing=forced > 0,
    )
    return body, headers_of(delivery, [secret], NOW)


@pytest.mark.parametrize("empty", [False, True])
@every_event
def test_every_event_comes_out_of_its_route_with_nothing_left_to_fill(
    scenario: Scenario, event_type: str, empty: bool
) -> None:
    """`empty`: with nothing in what may be null."""
    event = sample(event_type)
    if empty:
        event |= {name.rstrip("?"): None for name in FIELDS[event_type].split() if name.endswith("?")}

    (line,) = scenario.receive(*call(event))

    assert "{{" not in line
    assert not re.search(r"Type inconnu|: \.|  | $", line)


def test_a_purchase_prints_whom_to_write_to_and_until_when_they_have_access(scenario: Scenario) -> None:
    assert scenario.receive(*call(sample("payment.success"))) == [
        f"À zoe@exemple.ca : commande {sample('payment.success')['orderNumber']}, 305,14 $, le mardi 8 décembre 2026 "
        "à 12 h. CCVM, volume 1 (accès jusqu’au mercredi 8 décembre 2027 à 12 h). Remboursé : 50,99 $."
    ]


def test_what_was_seen_what_is_not_signed_and_what_is_another_deployment_s_goes_no_further(
    scenario: Scenario,
) -> None:
    event = sample("payment.refunded")
    body, headers = call(event)

    assert scenario.receive(*call(event, NEXT_SECRET)) == []
    assert scenario.receive(body.replace("zoe@", "eve@"), headers) == []
    assert scenario.receive(*call(event | {"environment": "staging"})) == []
    assert scenario.receive(*call({"eventType": "test.ping"})) == []
    assert scenario.store == {}
    assert len(scenario.receive(body, headers)) == 1
    assert list(scenario.store) == [event["eventId"]]
    assert scenario.receive(body, headers) == []
    assert len(scenario.receive(*call(event, forced=1))) == 1


def test_a_type_that_the_blueprint_does_not_know_says_so(scenario: Scenario) -> None:
    assert scenario.receive(*call(sample("payment.failed") | {"eventType": "subscription.created"})) == [
        "Type inconnu : subscription.created"
    ]


def test_neither_plan_has_the_other_s_events() -> None:
    of_4as = (texts.DOCS / "blueprint.json").read_text(encoding="utf-8")

    assert "payment.success" not in of_4as
    assert "booking.created" not in json.dumps(BLUEPRINT)


def test_the_guide_says_each_key_of_the_envelope_and_where_it_goes() -> None:
    guide = (texts.DOCS / "README.md").read_text(encoding="utf-8")
    chapter = guide[guide.index("## Le Dojo Financier\n") : guide.index("## Ordre, rythme et pannes\n")]

    assert all(f"| `{key}` |" in chapter for key in ENVELOPE.split())
    assert all(f"[`{event_type}`]({event_type}.md)" in chapter for event_type in FIELDS)
    assert "](blueprint-dojo.json)" in chapter
    assert re.search(r"\| `MAKE_WEBHOOK_PAYMENTS_URL` \| `DOJO_PAYMENTS` \|.*\| ne part pas \|", guide)
