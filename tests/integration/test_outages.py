"""Make down, switched off, slow or wrong: nothing is lost, and what waited leaves by itself (make-webhooks e.3)."""

import json
from collections.abc import Iterator, Sequence
from datetime import timedelta

import psycopg
import pytest

from adapters.make import MakeReceiver
from adapters.make_routes import routes
from domain.webhooks import outcomes, replay
from domain.webhooks.relay import Message, relay
from domain.webhooks.retention import delete_unrecorded
from tests.conftest import Database
from tests.support.delivering import START, Delivering
from tests.support.receiver import receiving

SECRET = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="


@pytest.fixture
def delivering(database: Database, monkeypatch: pytest.MonkeyPatch) -> Iterator[Delivering]:
    monkeypatch.setenv("WEBHOOK_EVENTS_PER_SECOND", "5")
    monkeypatch.setenv("WEBHOOK_ALLOWED_HOSTS", "127.0.0.1")
    monkeypatch.setenv("WEBHOOK_PRIVATE_HOSTS", "127.0.0.1")
    with receiving() as make, psycopg.connect(database.url, autocommit=True) as connection:
        for area in ("BOOKING", "CANCELLATION"):
            monkeypatch.setenv(f"MAKE_{area}_WEBHOOK_URL", f"{make.url}/{area.lower()}")
            monkeypatch.setenv(f"MAKE_{area}_WEBHOOK_SECRET", SECRET)
        yield Delivering(connection, make, MakeReceiver())


@pytest.mark.parametrize("hours", [1 / 6, 6, 119])
def test_after_an_outage_of_any_length_what_waited_leaves_within_five_minutes(
    delivering: Delivering, hours: float
) -> None:
    """e.3-6, B-2: nobody clicks. An outage of 120 h and more is another test."""
    back = START + timedelta(hours=hours)
    delivering.answer = lambda now: 503 if now < back else 200
    delivering.tell(*["booking.created"] * 30)
    delivering.pass_time(minutes=min(hours * 60, 30))
    delivering.tell(*["booking.rescheduled"] * 10)
    delivering.pass_time(hours=hours - min(hours, 0.5))
    assert delivering.statuses().get("delivered", 0) == 0
    assert delivering.now == back

    delivering.pass_time(minutes=5, seconds=40 / 5)

    assert delivering.statuses() == {"delivered": 40}
    assert delivering.endpoint("BOOKING") == ("active", None)
    assert max(attempts for (attempts,) in delivering.rows("attempts")) <= 6


def test_an_outage_of_five_days_and_more_pauses_the_endpoint_and_loses_nothing(
    delivering: Delivering,
) -> None:
    delivering.answer = lambda _: 503
    delivering.tell(*["booking.created"] * 6)
    delivering.pass_time(hours=121)
    delivering.tell("booking.created")
    delivering.pass_time(minutes=2)

    assert delivering.endpoint("BOOKING") == ("paused", "failing_too_long")
    assert delivering.statuses() == {"held": 7}
    assert delivering.alerts.count("endpoint_paused") == 1

    delivering.answer = lambda _: 200
    assert replay.resume(delivering.connection, None, "BOOKING", routes(), 5, delivering.now) == 7
    delivering.pass_time(minutes=2)
    assert delivering.statuses() == {"delivered": 7}


def test_a_scenario_that_was_switched_off_gets_everything_when_it_is_on_again(delivering: Delivering) -> None:
    """e.3-7, B-3: 410 pauses, holds and alerts; a probe finds it back and drains."""
    delivering.answer = lambda _: 410
    delivering.tell(*["booking.created"] * 3)
    delivering.pass_time(minutes=1)
    delivering.tell(*["booking.created"] * 3)
    delivering.pass_time(minutes=30)
    assert delivering.endpoint("BOOKING") == ("paused", "gone")
    assert delivering.statuses() == {"held": 6}
    assert delivering.alerts == ["endpoint_paused"]
    assert len(delivering.make.posted) == 1 + 6  # then a probe every five minutes

    delivering.answer = lambda _: 200
    delivering.pass_time(minutes=6)

    assert delivering.statuses() == {"delivered": 6}
    assert len(set(delivering.delivered_ids)) == 6
    assert delivering.alerts == ["endpoint_paused", "endpoint_resumed"]


def test_after_a_day_a_scenario_that_is_off_is_asked_hourly(delivering: Delivering) -> None:
    delivering.answer = lambda _: 410
    delivering.tell("booking.created")
    delivering.pass_time(hours=24, minutes=10)
    asked = len(delivering.make.posted)

    delivering.pass_time(hours=5)

    assert len(delivering.make.posted) - asked == 5


