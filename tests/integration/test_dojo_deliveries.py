"""Le Dojo's events through the same outbox, relay, dispatcher and screens as 4AS's, to an address of their own."""

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from uuid import uuid4

import psycopg
import pytest

from adapters.make import MakeReceiver, make_receiver
from adapters.make_routes import routes
from domain.webhooks.events import PAYLOADS, broken_promises_of, samples
from domain.webhooks.health import look_at_endpoints
from domain.webhooks.notice import compose
from domain.webhooks.outbox import record_facts
from domain.webhooks.promises import BrokenPromise
from domain.webhooks.signature import sign
from tests.support.browser import Browser
from tests.support.delivering import START, Delivering
from tests.support.people import account, signed_in
from tests.support.receiver import receiving
from tests.support.world import World

SECRET = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
OF_BOOKINGS = "whsec_HxweHRwbGhkYFxYVFBMSERAPDg0MCwoJCAcGBQQDAgE="
PAYMENTS = ("payment.success", "payment.failed", "payment.refunded")


@pytest.fixture
def delivering(world: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[Delivering]:
    for name in ("WEBHOOK_ALLOWED_HOSTS", "WEBHOOK_PRIVATE_HOSTS"):
        monkeypatch.setenv(name, "127.0.0.1")
    monkeypatch.setenv("WEBHOOK_EVENTS_PER_SECOND", "5")
    world.clock.now = START
    with receiving() as make, psycopg.connect(world.connection.info.dsn, autocommit=True) as connection:
        monkeypatch.setenv("MAKE_BOOKING_WEBHOOK_URL", f"{make.url}/booking")
        monkeypatch.setenv("MAKE_BOOKING_WEBHOOK_SECRET", OF_BOOKINGS)
        monkeypatch.setenv("MAKE_WEBHOOK_PAYMENTS_URL", f"{make.url}/dojo")
        monkeypatch.setenv("MAKE_WEBHOOK_PAYMENTS_SECRET", SECRET)
        yield Delivering(connection, make, MakeReceiver())
    make_receiver.cache_clear()


@pytest.fixture
def admin(world: World) -> Browser:
    account(world, role="admin")
    return signed_in(world)


def record(delivering: Delivering, *types: str) -> None:
    """The samples of these types, each a fact of its own."""
    for event_type in types:
        told = samples.PAYLOADS[event_type].model_dump(by_alias=False)
        fresh = {"order_id": uuid4(), "refund_id": uuid4(), "charge_id": f"ch_{uuid4().hex}"}
        payload = samples.PAYLOADS[event_type].model_copy(
            update={name: value for name, value in fresh.items() if name in told or name == "charge_id"}
        )
        record_facts(delivering.connection, [payload], "dev", delivering.now)


def does(browser: Browser, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
    answer = browser.request(method, f"/v1/admin/webhooks/{path}", body or {} if method == "POST" else None)
    assert answer.status in (200, 202), answer.text
    return answer.body


def health(admin: Browser) -> Any:
    (one,) = [one for one in does(admin, "GET", "endpoints")["items"] if one["name"] == "DOJO_PAYMENTS"]
    return one


def test_a_purchase_leaves_signed_flat_and_as_it_was_frozen(delivering: Delivering) -> None:
    record_facts(delivering.connection, [samples.PAYLOADS["payment.success"]], "dev", START)
    ((event_id, body),) = delivering.rows("event_id, body")
    own = samples.PAYLOADS["payment.success"].model_dump_json()

    delivering.pass_time(minutes=1)

    (sent,) = delivering.make.posted
    assert sent.path == "/dojo"
    assert sent.body.decode() == (
        f'{{"eventType":"payment.success","eventId":"{event_id}","occurredAt":"2027-01-18T17:00:00.000Z",'
        f'"sequence":1,"environment":"dev",{own[1:]}'
    )
    assert sent.body == bytes(body)
    at = int(sent.headers["webhook-timestamp"])
    assert sent.headers["webhook-signature"] == sign([SECRET], event_id, at, sent.body)
    assert (sent.headers["webhook-id"], sent.headers["x-4as-event-type"], sent.headers["x-4as-attempt"]) == (
        event_id,
        "payment.success",
        "1",
    )
    assert delivering.statuses() == {"delivered": 1}


@pytest.mark.parametrize("event_type", PAYMENTS)
def test_each_event_leaves_as_it_is_promised(delivering: Delivering, event_type: str) -> None:
    record(delivering, event_type)

    delivering.pass_time(minutes=1)

    (sent,) = delivering.make.posted
    assert broken_promises_of(event_type, sent.body) == []
    spoilt = sent.body.replace(b"zoe@exemple.ca", b"nulle part")
    assert broken_promises_of(event_type, spoilt) != []


def test_an_order_s_purchase_and_refund_are_numbered_together_and_told_once(delivering: Delivering) -> None:
    facts = [samples.PAYLOADS["payment.success"], samples.PAYLOADS["payment.refunded"]]
    record_facts(delivering.connection, facts, "dev", START)
    record_facts(delivering.connection, facts, "dev", START)

    delivering.pass_time(minutes=1)

    told = [json.loads(sent.body) for sent in delivering.make.posted]
    assert sorted((one["sequence"], one["eventType"]) for one in told) == [
        (1, "payment.success"),
        (2, "payment.refunded"),
    ]


def test_what_is_not_as_promised_is_recorded_in_prod_alone(delivering: Delivering) -> None:
    broken = samples.PAYLOADS["payment.failed"].model_copy(update={"email": "nulle part"})

    with pytest.raises(BrokenPromise, match=r"^payment\.failed: /email: anyOf$"):
        record_facts(delivering.connection, [broken], "dev", START)

    assert delivering.count("outbox") == 0


def test_a_refused_event_is_tried_again_with_the_same_bytes_and_a_signature_of_the_moment(
    delivering: Delivering,
) -> None:
    delivering.make.answers[:] = [500]
    record(delivering, "payment.success")

    delivering.pass_time(minutes=1)

    first, second = delivering.make.posted
    assert first.body == second.body
    assert [one.headers["x-4as-attempt"] for one in (first, second)] == ["1", "2"]
    assert first.headers["webhook-signature"] != second.headers["webhook-signature"]
    assert delivering.statuses() == {"delivered": 1}


def test_without_its_address_it_never_goes_to_that_of_bookings_and_says_so(
    delivering: Delivering, admin: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as lacking:
        lacking.delenv("MAKE_WEBHOOK_PAYMENTS_URL")
        record(delivering, "payment.success")
        delivering.pass_time(minutes=1)

        assert (delivering.make.posted, delivering.statuses()) == ([], {"skipped": 1})
        one = health(admin)
        assert (one["address"], one["skipped"]) == ("missing", 1)
        assert one["explanation"].startswith("Aucune adresse n’est configurée")
        (waiting,) = does(admin, "GET", "undelivered")["items"]
        assert (waiting["type"], waiting["endpoint"], waiting["status"]) == (
            "payment.success",
            "DOJO_PAYMENTS",
            "skipped",
        )
        notice = compose(look_at_endpoints(delivering.connection, routes(), delivering.now))
        assert notice
        assert "Adresse DOJO_PAYMENTS" in notice.text

    does(admin, "POST", f"deliveries/{waiting['event_id']}/redeliver")
    delivering.pass_time(minutes=1)
    assert [sent.path for sent in delivering.make.posted] == ["/dojo"]


def test_a_pause_holds_its_events_and_nobody_else_s_until_it_is_resumed(
    delivering: Delivering, admin: Browser
) -> None:
    does(admin, "POST", "endpoints/DOJO_PAYMENTS/pause")
    record(delivering, *PAYMENTS)
    delivering.pass_time(minutes=5)
    assert (delivering.make.posted, delivering.statuses()) == ([], {"held": 3})
    assert (health(admin)["state"], health(admin)["held"]) == ("paused", 3)

    does(admin, "POST", "endpoints/DOJO_PAYMENTS/resume")
    delivering.pass_time(minutes=1)

    assert delivering.statuses() == {"delivered": 3}
    assert {sent.path for sent in delivering.make.posted} == {"/dojo"}
    assert health(admin)["state"] == "active"


def test_an_address_that_is_gone_is_paused_and_bookings_go_on(delivering: Delivering) -> None:
    delivering.make.answers[:] = [410]
    record(delivering, "payment.success")
    delivering.pass_time(minutes=1)

    assert delivering.endpoint("DOJO_PAYMENTS") == ("paused", "gone")
    assert delivering.endpoint("BOOKING") == ("active", None)


def test_an_administrator_finds_it_reads_it_and_sends_it_again_by_force(
    delivering: Delivering, admin: Browser
) -> None:
    record(delivering, "payment.success")
    delivering.pass_time(minutes=1)
    (one,) = admin.get("/v1/admin/webhooks/deliveries", {"type": "payment.success"}).body["items"]

    detail = does(admin, "GET", f"deliveries/{one['event_id']}")
    does(admin, "POST", f"deliveries/{one['event_id']}/redeliver", {"force": True})
    delivering.pass_time(minutes=1)

    assert (detail["status"], detail["receipt"]) == ("delivered", "Reçu par Make")
    assert "CCVM, volume 1" in json.dumps(detail, ensure_ascii=False)
    first, second = delivering.make.posted
    assert first.body == second.body
    assert second.headers["x-4as-replay"] == "1"


def test_a_period_is_sent_again(delivering: Delivering, admin: Browser) -> None:
    record(delivering, *PAYMENTS)
    delivering.pass_time(minutes=1)
    period = {"from": START.isoformat(), "to": (START + timedelta(days=1)).isoformat()}

    counted = does(admin, "POST", "redeliveries", period | {"type": "payment.failed", "dry_run": True})
    does(admin, "POST", "redeliveries", period | {"type": "payment.failed", "dry_run": False})
    delivering.pass_time(minutes=1)

    assert (counted["counts"], counted["total"]) == ({"payment.failed": 1}, 1)
    assert [sent.headers["x-4as-event-type"] for sent in delivering.make.posted].count("payment.failed") == 2


def test_a_ping_has_the_envelope_of_its_receiver_and_a_booking_is_no_sample_for_it(
    delivering: Delivering, admin: Browser
) -> None:
    assert does(admin, "POST", "endpoints/DOJO_PAYMENTS/test")["received"] is True
    assert does(admin, "POST", "endpoints/BOOKING/test")["received"] is True
    other = admin.post("/v1/admin/webhooks/endpoints/DOJO_PAYMENTS/test", {"type": "booking.created"})

    assert [(sent.path, json.loads(sent.body)) for sent in delivering.make.posted] == [
        ("/dojo", {"eventType": "test.ping"}),
        ("/booking", {"type": "test.ping"}),
    ]
    assert (other.status, other.code) == (422, "EVENT_TYPE_ELSEWHERE")
    assert delivering.count("outbox") == 0


def test_all_of_them_are_tried_here() -> None:
    assert set(PAYMENTS) == {name for name in PAYLOADS if name.startswith("payment.")}
