"""What has expired is not told, and says so; the body of a reset goes with its token (decision 27)."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest

from adapters.make import MakeReceiver
from domain.errors import Refused
from domain.webhooks import replay
from domain.webhooks.event_types import EVENTS
from domain.webhooks.events import cast, samples
from domain.webhooks.outbox import record_facts
from domain.webhooks.reasons import EXPIRED
from domain.webhooks.relay import end_what_expired
from functions.webhook_relay import app as webhook_relay
from tests.conftest import Database
from tests.support.browser import CONTEXT
from tests.support.delivering import START, Delivering
from tests.support.receiver import receiving

SECRET = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
BEGINS = START + timedelta(hours=24)


@pytest.fixture
def delivering(database: Database, monkeypatch: pytest.MonkeyPatch) -> Iterator[Delivering]:
    monkeypatch.setenv("WEBHOOK_ALLOWED_HOSTS", "127.0.0.1")
    monkeypatch.setenv("WEBHOOK_PRIVATE_HOSTS", "127.0.0.1")
    with receiving() as make, psycopg.connect(database.url, autocommit=True) as connection:
        for area in ("BOOKING", "SIGNUP"):
            monkeypatch.setenv(f"MAKE_{area}_WEBHOOK_URL", f"{make.url}/{area.lower()}")
            monkeypatch.setenv(f"MAKE_{area}_WEBHOOK_SECRET", SECRET)
        yield Delivering(connection, make, MakeReceiver())


def test_a_reminder_is_not_told_once_the_session_has_begun(delivering: Delivering) -> None:
    """Make is down for thirty hours; the session began after twenty-four."""
    delivering.answer = lambda now: 503 if now < START + timedelta(hours=30) else 200
    delivering.tell("appointment.reminder", until=BEGINS)
    delivering.tell("booking.created")
    delivering.pass_time(hours=31)

    assert sorted(delivering.rows("type, status::text, last_error")) == [
        ("appointment.reminder", "cancelled", EXPIRED),
        ("booking.created", "delivered", None),
    ]
    after = START + timedelta(hours=24)
    late = [
        request
        for request in delivering.make.posted
        if request.headers["x-4as-event-type"] == "appointment.reminder"
        and int(request.headers["webhook-timestamp"]) >= after.timestamp()
    ]
    assert late == []


def test_to_the_second(delivering: Delivering) -> None:
    delivering.tell("appointment.reminder", until=START + timedelta(seconds=2))
    delivering.tell("appointment.reminder", until=START)
    ((first,),) = delivering.connection.execute(
        "SELECT event_id FROM outbox WHERE expires_at > %s", (START,)
    ).fetchall()
    delivering.relay()
    assert [event_id for _, event_id in delivering.queue] == [first]
    delivering.now = START + timedelta(seconds=2)
    outcome = delivering.dispatch(first)
    assert outcome is not None
    assert (outcome.status, delivering.make.posted) == ("cancelled", [])
    assert delivering.statuses() == {"cancelled": 2}


@pytest.mark.parametrize("state", ["held", "skipped"])
def test_what_is_held_or_skipped_expires_too(
    delivering: Delivering, state: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if state == "held":
        delivering.answer = lambda _: 410
    else:
        monkeypatch.delenv("MAKE_BOOKING_WEBHOOK_URL")
    delivering.tell("appointment.reminder", until=BEGINS)
    delivering.pass_time(minutes=2)
    assert delivering.statuses() == {state: 1}
    delivering.pass_time(hours=24)
    assert delivering.rows("status::text, last_error") == [("cancelled", EXPIRED)]


def test_a_reset_s_body_goes_when_its_token_does_whatever_became_of_it(delivering: Delivering) -> None:
    delivering.answer = lambda _: 422
    delivering.tell("password.reset_requested", "password.reset_requested", until=START + timedelta(hours=1))
    delivering.pass_time(minutes=2)
    first = delivering.rows("event_id")[0][0]
    delivering.connection.execute("UPDATE outbox SET status = 'enqueued' WHERE event_id = %s", (first,))
    delivering.connection.execute("UPDATE outbox SET status = 'delivering' WHERE event_id = %s", (first,))
    delivering.connection.execute("UPDATE outbox SET status = 'exhausted' WHERE event_id = %s", (first,))
    assert {body is None for (body,) in delivering.rows("body")} == {False}

    delivering.pass_time(hours=1)

    assert delivering.rows("status::text, body") == [("exhausted", None), ("cancelled", None)]


def test_what_has_expired_is_not_sent_again(delivering: Delivering) -> None:
    delivering.tell("appointment.reminder", until=BEGINS)
    delivering.tell("booking.created")
    delivering.pass_time(minutes=1)
    ((event_id,),) = delivering.connection.execute(
        "SELECT event_id FROM outbox WHERE type = 'appointment.reminder'"
    ).fetchall()

    with pytest.raises(Refused) as refusal:
        replay.redeliver(delivering.connection, None, event_id, BEGINS)

    assert refusal.value.code == "DELIVERY_EXPIRED"
    wanted = replay.Range(START, BEGINS)
    assert replay.count_range(delivering.connection, wanted, BEGINS).counts == {"booking.created": 1}
    assert replay.count_range(delivering.connection, wanted, BEGINS - timedelta(seconds=1)).total == 2
    assert delivering.statuses() == {"delivered": 2}


def test_a_replay_that_expires_on_its_way_rests_as_it_was(delivering: Delivering) -> None:
    delivering.tell("appointment.reminder", until=BEGINS)
    delivering.pass_time(minutes=1)
    ((event_id,),) = delivering.rows("event_id")
    replay.redeliver(delivering.connection, None, event_id, BEGINS - timedelta(seconds=1))
    delivering.now = BEGINS
    delivering.relay()
    assert delivering.rows("status::text, last_error") == [("delivered", None)]


def test_only_reminders_and_resets_expire(delivering: Delivering) -> None:
    for payload in samples.PAYLOADS.values():
        record_facts(delivering.connection, [payload], "dev", START)
    expiring = dict(
        delivering.connection.execute(
            "SELECT type, expires_at FROM outbox WHERE expires_at IS NOT NULL"
        ).fetchall()
    )
    assert expiring == {
        "appointment.reminder": samples.FIRST,
        "password.reset_requested": cast.NOW + timedelta(hours=1),
    }
    assert {event.name for event in EVENTS.values() if event.carries_secret} <= expiring.keys()


def test_what_was_recorded_before_expires_too(delivering: Delivering) -> None:
    """The migration reads when from the bodies that wait, and whom they are about: 4AS's, there were no others."""
    for payload in samples.PAYLOADS.values():
        if EVENTS[payload.type].product == "training":
            continue
        record_facts(delivering.connection, [payload], "dev", START)
    columns = "type, expires_at, about_user, about_order"
    fresh = delivering.rows(columns)
    delivering.connection.execute(
        "UPDATE outbox SET expires_at = NULL, about_user = NULL, about_order = NULL"
    )
    text = Path("migrations/0037_pace_and_expiry.sql").read_text(encoding="utf-8")
    backfill = text[text.index("UPDATE outbox SET") : text.index("CREATE INDEX outbox_about_user")]
    delivering.connection.execute(backfill)
    assert delivering.rows(columns) == fresh