def test_a_paused_endpoint_costs_the_others_nothing(delivering: Delivering) -> None:
    delivering.answer = lambda _: 410
    delivering.tell("booking.created")
    delivering.pass_time(minutes=1)
    delivering.answer = lambda _: 200

    delivering.tell("booking.cancelled")
    delivering.pass_time(minutes=1)

    assert delivering.rows("type, status::text") == [
        ("booking.created", "held"),
        ("booking.cancelled", "delivered"),
    ]


def test_five_failures_open_the_breaker_and_then_only_a_canary_is_sent(delivering: Delivering) -> None:
    delivering.answer = lambda _: 500
    delivering.tell(*["booking.created"] * 20)
    delivering.relay()
    delivering.dispatch_until(delivering.now + timedelta(seconds=5))
    assert len(delivering.make.posted) == 5
    assert delivering.endpoint("BOOKING") == ("open", "failing")

    delivering.pass_time(minutes=16)

    canaries = delivering.make.posted[5:]
    assert len(canaries) == 4  # after 1, 2, 4 and 5 minutes
    assert len({request.headers["webhook-id"] for request in canaries}) == 1
    assert sorted(attempts for (attempts,) in delivering.rows("attempts")) == [0] * 15 + [1] * 5


def test_what_an_event_holds_opens_no_breaker_and_ends_with_its_last_attempt(delivering: Delivering) -> None:
    delivering.answer = lambda _: 422
    delivering.tell("booking.created")
    delivering.pass_time(hours=78)

    assert delivering.rows("status::text, attempts") == [("exhausted", 12)]
    assert delivering.endpoint("BOOKING") == ("active", None)
    assert delivering.alerts == ["fourth_failure", "exhausted"]
    assert delivering.count("webhook_attempts") == 12


def test_an_overloaded_receiver_is_left_alone_for_as_long_as_it_asked(delivering: Delivering) -> None:
    """e.3-8."""
    delivering.draw = lambda: 0.0
    delivering.make.headers = {"retry-after": "120"}
    delivering.answer = lambda _: 429
    delivering.tell("booking.created")
    delivering.relay()
    delivering.dispatch_until(delivering.now + timedelta(seconds=119))
    assert len(delivering.make.posted) == 1

    delivering.answer = lambda _: 200
    delivering.dispatch_until(delivering.now + timedelta(seconds=3))
    assert delivering.statuses() == {"delivered": 1}


@pytest.mark.parametrize("status", [301, 401, 403])
def test_an_url_that_is_wrong_is_told_at_once(delivering: Delivering, status: int) -> None:
    delivering.answer = lambda _: status
    delivering.tell("booking.created")
    delivering.pass_time(seconds=2)
    assert delivering.alerts == ["url_refused"]


def test_an_administrators_event_leaves_no_row_and_the_next_one_a_greater_number(
    delivering: Delivering,
) -> None:
    """e.3-12, B-7, and b.5: the sequence survives the row."""
    for _ in range(2):
        delivering.tell("course.updated", about="course:1")
        delivering.pass_time(minutes=1)

    assert [json.loads(request.body)["sequence"] for request in delivering.make.posted] == [1, 2]
    assert (delivering.count("outbox"), delivering.count("webhook_attempts")) == (0, 0)


def test_an_administrators_fact_is_told_once_for_ever_although_its_row_is_gone(
    delivering: Delivering,
) -> None:
    """b.4: what is unique is not a row's life but the key, whether the row was delivered or given up."""
    delivering.tell("course.updated", dedupe_key="course.updated:1:2", about="course:1")
    delivering.pass_time(minutes=1)
    delivering.answer = lambda _: 422
    delivering.tell("course.updated", dedupe_key="course.updated:1:3", about="course:1")
    delivering.pass_time(hours=78)
    assert delivering.statuses() == {"exhausted": 1}
    assert delete_unrecorded(delivering.connection, delivering.now + timedelta(hours=73), 10) == 1
    posted = len(delivering.make.posted)

    delivering.now += timedelta(days=400)
    for version in (2, 3):
        delivering.tell("course.updated", dedupe_key=f"course.updated:1:{version}", about="course:1")
    assert delivering.count("outbox") == 0
    delivering.answer = lambda _: 200
    delivering.tell("course.updated", dedupe_key="course.updated:1:4", about="course:1")
    delivering.pass_time(minutes=1)

    assert [json.loads(one.body)["sequence"] for one in delivering.make.posted[posted:]] == [3]


