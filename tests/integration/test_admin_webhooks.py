"""What an administrator sees of deliveries and does about them, over HTTP and from the command line."""

import json
import os
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from adapters.make import MakeReceiver, make_receiver
from adapters.make_routes import routes
from domain.webhooks import replay
from domain.webhooks.event_types import EVENTS, secret_setting, url_setting
from domain.webhooks.events import broken_promises_of, cast, samples
from domain.webhooks.outbox import record_facts
from domain.webhooks.retention import delete_attempts, delete_rows, delete_unrecorded, forget_bodies
from local import deliveries as command
from tests.conftest import Database
from tests.support.browser import Browser
from tests.support.delivering import START, Delivering
from tests.support.people import account, signed_in
from tests.support.receiver import receiving
from tests.support.tables import nothing_written
from tests.support.world import World

SECRET = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
ROUTES = [
    ("GET", "deliveries"),
    ("GET", "deliveries/evt_1"),
    ("GET", "undelivered"),
    ("GET", "endpoints"),
    ("POST", "deliveries/evt_1/redeliver"),
    ("POST", "redeliveries"),
    ("POST", "redeliveries/00000000-0000-0000-0000-000000000000/stop"),
    ("POST", "endpoints/BOOKING/pause"),
    ("POST", "endpoints/BOOKING/resume"),
    ("POST", "endpoints/BOOKING/test"),
]
WHOLE_DAY = {"from": START.isoformat(), "to": (START + timedelta(days=1)).isoformat()}