def test_a_reset_that_died_with_its_dispatcher_loses_its_token_in_time(delivering: Delivering) -> None:
    delivering.tell("password.reset_requested", until=START + timedelta(hours=1))
    delivering.connection.execute(
        "UPDATE outbox SET status = 'delivering', lease_until = %s", (START + timedelta(minutes=2),)
    )
    end_what_expired(delivering.connection, START + timedelta(minutes=59))
    assert delivering.rows("status::text, body IS NULL") == [("delivering", False)]
    end_what_expired(delivering.connection, START + timedelta(hours=1))
    assert delivering.rows("status::text, body, last_error") == [("cancelled", None, EXPIRED)]


def test_a_reset_that_is_with_make_is_left_alone(delivering: Delivering) -> None:
    delivering.tell("password.reset_requested", until=START + timedelta(hours=1))
    delivering.connection.execute(
        "UPDATE outbox SET status = 'delivering', lease_until = %s", (START + timedelta(hours=2),)
    )
    end_what_expired(delivering.connection, START + timedelta(hours=1))
    assert delivering.rows("status::text, body IS NULL") == [("delivering", False)]


def test_what_has_expired_goes_while_delivery_is_switched_off(
    delivering: Delivering, configured: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WEBHOOK_DELIVERY_ENABLED", "false")
    delivering.tell("password.reset_requested", until=START + timedelta(hours=1))
    at = (START + timedelta(hours=1)).isoformat()
    assert webhook_relay.lambda_handler({"time": at}, CONTEXT) == {"events_enqueued": 0}
    assert delivering.rows("status::text, body, last_error") == [("cancelled", None, EXPIRED)]