def test_a_fact_told_again_while_its_row_is_being_deleted_is_told_once(
    delivering: Delivering, database: Database
) -> None:
    """A rival's snapshot has either the row or the key."""
    delivering.tell("course.updated", dedupe_key="course.updated:1:2", about="course:1")
    ((event_id,),) = delivering.rows("event_id")
    with psycopg.connect(database.url) as deleting:
        outcomes._forget(deleting, event_id)
        delivering.tell("course.updated", dedupe_key="course.updated:1:2", about="course:1")
    delivering.tell("course.updated", dedupe_key="course.updated:1:2", about="course:1")

    assert (delivering.count("outbox"), delivering.count("outbox_forgotten")) == (0, 1)


def test_a_delivery_at_the_first_try_leaves_one_row_and_no_attempt(delivering: Delivering) -> None:
    """e.3-12, B-7."""
    delivering.tell("booking.created")
    delivering.pass_time(minutes=1)
    assert delivering.statuses() == {"delivered": 1}
    assert delivering.count("webhook_attempts") == 0


def test_a_secret_in_a_body_is_forgotten_once_it_was_delivered(
    delivering: Delivering, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MAKE_SIGNUP_WEBHOOK_URL", f"{delivering.make.url}/signup")
    monkeypatch.setenv("MAKE_SIGNUP_WEBHOOK_SECRET", SECRET)
    delivering.tell("password.reset_requested")
    delivering.pass_time(minutes=1)
    assert delivering.rows("status::text, body") == [("delivered", None)]


def test_a_thousand_failures_of_the_receiver_are_no_fault_of_ours(
    delivering: Delivering, monkeypatch: pytest.MonkeyPatch
) -> None:
    """B-8: the dispatcher fails on none, so none comes near the dead letter queue."""
    monkeypatch.setenv("WEBHOOK_EVENTS_PER_SECOND", "1000")
    answers = [500, 404, 400, 410, 429, 302, 401, 422, 503, 413]
    delivering.answer = lambda now: answers[int(now.timestamp()) % len(answers)]
    delivering.tell(*["booking.created", "booking.cancelled"] * 50)
    failures = 0
    while failures < 1000:
        delivering.connection.execute(
            "UPDATE webhook_endpoints SET state = 'active', reason = NULL, consecutive_failures = 0, probe_at = NULL"
        )
        delivering.connection.execute(
            "UPDATE outbox SET status = CASE status WHEN 'exhausted' THEN 'pending'::delivery_status"
            " ELSE 'retrying' END, attempts = 0, next_attempt_at = %s",
            (delivering.now,),
        )
        delivering.pass_time(seconds=1)
        failures = delivering.count("webhook_attempts")
    assert delivering.dead_letters == 0
    assert delivering.statuses().get("delivered", 0) == 0


def test_the_same_fact_told_a_thousand_times_is_one_event(delivering: Delivering) -> None:
    """B-4, without a time window."""
    for _ in range(1000):
        delivering.tell("booking.created", dedupe_key="booking.created:1")
    assert delivering.count("outbox") == 1
    delivering.pass_time(minutes=1)
    delivering.now += timedelta(days=400)
    delivering.tell("booking.created", dedupe_key="booking.created:1")
    assert delivering.count("outbox") == 1


# --- More than fits into one round ------------------------------------------------------------------------------


def test_a_run_of_the_relay_takes_a_hundred_a_round_and_as_many_rounds_as_it_is_given(
    delivering: Delivering,
) -> None:
    delivering.tell(*["booking.created"] * 230)

    assert relay(delivering.connection, delivering, routes(), 5, delivering.now) == 100
    assert relay(delivering.connection, delivering, routes(), 5, delivering.now, rounds=2) == 130
    assert len({event_id for _, event_id in delivering.queue}) == len(delivering.queue) == 230


def test_a_queue_that_takes_half_of_a_round_is_asked_for_no_other(delivering: Delivering) -> None:
    delivering.tell(*["booking.created"] * 230)
    calls: list[int] = []

    class HalfFull:
        def send(self, messages: Sequence[Message]) -> list[str]:
            calls.append(len(messages))
            return [message.event_id for message in messages[50:]]

    assert relay(delivering.connection, HalfFull(), routes(), 5, delivering.now, rounds=3) == 50
    assert calls == [100]
    assert delivering.statuses() == {"enqueued": 50, "pending": 180}


# --- Who knocks at an address that is left alone ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("said_to_the_oldest", "which_knocks"),
    [
        *((status, 0) for status in (None, 301, 401, 403, 404, 408, 410, 429, 500, 503)),
        *((status, 1) for status in (400, 405, 411, 413, 422, 499)),
    ],
)
def test_the_oldest_event_knocks_unless_it_was_refused_for_what_it_holds(
    delivering: Delivering, said_to_the_oldest: int | None, which_knocks: int
) -> None:
    delivering.tell("booking.created")
    delivering.now += timedelta(seconds=1)
    delivering.tell("booking.created")
    events = [event_id for (event_id,) in delivering.rows("event_id")]
    left_alone(delivering, "open")
    delivering.connection.execute("UPDATE outbox SET endpoint = 'BOOKING'")
    delivering.connection.execute(
        "UPDATE outbox SET last_status_code = %s WHERE event_id = %s", (said_to_the_oldest, events[0])
    )

    assert delivering.relay() == 1
    assert [event_id for _, event_id in delivering.queue] == [events[which_knocks]]