@pytest.fixture
def delivering(world: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[Delivering]:
    monkeypatch.setenv("WEBHOOK_EVENTS_PER_SECOND", "5")
    monkeypatch.setenv("WEBHOOK_ALLOWED_HOSTS", "127.0.0.1")
    monkeypatch.setenv("WEBHOOK_PRIVATE_HOSTS", "127.0.0.1")
    world.clock.now = START
    with receiving() as make, psycopg.connect(world.connection.info.dsn, autocommit=True) as connection:
        monkeypatch.setenv("MAKE_BOOKING_WEBHOOK_URL", f"{make.url}/booking")
        monkeypatch.setenv("MAKE_BOOKING_WEBHOOK_SECRET", SECRET)
        yield Delivering(connection, make, MakeReceiver())
        connection.execute("DELETE FROM outbox")  # these events say nothing, least of all what they should
    make_receiver.cache_clear()


@pytest.fixture
def admin(world: World) -> Browser:
    account(world, role="admin")
    return signed_in(world)


def does(
    browser: Browser,
    method: str,
    path: str,
    body: dict[str, Any] | None = None,
    query: dict[str, str] | None = None,
) -> Any:
    sent = body or {} if method == "POST" else None
    answer = browser.request(method, f"/v1/admin/webhooks/{path}", sent, query)
    assert answer.status in (200, 202), answer.text
    return answer.body


def audit(delivering: Delivering) -> list[tuple[Any, ...]]:
    return delivering.connection.execute(
        "SELECT action, entity_id, actor_id IS NOT NULL FROM audit_log ORDER BY id"
    ).fetchall()


@pytest.mark.parametrize("role", [None, "student", "tutor"])
def test_nobody_but_an_administrator_enters(world: World, role: str | None) -> None:
    browser = world.browser()
    if role:
        account(world, role=role)
        browser = signed_in(world)

    for method, path in ROUTES:
        body = {**WHOLE_DAY, "dry_run": False} if path == "redeliveries" else {}
        answer = browser.request(method, f"/v1/admin/webhooks/{path}", body if method == "POST" else None)
        assert (answer.status, answer.code) == ((403, "FORBIDDEN") if role else (401, "UNAUTHENTICATED"))
    assert world.count("audit_log") == world.count("webhook_redeliveries") == 0


def test_pages_of_deliveries_drop_and_double_nothing(delivering: Delivering, admin: Browser) -> None:
    for _ in range(3):
        delivering.tell(*["booking.created"] * 3)
        delivering.pass_time(minutes=1)
    seen: list[str] = []
    cursor: dict[str, str] = {}
    while True:
        page = admin.get("/v1/admin/webhooks/deliveries", {"limit": "4", **cursor}).body
        seen += [item["event_id"] for item in page["items"]]
        if page["next_cursor"] is None:
            break
        cursor = {"cursor": page["next_cursor"]}

    assert seen == [event_id for (event_id,) in delivering.rows("event_id")][::-1]


def test_a_delivered_event_can_be_sent_again_byte_for_byte(delivering: Delivering, admin: Browser) -> None:
    delivering.tell("booking.created")
    delivering.pass_time(minutes=1)
    ((event_id,),) = delivering.rows("event_id")

    does(admin, "POST", f"deliveries/{event_id}/redeliver", {"force": True})
    delivering.pass_time(minutes=1)

    first, second = delivering.make.posted
    assert first.body == second.body
    assert first.headers["webhook-id"] == second.headers["webhook-id"] == event_id
    assert ("x-4as-replay" in first.headers, second.headers["x-4as-replay"]) == (False, "1")
    detail = does(admin, "GET", f"deliveries/{event_id}")
    assert (detail["status"], detail["attempts"], detail["receipt"]) == ("delivered", 1, "Reçu par Make")
    assert [(one["trigger"], one["actor_id"] is not None) for one in detail["failed_attempts"]] == [
        ("manual", True)
    ]
    assert audit(delivering) == [
        ("webhooks.redeliver", event_id, True),
        ("webhooks.read", event_id, True),  # its answer shows the body
        ("webhooks.read", event_id, True),
    ]


def test_reading_what_an_event_says_leaves_a_line(delivering: Delivering, admin: Browser) -> None:
    delivering.tell("booking.created")
    ((event_id,),) = delivering.rows("event_id")

    detail = does(admin, "GET", f"deliveries/{event_id}")

    assert json.loads(detail["body"])["payload"] == {"cancellation_reason": "Empêchement"}
    assert audit(delivering) == [("webhooks.read", event_id, True)]


def test_nobody_is_shown_the_token_of_a_reset_that_waits(delivering: Delivering, admin: Browser) -> None:
    """Decision 22: whoever read it would take the account. The receiver's answer may repeat it."""
    delivering.tell("password.reset_requested")
    ((event_id,),) = delivering.rows("event_id")
    delivering.connection.execute(
        """
        INSERT INTO webhook_attempts (event_id, attempt_no, trigger, started_at, duration_ms, status_code,
                                      error_class, response_excerpt)
        VALUES (%s, 1, 'auto', %s, 5, 500, 'http_5xx', 'got Empêchement')
        """,
        (event_id, delivering.now),
    )

    shown = admin.get(f"/v1/admin/webhooks/deliveries/{event_id}")
    again = admin.post(f"/v1/admin/webhooks/deliveries/{event_id}/redeliver", {}, idempotency_key="k")

    for answer in (shown, again):
        assert "Empêchement" not in answer.text
        assert answer.body["body"] == "Masqué : ce texte porte un secret."
        assert [one["response_excerpt"] for one in answer.body["failed_attempts"]] == [
            "Masqué : ce texte porte un secret."
        ]
    assert audit(delivering) == [("webhooks.redeliver", event_id, True)]


def excerpts(delivering: Delivering) -> list[str | None]:
    return [row[0] for row in delivering.connection.execute("SELECT response_excerpt FROM webhook_attempts")]


def test_what_the_receiver_answers_to_a_secret_is_not_kept(
    delivering: Delivering, admin: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the relay and by an administrator's replay: the answer may repeat the token."""
    monkeypatch.setenv("MAKE_SIGNUP_WEBHOOK_URL", f"{delivering.make.url}/signup")
    monkeypatch.setenv("MAKE_SIGNUP_WEBHOOK_SECRET", SECRET)
    delivering.answer, delivering.make.echoes = lambda _: 500, True
    delivering.tell("password.reset_requested")
    delivering.pass_time(minutes=1)
    ((event_id,),) = delivering.rows("event_id")
    does(admin, "POST", f"deliveries/{event_id}/redeliver")
    delivering.pass_time(minutes=1)

    assert len(delivering.make.posted) >= 2
    assert set(excerpts(delivering)) == {None}
    detail = does(admin, "GET", f"deliveries/{event_id}")
    assert {(one["status_code"], one["response_excerpt"]) for one in detail["failed_attempts"]} == {
        (500, None)
    }


def test_what_it_answers_to_anything_else_is(delivering: Delivering) -> None:
    """The negative control."""
    delivering.answer, delivering.make.echoes = lambda _: 500, True
    delivering.tell("booking.created")
    delivering.pass_time(minutes=1)

    assert {"Empêchement" in (excerpt or "") for excerpt in excerpts(delivering)} == {True}


def test_answers_that_were_kept_before_are_forgotten_by_the_migration(delivering: Delivering) -> None:
    delivering.tell("password.reset_requested", "booking.created")
    delivering.connection.execute(
        """
        INSERT INTO webhook_attempts (event_id, attempt_no, trigger, started_at, duration_ms, response_excerpt)
        SELECT event_id, 1, 'auto', now(), 5, type FROM outbox
        """
    )

    delivering.connection.execute(Path("migrations/0023_excerpts_with_secrets.sql").read_text())

    assert excerpts(delivering) in ([None, "booking.created"], ["booking.created", None])


def test_a_replay_that_fails_leaves_the_event_as_it_was(delivering: Delivering, admin: Browser) -> None:
    delivering.tell("booking.created")
    delivering.pass_time(minutes=1)
    ((event_id,),) = delivering.rows("event_id")
    delivering.answer = lambda _: 500

    does(admin, "POST", f"deliveries/{event_id}/redeliver")
    delivering.pass_time(minutes=10)

    assert delivering.rows("status::text, attempts") == [("delivered", 1)]
    assert len(delivering.make.posted) == 2


def test_without_url_an_event_is_skipped_and_sent_once_there_is_one(
    delivering: Delivering, admin: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    """e.3-13."""
    delivering.tell("booking.cancelled")
    delivering.pass_time(minutes=1)
    assert delivering.alerts == ["url_missing"]
    (waiting,) = does(admin, "GET", "undelivered")["items"]
    assert (waiting["status"], waiting["last_error"]) == (
        "skipped",
        "Aucune adresse n’est configurée pour cet événement.",
    )
    assert waiting["endpoint"] == "CANCELLATION"

    monkeypatch.setenv("MAKE_CANCELLATION_WEBHOOK_URL", f"{delivering.make.url}/cancellation")
    monkeypatch.setenv("MAKE_CANCELLATION_WEBHOOK_SECRET", SECRET)
    does(admin, "POST", f"deliveries/{waiting['event_id']}/redeliver")
    delivering.pass_time(minutes=1)

    assert delivering.statuses() == {"delivered": 1}
    assert does(admin, "GET", "undelivered")["items"] == []


def test_a_range_is_counted_then_sent_five_a_second_and_can_be_stopped(
    delivering: Delivering, admin: Browser, world: World
) -> None:
    """B-6."""
    delivering.tell(*["booking.created"] * 40, *["booking.rescheduled"] * 20)
    delivering.pass_time(minutes=2)
    delivering.make.posted.clear()
    world.clock.now = delivering.now

    dry = does(admin, "POST", "redeliveries", {**WHOLE_DAY, "dry_run": True})
    assert dry["counts"] == {"booking.created": 40, "booking.rescheduled": 20}
    assert delivering.statuses() == {"delivered": 60}
    assert audit(delivering) == []

    job = does(admin, "POST", "redeliveries", {**WHOLE_DAY, "dry_run": False})
    assert (job["counts"], job["total"]) == (dry["counts"], 60)
    delivering.relay()
    delivering.dispatch_until(delivering.now + timedelta(seconds=4))
    assert 15 <= len(delivering.make.posted) <= 20
    sent = len(delivering.make.posted)

    stopped = does(admin, "POST", f"redeliveries/{job['redelivery_id']}/stop")
    delivering.pass_time(minutes=2)
    assert stopped == {"stopped": 60 - sent}
    assert len(delivering.make.posted) == sent
    assert delivering.statuses() == {"delivered": 60}


def test_a_paused_endpoint_holds_until_it_is_resumed(delivering: Delivering, admin: Browser) -> None:
    delivering.tell("booking.created")
    delivering.pass_time(minutes=1)
    does(admin, "POST", "endpoints/BOOKING/pause")
    delivering.tell(*["booking.created"] * 3)
    delivering.pass_time(hours=2)
    assert delivering.statuses() == {"delivered": 1, "held": 3}

    assert does(admin, "POST", "endpoints/BOOKING/resume")["events"] == 3
    delivering.pass_time(minutes=1)

    assert delivering.statuses() == {"delivered": 4}
    assert audit(delivering) == [
        ("webhooks.pause", "BOOKING", True),
        ("webhooks.resume", "BOOKING", True),
    ]


def test_samples_leave_while_an_address_and_those_that_fall_back_on_it_are_paused(
    delivering: Delivering, admin: Browser
) -> None:
    """What the guide has the administrator do while a scenario is built."""
    does(admin, "POST", "endpoints/BOOKING/pause")
    delivering.tell("booking.created", "booking.rescheduled", "order.refunded")
    delivering.pass_time(hours=2)

    answer = does(admin, "POST", "endpoints/BOOKING/test", {"type": "booking.created"})

    (posted,) = delivering.make.posted
    assert (answer["received"], b"zoe@exemple.ca" in posted.body) == (True, True)
    assert delivering.statuses() == {"held": 3}
    does(admin, "POST", "endpoints/BOOKING/resume")
    delivering.pass_time(minutes=1)
    assert delivering.statuses() == {"delivered": 3}


def test_what_a_pause_held_can_be_given_up(delivering: Delivering, admin: Browser) -> None:
    does(admin, "POST", "endpoints/BOOKING/pause")
    delivering.tell("booking.created")
    delivering.pass_time(minutes=1)
    does(admin, "POST", "endpoints/BOOKING/resume", {"cancel": True})
    delivering.pass_time(minutes=5)
    assert (delivering.statuses(), delivering.make.posted) == ({"cancelled": 1}, [])


def test_a_test_event_is_posted_and_not_recorded(delivering: Delivering, admin: Browser) -> None:
    assert does(admin, "POST", "endpoints/BOOKING/test")["received"] is True
    (ping,) = delivering.make.posted
    assert (ping.body, ping.headers["x-4as-event-type"]) == (b'{"type":"test.ping"}', "test.ping")
    assert delivering.count("outbox") == 0
    assert audit(delivering) == [("webhooks.test", "BOOKING", True)]


def test_a_test_with_a_key_is_posted_once_and_in_no_transaction(
    delivering: Delivering, admin: Browser, world: World
) -> None:
    waiting: list[int] = []

    def look() -> None:
        with psycopg.connect(world.connection.info.dsn) as connection:
            ((open_transactions,),) = connection.execute(
                """
                SELECT count(*) FROM pg_stat_activity
                 WHERE datname = current_database() AND state LIKE 'idle in transaction%'
                """
            ).fetchall()
            waiting.append(open_transactions)

    delivering.make.looks = look
    path = "/v1/admin/webhooks/endpoints/BOOKING/test"
    answers = [admin.post(path, {}, idempotency_key="essai-1") for _ in range(2)]

    assert [answer.body["received"] for answer in answers] == [True, True]
    assert (len(delivering.make.posted), waiting) == (1, [0])
    assert audit(delivering) == [("webhooks.test", "BOOKING", True)]


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("deliveries/evt_1/redeliver", 404, "DELIVERY_NOT_FOUND"),
        ("redeliveries/00000000-0000-0000-0000-000000000000/stop", 404, "REDELIVERY_NOT_FOUND"),
        ("endpoints/NULLE_PART/pause", 404, "ENDPOINT_NOT_FOUND"),
        ("endpoints/NULLE_PART/resume", 404, "ENDPOINT_NOT_FOUND"),
        ("endpoints/NULLE_PART/test", 404, "ENDPOINT_NOT_FOUND"),
        ("endpoints/MESSAGE/test", 422, "ENDPOINT_WITHOUT_URL"),
        ("endpoints/MESSAGE/pause", 422, "ENDPOINT_WITHOUT_URL"),
        ("endpoints/RESCHEDULE/pause", 422, "ENDPOINT_VIA_FALLBACK"),
    ],
)
def test_what_is_not_there_is_refused(
    world: World, delivering: Delivering, admin: Browser, path: str, status: int, code: str
) -> None:
    with nothing_written(world.connection):
        answer = admin.post(f"/v1/admin/webhooks/{path}", {})
    assert (answer.status, answer.code) == (status, code)


def test_the_command_line_does_the_same(delivering: Delivering, capsys: pytest.CaptureFixture[str]) -> None:
    delivering.tell("booking.created")
    delivering.pass_time(minutes=1)
    ((event_id,),) = delivering.rows("event_id")

    assert command.main(["redeliver", event_id]) == 0
    assert command.main(["redeliver", "evt_1"]) == 1
    capsys.readouterr()
    assert command.main(["range", "2027-01-01", "2027-02-01"]) == 0

    assert json.loads(capsys.readouterr().out)["total"] == 0
    assert audit(delivering) == [("webhooks.redeliver", event_id, False)]


@pytest.mark.parametrize("words", ["endpoints", "pause BOOKING", "resume BOOKING --cancel", "test BOOKING"])
def test_what_concerns_urls_needs_their_settings(
    delivering: Delivering,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    words: str,
) -> None:
    named = {name: os.environ[name] for name in ("MAKE_BOOKING_WEBHOOK_URL", "MAKE_BOOKING_WEBHOOK_SECRET")}
    for name in named:
        monkeypatch.delenv(name)
    with nothing_written(delivering.connection):
        assert command.main(words.split()) == 1
    assert "SETTINGS=secret.json" in capsys.readouterr().out

    (tmp_path / "secret.json").write_text(json.dumps(named), encoding="utf-8")
    monkeypatch.setenv("SETTINGS", str(tmp_path / "secret.json"))
    monkeypatch.setattr(os, "environ", os.environ.copy())
    assert command.main(words.split()) == 0


@pytest.mark.parametrize(
    ("url", "said"),
    [("", "DATABASE_URL is not set."), ("postgresql://127.0.0.1:1/none", "does not answer")],
)
def test_a_command_without_its_database_says_so(
    database: Database,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    url: str,
    said: str,
) -> None:
    for name in ("DATABASE_JOBS_URL", "DATABASE_URL"):
        monkeypatch.delenv(name, raising=False)
    if url:
        monkeypatch.setenv("DATABASE_URL", url)
    assert command.main(["undelivered"]) == 1
    assert said in capsys.readouterr().out


def test_old_bodies_attempts_and_administrators_events_are_forgotten(delivering: Delivering) -> None:
    """R-1 to R-3."""
    delivering.answer = lambda _: 422
    delivering.tell("booking.created", "course.created")
    delivering.pass_time(minutes=1)
    delivering.connection.execute("UPDATE outbox SET status = 'exhausted'")
    connection, day = delivering.connection, timedelta(days=1)
    later = delivering.now + 91 * day

    assert delete_unrecorded(connection, delivering.now + 2 * day, 10) == 0
    assert delete_unrecorded(connection, delivering.now + 4 * day, 10) == 1
    assert delete_attempts(connection, delivering.now + 29 * day, 10) == 0
    assert delete_attempts(connection, delivering.now + 31 * day, 10) > 0
    assert forget_bodies(connection, later, 10) == 0  # it can still be told
    assert delivering.rows("type, status::text, body IS NULL") == [("booking.created", "exhausted", False)]

    delivering.answer = lambda _: 200
    replay.redeliver_range(connection, None, replay.Range(START, START + day), 5, delivering.now)
    delivering.pass_time(minutes=2)
    assert forget_bodies(connection, delivering.now + 89 * day, 10) == 0
    assert forget_bodies(connection, later, 10) == 1
    assert forget_bodies(connection, later, 10) == 0
    assert delivering.rows("type, status::text, body") == [("booking.created", "delivered", None)]
    assert replay.count_range(connection, replay.Range(START, START + day), later).total == 0


def test_what_nobody_delivered_is_kept_and_told_after_any_time(
    delivering: Delivering, admin: Browser
) -> None:
    """Decision 27: held for a hundred days, and no cancelled event without a reason."""
    does(admin, "POST", "endpoints/BOOKING/pause")
    delivering.tell("booking.created")
    delivering.pass_time(minutes=1)
    later = delivering.now + timedelta(days=100)
    assert forget_bodies(delivering.connection, later, 10) == 0
    assert delivering.statuses() == {"held": 1}

    delivering.now = later
    does(admin, "POST", "endpoints/BOOKING/resume")
    delivering.connection.execute("UPDATE outbox SET next_attempt_at = %s", (later,))
    delivering.pass_time(minutes=1)
    assert delivering.statuses() == {"delivered": 1}


def test_what_make_has_is_forgotten_after_thirteen_months_and_never_told_again(
    delivering: Delivering,
) -> None:
    delivering.tell("booking.created", dedupe_key="once")
    delivering.answer = lambda _: 422
    delivering.pass_time(minutes=1)
    delivering.answer = lambda _: 200
    delivering.pass_time(minutes=2)
    delivering.tell("booking.rescheduled")
    connection, day = delivering.connection, timedelta(days=1)
    connection.execute("UPDATE outbox SET status = 'held' WHERE type = 'booking.rescheduled'")
    assert delivering.statuses() == {"delivered": 1, "held": 1}

    assert delete_rows(connection, START + 395 * day, 10) == 0
    assert delete_rows(connection, START + 397 * day, 10) == 1
    assert delivering.rows("type, status::text") == [("booking.rescheduled", "held")]
    assert delivering.count("webhook_attempts") == 0
    delivering.tell("booking.created", dedupe_key="once")
    assert delivering.count("outbox") == 1


# --- What an operator reads and asks ----------------------------------------------------------------------------


def test_every_address_is_shown_before_anything_was_sent(
    delivering: Delivering, admin: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    items = does(admin, "GET", "endpoints")["items"]
    assert {one["name"]: one["address"] for one in items} == {
        "SIGNUP": "missing",
        "BOOKING": "own",
        "CANCELLATION": "missing",
        "RESCHEDULE": "via_booking",
        "COMPLETION": "via_booking",
        "REMINDER": "via_booking",
        "REFUND": "via_booking",
        "MESSAGE": "missing",
        "RATING": "via_booking",
        "TICKET": "via_booking",
        "ADMIN": "via_booking",
        "DOJO_PAYMENTS": "missing",
    }
    assert {one["state"] for one in items} == {"active"}
    assert [one["explanation"] for one in items if one["name"] == "SIGNUP"] == [
        "Aucune adresse n’est configurée : ses événements sont mis de côté et pourront être renvoyés."
    ]


def test_an_address_says_since_when_why_how_many_and_what_to_do(
    delivering: Delivering, admin: Browser, world: World
) -> None:
    delivering.tell("signup", "booking.created", "booking.rescheduled")
    delivering.answer = lambda _: 410
    delivering.pass_time(minutes=1)
    world.clock.now = delivering.now

    health = {one["name"]: one for one in does(admin, "GET", "endpoints")["items"]}

    for name in ("BOOKING", "RESCHEDULE"):
        assert (health[name]["state"], health[name]["reason"], health[name]["held"]) == ("paused", "gone", 1)
        assert health[name]["since"].startswith("2027-01-18T12:00:0")
        assert health[name]["since"].endswith("-05:00")
        assert health[name]["explanation"].startswith("Le scénario est éteint.")
    assert (health["SIGNUP"]["skipped"], health["SIGNUP"]["held"]) == (1, 0)


def test_an_address_says_until_when_make_wants_patience(
    delivering: Delivering, admin: Browser, world: World
) -> None:
    delivering.make.headers["retry-after"] = "3600"
    delivering.answer = lambda _: 429
    delivering.tell("booking.created")
    delivering.pass_time(minutes=1)
    world.clock.now = delivering.now

    health = {one["name"]: one for one in does(admin, "GET", "endpoints")["items"]}
    assert health["BOOKING"]["not_before"].startswith("2027-01-18T13:00:00.1")  # and the time the answer took
    assert (health["BOOKING"]["waiting"], health["SIGNUP"]["not_before"]) == (1, None)


@pytest.mark.parametrize(
    ("status", "sentence"),
    [
        (500, "Make est en panne (réponse 500)."),
        (302, "L’adresse renvoie ailleurs : elle est erronée (réponse 302)."),
        (401, "Make refuse la clé d’API ou l’adresse (réponse 401)."),
        (410, "Le scénario est éteint, ou l’adresse n’existe plus (réponse 410)."),
        (418, "Make a refusé l’événement (réponse 418)."),
        (429, "Make reçoit trop d’appels (réponse 429)."),
    ],
)
def test_why_an_event_is_not_delivered_is_a_french_sentence(
    delivering: Delivering, admin: Browser, status: int, sentence: str
) -> None:
    delivering.answer = lambda _: status
    delivering.tell("booking.created")
    delivering.pass_time(seconds=2)
    (one,) = does(admin, "GET", "deliveries")["items"]
    assert (one["last_error"], one["last_status_code"]) == (sentence, status)


def test_once_delivered_an_event_has_no_failure_and_its_instants_are_toronto_s(
    delivering: Delivering, admin: Browser
) -> None:
    delivering.answer = lambda now: 500 if now < START + timedelta(seconds=1) else 200
    delivering.tell("booking.created")
    delivering.pass_time(minutes=1)
    (one,) = does(admin, "GET", "deliveries")["items"]
    assert (one["status"], one["attempts"], one["last_error"], one["last_status_code"]) == (
        "delivered",
        2,
        None,
        None,
    )
    assert one["created_at"] == "2027-01-18T12:00:00-05:00"
    assert one["delivered_at"].endswith("-05:00")
    detail = does(admin, "GET", f"deliveries/{one['event_id']}")
    assert detail["failed_attempts"][0]["started_at"].endswith("-05:00")


@pytest.mark.parametrize("media_type", [None, "application/x-www-form-urlencoded", "text/plain"])
@pytest.mark.parametrize("action", ["redeliver", "pause", "resume", "test"])
def test_a_body_that_says_nothing_need_not_be_sent(
    delivering: Delivering, admin: Browser, action: str, media_type: str | None
) -> None:
    delivering.tell("booking.created")
    delivering.pass_time(minutes=1)
    ((event_id,),) = delivering.rows("event_id")
    place = f"deliveries/{event_id}" if action == "redeliver" else "endpoints/BOOKING"
    headers = {"content-type": media_type} if media_type else {}
    answer = admin.request("POST", f"/v1/admin/webhooks/{place}/{action}", headers=headers)
    assert answer.status in (200, 202), answer.text


def test_a_range_can_be_forced(delivering: Delivering, admin: Browser) -> None:
    delivering.tell(*["booking.created"] * 2)
    delivering.pass_time(minutes=1)
    delivering.make.posted.clear()
    does(admin, "POST", "redeliveries", {**WHOLE_DAY, "dry_run": False, "force": True})
    delivering.connection.execute("UPDATE outbox SET next_attempt_at = %s", (delivering.now,))
    delivering.pass_time(minutes=1)
    assert [request.headers.get("x-4as-replay") for request in delivering.make.posted] == ["1", "1"]


@pytest.mark.parametrize(
    ("wanted", "field"),
    [
        ({"from": WHOLE_DAY["to"], "to": WHOLE_DAY["from"]}, "to"),
        ({"from": WHOLE_DAY["to"], "to": WHOLE_DAY["to"]}, "to"),
        ({**WHOLE_DAY, "force": "yes"}, "force"),
        ({**WHOLE_DAY, "from": 1_800_000_000}, "from"),
        ({**WHOLE_DAY, "type": "booking.creatd"}, "type"),
        ({**WHOLE_DAY, "status": "pending"}, "status"),
    ],
)
def test_a_range_that_can_hold_nothing_is_refused(
    world: World, delivering: Delivering, admin: Browser, wanted: dict[str, Any], field: str
) -> None:
    with nothing_written(world.connection):
        answer = admin.post("/v1/admin/webhooks/redeliveries", {**wanted, "dry_run": True})
    assert (answer.status, answer.code) == (422, "VALIDATION_FAILED")
    assert [fault["field"] for fault in answer.body["errors"]] == [field]


@pytest.mark.parametrize(
    "query",
    [
        {"type": "booking.creatd"},
        {"endpoint": "NULLE_PART"},
        {"status": "lost"},
        {"from": "2027-01-19T00:00:00Z", "to": "2027-01-18T00:00:00Z"},
    ],
)
def test_a_filter_that_can_hold_nothing_is_refused(
    delivering: Delivering, admin: Browser, query: dict[str, str]
) -> None:
    answer = admin.get("/v1/admin/webhooks/deliveries", query=query)
    assert (answer.status, answer.code) == (422, "VALIDATION_FAILED")


def test_what_was_given_up_stays_given_up_tried_or_not(delivering: Delivering, admin: Browser) -> None:
    """A pause, then one event that was tried, one on the queue, one that nobody has looked at."""
    delivering.answer = lambda _: 500
    delivering.tell("booking.created")
    delivering.pass_time(seconds=2)
    does(admin, "POST", "endpoints/BOOKING/pause")
    delivering.tell("booking.created", "booking.rescheduled")
    delivering.relay()
    delivering.tell("appointment.completed")
    delivering.answer = lambda _: 200
    delivering.make.posted.clear()

    assert does(admin, "POST", "endpoints/BOOKING/resume", {"cancel": True})["events"] == 4
    delivering.pass_time(minutes=10)

    assert (delivering.statuses(), delivering.make.posted) == ({"cancelled": 4}, [])
    reasons = {one["last_error"] for one in does(admin, "GET", "deliveries")["items"]}
    assert reasons == {"Un administrateur l’a annulé."}


@pytest.mark.parametrize(("answer", "status"), [(500, "cancelled"), (200, "delivered")])
def test_what_is_with_make_when_it_is_given_up_is_not_tried_again_unless_make_takes_it(
    delivering: Delivering, world: World, answer: int, status: str
) -> None:
    delivering.tell("booking.created")
    delivering.relay()
    delivering.answer = lambda _: answer

    def give_up() -> None:
        delivering.make.looks = None
        with psycopg.connect(world.connection.info.dsn, autocommit=True) as connection:
            assert replay.resume(connection, None, "BOOKING", routes(), 5, START, cancel=True) == 1

    delivering.make.looks = give_up
    delivering.pass_time(minutes=10)
    assert (delivering.statuses(), len(delivering.make.posted)) == ({status: 1}, 1)


@pytest.mark.parametrize("event_type", list(EVENTS))
def test_the_sample_of_any_event_can_be_sent(
    delivering: Delivering, admin: Browser, event_type: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    area, envelope = EVENTS[event_type].endpoint, EVENTS[event_type].envelope
    monkeypatch.setenv(url_setting(area), f"{delivering.make.url}/essai")
    monkeypatch.setenv(secret_setting(area), SECRET)

    assert does(admin, "POST", f"endpoints/{area}/test", {"type": event_type})["received"] is True

    (sent,) = delivering.make.posted
    event = json.loads(sent.body)
    assert (event[envelope.type_key], sent.headers["x-4as-event-type"], event["environment"]) == (
        event_type,
        event_type,
        "dev",
    )
    assert event[envelope.id_key] == sent.headers["webhook-id"]
    assert broken_promises_of(event_type, sent.body) == []
    assert delivering.count("outbox") == 0


def test_an_event_of_another_address_is_no_sample_for_this_one(
    delivering: Delivering, admin: Browser
) -> None:
    answer = admin.post("/v1/admin/webhooks/endpoints/BOOKING/test", {"type": "signup"})
    assert (answer.status, answer.code, delivering.make.posted) == (422, "EVENT_TYPE_ELSEWHERE", [])


def test_events_are_found_by_whom_and_which_order_they_are_about_when_their_bodies_are_gone(
    delivering: Delivering, admin: Browser
) -> None:
    for number, event_type in enumerate(samples.PAYLOADS):
        record_facts(
            delivering.connection, [samples.PAYLOADS[event_type]], "dev", START + timedelta(seconds=number)
        )
    delivering.connection.execute("UPDATE outbox SET status = 'cancelled', body = NULL")

    of_zoe = does(admin, "GET", "deliveries", query={"user_id": str(cast.ZOE.id), "limit": "100"})["items"]
    assert {one["type"] for one in of_zoe} == {
        name for name in EVENTS if not name.startswith(("course.", "tutor."))
    }
    of_order = does(admin, "GET", "deliveries", query={"order_id": str(samples.ORDER), "limit": "100"})[
        "items"
    ]
    assert {one["type"] for one in of_order} == {
        "signup",
        "booking.created",
        "booking.cancelled",
        "booking.rescheduled",
        "appointment.completed",
        "appointment.reminder",
        "appointment.meeting_link_updated",
        "order.refunded",
    }


def test_reading_what_was_forgotten_leaves_no_line(delivering: Delivering, admin: Browser) -> None:
    """There was nothing to read."""
    delivering.tell("booking.created")
    delivering.pass_time(minutes=1)
    ((event_id,),) = delivering.rows("event_id")
    assert forget_bodies(delivering.connection, delivering.now + timedelta(days=91), 10) == 1

    assert does(admin, "GET", f"deliveries/{event_id}")["body"] is None
    assert audit(delivering) == []


@pytest.mark.parametrize(
    ("status", "waits"),
    [
        *((status, True) for status in ("pending", "retrying", "enqueued", "delivering")),
        *((status, False) for status in ("held", "skipped", "exhausted", "cancelled")),
    ],
)
def test_an_event_says_when_it_is_tried_next_while_somebody_will(
    delivering: Delivering, admin: Browser, status: str, waits: bool
) -> None:
    delivering.tell("booking.created")
    delivering.connection.execute("UPDATE outbox SET status = %s WHERE status <> %s", (status, status))
    ((event_id,),) = delivering.rows("event_id")

    (listed,) = does(admin, "GET", "deliveries")["items"]
    assert listed["status"] == status
    assert (listed["next_attempt_at"] is not None) == waits
    assert does(admin, "GET", f"deliveries/{event_id}")["next_attempt_at"] == listed["next_attempt_at"]