def test_an_event_that_nobody_has_tried_is_as_good_as_one_that_the_url_failed(delivering: Delivering) -> None:
    delivering.tell("booking.created")
    delivering.now += timedelta(seconds=1)
    delivering.tell("booking.created")
    oldest, other = (event_id for (event_id,) in delivering.rows("event_id"))
    left_alone(delivering, "open")
    delivering.connection.execute("UPDATE outbox SET endpoint = 'BOOKING'")
    delivering.connection.execute("UPDATE outbox SET last_status_code = 503 WHERE event_id = %s", (other,))

    delivering.relay()

    assert [event_id for _, event_id in delivering.queue] == [oldest]


def test_the_first_event_of_an_aggregate_knocks_before_what_was_told_of_it_at_the_same_instant(
    delivering: Delivering,
) -> None:
    for _ in range(8):
        delivering.tell("booking.created", about="order:1")
    left_alone(delivering, "open")
    delivering.connection.execute("UPDATE outbox SET endpoint = 'BOOKING'")

    assert delivering.relay() == 1
    assert delivering.connection.execute(
        "SELECT sequence FROM outbox WHERE status = 'enqueued'"
    ).fetchall() == [(1,)]


@pytest.mark.parametrize("state", ["open", "paused"])
def test_a_person_may_knock_with_one_event_and_not_with_a_range(delivering: Delivering, state: str) -> None:
    delivering.tell("booking.created", "booking.created")
    delivering.pass_time(minutes=1)
    event_id = str(delivering.rows("event_id")[0][0])
    left_alone(delivering, state, timedelta(hours=1))
    delivering.make.posted.clear()

    everything = replay.Range(START, START + timedelta(days=1))
    replay.redeliver_range(delivering.connection, None, everything, 5, delivering.now)
    delivering.pass_time(seconds=30)
    assert delivering.make.posted == []

    replay.redeliver(delivering.connection, None, event_id, delivering.now)
    delivering.pass_time(seconds=30)
    assert delivering.delivered_ids == [event_id]


def left_alone(delivering: Delivering, state: str, probe_in: timedelta = timedelta(seconds=30)) -> None:
    """Nobody but a canary, when it is due, or a person may knock at BOOKING."""
    delivering.connection.execute(
        """
        INSERT INTO webhook_endpoints (area, state, reason, opened_at, probe_at, probe_wait_seconds)
        VALUES ('BOOKING', %(state)s, 'failing', %(now)s, %(probe)s, 60)
        ON CONFLICT (area) DO UPDATE SET state = excluded.state, reason = 'failing', opened_at = excluded.opened_at,
                                         probe_at = excluded.probe_at
        """,
        {
            "state": state,
            "now": delivering.now,
            "probe": delivering.now + probe_in if state == "open" else None,
        },
    )


# --- A replay that meets a pause --------------------------------------------------------------------------------


@pytest.mark.parametrize("rested", ["skipped", "exhausted", "delivered", "cancelled"])
@pytest.mark.parametrize("end", ["stopped", "expired"])
def test_what_is_replayed_into_a_pause_rests_as_before_once_that_is_over(
    delivering: Delivering, rested: str, end: str
) -> None:
    """Nor does it keep the relay from everything else."""
    until = START + timedelta(hours=24)
    delivering.tell("appointment.reminder", until=until)
    delivering.connection.execute(
        "UPDATE outbox SET status = %s, endpoint = 'BOOKING', delivered_at = %s",
        (rested, START if rested == "delivered" else None),
    )
    everything = replay.Range(START, START + timedelta(days=1))
    begun = replay.redeliver_range(delivering.connection, None, everything, 5, delivering.now)
    replay.pause(delivering.connection, None, "BOOKING", routes(), delivering.now)
    assert delivering.statuses() == {"held": 1}

    if end == "stopped":
        assert begun.id
        assert replay.stop(delivering.connection, None, begun.id, delivering.now) == 1
    else:
        delivering.now = until
    delivering.tell("booking.cancelled")
    assert delivering.relay() == 1

    assert dict(delivering.connection.execute("SELECT type, status::text FROM outbox").fetchall()) == {
        "appointment.reminder": rested,
        "booking.cancelled": "enqueued",
    }
