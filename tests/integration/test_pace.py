"""Five events a second leave for a URL, whatever happens; a receiver that asks for patience gets it (decision 27)."""

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from threading import Thread
from time import time
from typing import Any

import psycopg
import pytest

from adapters.make import MakeReceiver
from adapters.make_routes import events_per_second, routes
from domain.webhooks import replay
from domain.webhooks.dispatch import dispatch
from domain.webhooks.relay import nudge, relay
from tests.conftest import Database
from tests.support.delivering import START, Delivering
from tests.support.receiver import Receiver, receiving

SECRET = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
OWN = ("BOOKING", "CANCELLATION")


@pytest.fixture
def delivering(database: Database, monkeypatch: pytest.MonkeyPatch) -> Iterator[Delivering]:
    monkeypatch.setenv("WEBHOOK_EVENTS_PER_SECOND", "5")
    monkeypatch.setenv("WEBHOOK_ALLOWED_HOSTS", "127.0.0.1")
    monkeypatch.setenv("WEBHOOK_PRIVATE_HOSTS", "127.0.0.1")
    with receiving() as make, psycopg.connect(database.url, autocommit=True) as connection:
        for area in OWN:
            monkeypatch.setenv(f"MAKE_{area}_WEBHOOK_URL", f"{make.url}/{area.lower()}")
            monkeypatch.setenv(f"MAKE_{area}_WEBHOOK_SECRET", SECRET)
        yield Delivering(connection, make, MakeReceiver())


def by_second(make: Receiver, path: str | None = None) -> Counter[int]:
    """How many arrived for each second of their attempt."""
    return Counter(
        int(request.headers["webhook-timestamp"])
        for request in make.posted
        if path is None or request.path == path
    )


def attempts(delivering: Delivering) -> list[tuple[str, float]]:
    """Each attempt's path and its seconds since START."""
    began = START.timestamp()
    return [
        (request.path, int(request.headers["webhook-timestamp"]) - began)
        for request in delivering.make.posted
    ]


def test_eighty_six_at_once_leave_five_a_second(delivering: Delivering) -> None:
    delivering.tell(*["booking.created"] * 86)
    delivering.pass_time(minutes=1)

    assert delivering.statuses() == {"delivered": 86}
    seconds = by_second(delivering.make)
    assert max(seconds.values()) == 5
    assert max(seconds) - min(seconds) <= 86 / 5 + 1


def test_after_an_outage_what_waited_leaves_five_a_second(delivering: Delivering) -> None:
    delivering.answer = lambda now: 503 if now < START + timedelta(minutes=30) else 200
    delivering.tell(*["booking.created"] * 300)
    delivering.pass_time(minutes=30)
    delivering.make.posted.clear()
    delivering.pass_time(minutes=8)

    assert delivering.statuses() == {"delivered": 300}
    assert max(by_second(delivering.make).values()) == 5


def test_a_replay_of_two_hundred_leaves_five_a_second_and_lets_what_is_new_pass(
    delivering: Delivering,
) -> None:
    delivering.tell(*["booking.created"] * 200)
    delivering.pass_time(minutes=2)
    delivering.make.posted.clear()
    wanted = replay.Range(START, delivering.now)

    replay.redeliver_range(delivering.connection, None, wanted, 5, delivering.now)
    delivering.relay()
    delivering.dispatch_until(delivering.now + timedelta(seconds=10))
    delivering.tell("booking.created", dedupe_key="new")
    delivering.dispatch_until(delivering.now + timedelta(seconds=50))
    delivering.pass_time(minutes=2)

    assert delivering.statuses() == {"delivered": 201}
    assert max(by_second(delivering.make).values()) == 5
    ((new,),) = delivering.connection.execute(
        "SELECT delivered_at - created_at FROM outbox WHERE dedupe_key = 'new'"
    ).fetchall()
    assert new < timedelta(seconds=62)


@pytest.mark.parametrize("why", ["they fall back", "they were given one URL"])
def test_areas_with_one_url_share_its_pace_and_others_do_not(
    delivering: Delivering, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if why == "they were given one URL":
        monkeypatch.setenv("MAKE_RESCHEDULE_WEBHOOK_URL", f"{delivering.make.url}/booking")
        monkeypatch.setenv("MAKE_RESCHEDULE_WEBHOOK_SECRET", SECRET)
    delivering.tell(*["booking.created", "booking.rescheduled", "booking.cancelled"] * 20)
    delivering.pass_time(minutes=1)

    assert delivering.statuses() == {"delivered": 60}
    assert max(by_second(delivering.make, "/booking").values()) == 5
    assert max(by_second(delivering.make, "/cancellation").values()) == 5
    assert max(by_second(delivering.make).values()) > 5


def test_by_the_clock_on_the_wall_five_dispatchers_keep_the_pace(
    delivering: Delivering, database: Database
) -> None:
    """Real time, fifteen at once, as many dispatchers as the queue lets run: none leaves before its departure."""
    early: list[float] = []

    def look() -> None:
        departures = [int(request.headers["webhook-timestamp"]) for request in delivering.make.posted]
        early.extend(at - time() for at in departures if at > time())

    delivering.make.looks = look
    delivering.now = datetime.now(UTC)
    delivering.tell(*["booking.created"] * 15)
    nudge(delivering.connection, delivering, datetime.now(UTC))
    relay(delivering.connection, delivering, routes(), events_per_second(), datetime.now(UTC))
    ids = [event_id for _, event_id in delivering.queue]

    def work(mine: list[str]) -> None:
        with psycopg.connect(database.url, autocommit=True) as connection:
            receiver = MakeReceiver()
            for event_id in mine:
                dispatch(connection, receiver, event_id, datetime.now(UTC))

    threads = [Thread(target=work, args=(ids[n::5],)) for n in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    departures = by_second(delivering.make)
    assert (sum(departures.values()), early) == (15, [])
    assert max(departures.values()) <= 5


def test_without_the_pace_they_would_leave_all_at_once(
    delivering: Delivering, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The negative control, and how it is lifted where our own speed is measured."""
    monkeypatch.setenv("WEBHOOK_EVENTS_PER_SECOND", "100000")
    delivering.tell(*["booking.created"] * 86)
    delivering.pass_time(minutes=1)
    assert max(by_second(delivering.make).values()) > 50


@pytest.mark.parametrize("pace", [1, 3, 7])
def test_any_pace_is_kept_and_used(
    delivering: Delivering, pace: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WEBHOOK_EVENTS_PER_SECOND", str(pace))
    delivering.tell(*["booking.created"] * 50)
    delivering.pass_time(minutes=2)
    seconds = by_second(delivering.make)
    assert (max(seconds.values()), sum(seconds.values())) == (pace, 50)
    assert max(seconds) - min(seconds) <= 50 / pace + 1


# --- Retry-After ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [429, 503])
def test_overload_binds_every_event_of_the_url_for_as_long_as_was_asked(
    delivering: Delivering, status: int
) -> None:
    delivering.make.headers["retry-after"] = "120"
    delivering.answer = lambda now: status if now < START + timedelta(seconds=30) else 200
    delivering.tell("booking.created")
    delivering.pass_time(seconds=10)
    delivering.tell("booking.created", "booking.rescheduled", "booking.cancelled")
    delivering.pass_time(minutes=5)

    assert delivering.statuses() == {"delivered": 4}
    assert [path for path, at in attempts(delivering) if 0 < at < 120] == ["/cancellation"]
    assert len([at for path, at in attempts(delivering) if path == "/booking" and 120 <= at < 180]) >= 2


def test_ten_seconds_asked_by_an_overloaded_receiver_are_a_minute(delivering: Delivering) -> None:
    """b.3: never sooner than 60 s after a 429; the others of the URL wait for the ten that were asked."""
    delivering.make.headers["retry-after"] = "10"
    delivering.answer = lambda now: 429 if now < START + timedelta(seconds=1) else 200
    delivering.tell("booking.created", dedupe_key="refused")
    delivering.tell("booking.created", dedupe_key="other")
    delivering.pass_time(minutes=3)

    assert delivering.statuses() == {"delivered": 2}
    times = [at for _, at in attempts(delivering)]
    assert times[0] == 0
    assert 10 <= times[1] <= 62
    assert times[2] >= 60


def test_any_other_answer_binds_its_event_alone(delivering: Delivering) -> None:
    delivering.make.headers["retry-after"] = "3600"
    delivering.answer = lambda now: 500 if now < START + timedelta(seconds=1) else 200
    delivering.tell("booking.created", dedupe_key="asked to wait")
    delivering.pass_time(seconds=2)
    delivering.tell("booking.created")
    delivering.pass_time(minutes=59)
    assert delivering.statuses() == {"delivered": 1, "retrying": 1}
    delivering.pass_time(minutes=20)
    assert delivering.statuses() == {"delivered": 2}


def opened_with_patience(delivering: Delivering, status: int, hours: int = 1) -> datetime:
    """Five refusals open the breaker; the last one asked for patience. Answers until when."""
    delivering.answer = lambda _: 500
    delivering.tell(*["booking.created"] * 4)
    delivering.pass_time(seconds=4)
    assert delivering.endpoint("BOOKING")[0] == "active"
    delivering.make.headers["retry-after"] = str(3600 * hours)
    delivering.answer = lambda _: status
    delivering.tell("booking.created", dedupe_key="patience")
    delivering.relay()
    at = delivering.now
    while delivering.endpoint("BOOKING")[0] == "active":
        delivering.dispatch_until(delivering.now + timedelta(seconds=1))
        assert delivering.now < at + timedelta(seconds=20)
    delivering.make.posted.clear()
    return delivering.now + timedelta(hours=hours)


def test_the_breaker_s_canary_waits_as_long_as_was_asked(delivering: Delivering) -> None:
    until = opened_with_patience(delivering, 503)
    delivering.make.headers.clear()
    delivering.answer = lambda _: 200
    delivering.pass_time(minutes=58)
    assert delivering.make.posted == []
    delivering.pass_time(minutes=10)
    assert delivering.statuses() == {"delivered": 5}
    assert min(by_second(delivering.make)) >= (until - timedelta(seconds=2)).timestamp()


def test_closing_the_breaker_does_not_shorten_what_an_event_was_told(delivering: Delivering) -> None:
    until = opened_with_patience(delivering, 500)
    delivering.make.headers.clear()
    delivering.answer = lambda _: 200
    delivering.pass_time(minutes=30)
    assert (delivering.endpoint("BOOKING"), delivering.statuses()["delivered"]) == (("active", None), 4)
    delivering.pass_time(minutes=45)
    assert delivering.statuses() == {"delivered": 5}
    assert max(by_second(delivering.make)) >= (until - timedelta(seconds=2)).timestamp()


@pytest.mark.parametrize("how", ["one", "a range"])
def test_a_replay_comes_no_sooner_than_the_receiver_asked(delivering: Delivering, how: str) -> None:
    delivering.tell("booking.created", dedupe_key="first")
    delivering.pass_time(minutes=1)
    delivering.make.headers["retry-after"] = "3600"
    delivering.answer = lambda _: 429
    delivering.tell("booking.created")
    delivering.pass_time(seconds=5)
    delivering.make.posted.clear()
    delivering.make.headers.clear()
    delivering.answer = lambda _: 200

    if how == "one":
        ((event_id,),) = delivering.connection.execute(
            "SELECT event_id FROM outbox WHERE dedupe_key = 'first'"
        ).fetchall()
        replay.redeliver(delivering.connection, None, event_id, delivering.now)
    else:
        replay.redeliver_range(
            delivering.connection, None, replay.Range(START, delivering.now), 5, delivering.now
        )
    delivering.pass_time(minutes=58)
    assert delivering.make.posted == []
    delivering.pass_time(minutes=20)
    assert delivering.statuses() == {"delivered": 2}
    assert len(delivering.make.posted) == 2


def test_a_receiver_that_asks_for_a_day_gets_six_hours(delivering: Delivering) -> None:
    delivering.make.headers["retry-after"] = "86400"
    delivering.answer = lambda now: 429 if now < START + timedelta(minutes=1) else 200
    delivering.tell("booking.created")
    delivering.pass_time(hours=5, minutes=58)
    assert len(delivering.make.posted) == 1
    delivering.pass_time(hours=1, minutes=30)
    assert delivering.statuses() == {"delivered": 1}


@pytest.mark.parametrize("status", [429, 503])
def test_who_waits_for_a_departure_while_the_receiver_asks_for_patience_does_not_leave(
    delivering: Delivering, database: Database, status: int
) -> None:
    """Four have taken their departures when the first is refused: none of them is posted before its two minutes."""
    delivering.make.headers["retry-after"] = "120"
    delivering.make.answers[:] = [status]
    delivering.tell(*["booking.created"] * 5)
    delivering.relay()
    first, *others = [event_id for _, event_id in delivering.queue]
    delivering.queue.clear()

    def wait_until_the_first_was_refused(seconds: float) -> None:
        if first_outcome == []:
            with psycopg.connect(database.url, autocommit=True) as rival:
                outcome = dispatch(rival, delivering.receiver, first, delivering.now, wait=lambda _: None)
                first_outcome.append(outcome.status if outcome else None)

    first_outcome: list[str | None] = []
    for event_id in others:
        outcome = dispatch(
            delivering.connection,
            delivering.receiver,
            event_id,
            delivering.now,
            wait=wait_until_the_first_was_refused,
        )
        assert outcome is None

    assert (first_outcome, len(delivering.make.posted)) == (["retrying"], 1)
    assert sorted(delivering.rows("status, attempts")) == [("pending", 0)] * 4 + [("retrying", 1)]
    assert min(due for (due,) in delivering.rows("next_attempt_at")) >= START + timedelta(seconds=120)
    delivering.pass_time(minutes=4)
    assert delivering.statuses() == {"delivered": 5}


def test_a_message_that_comes_twice_does_not_overtake_what_its_event_was_told(delivering: Delivering) -> None:
    """The relay puts an event on the queue up to a minute early; an old message finds it there, and leaves it."""
    delivering.make.headers["retry-after"] = "45"
    delivering.answer = lambda now: 500 if now < START + timedelta(seconds=1) else 200
    delivering.tell("booking.created")
    delivering.relay()
    ((_, event_id),) = delivering.queue
    delivering.dispatch_until(START + timedelta(seconds=1))
    delivering.relay()
    assert delivering.statuses() == {"enqueued": 1}

    assert delivering.dispatch(event_id) is None

    assert (delivering.statuses(), len(delivering.make.posted)) == ({"enqueued": 1}, 1)
    delivering.pass_time(minutes=2)
    assert (delivering.statuses(), len(delivering.make.posted)) == ({"delivered": 1}, 2)
    assert attempts(delivering)[1][1] >= 45


def test_a_message_that_comes_a_little_early_waits(delivering: Delivering) -> None:
    """Two containers' clocks differ: the event leaves at its time, not when its lease has run out."""
    delivering.tell("booking.created")
    ((event_id,),) = delivering.rows("event_id")
    delivering.connection.execute(
        "UPDATE outbox SET status = 'enqueued', next_attempt_at = %s", (START + timedelta(seconds=1.5),)
    )
    outcome = delivering.dispatch(event_id)
    assert (outcome and outcome.status, attempts(delivering)) == ("delivered", [("/booking", 1)])


def lane(delivering: Delivering) -> list[tuple[Any, ...]]:
    return delivering.connection.execute("SELECT lane, free_at FROM webhook_lanes ORDER BY lane").fetchall()


def test_a_shorter_patience_does_not_undo_a_longer_one(delivering: Delivering) -> None:
    delivering.make.headers["retry-after"] = "600"
    delivering.answer = lambda _: 429
    delivering.tell("booking.created")
    delivering.pass_time(seconds=2)
    ((_, until),) = lane(delivering)
    put_on_the_queue = "UPDATE outbox SET status = 'enqueued', not_before = NULL, next_attempt_at = %s"
    delivering.connection.execute(put_on_the_queue, (delivering.now,))
    delivering.connection.execute(
        "UPDATE webhook_lanes SET free_at = %s, not_before = NULL", (delivering.now,)
    )
    delivering.make.headers["retry-after"] = "30"
    ((event_id,),) = delivering.rows("event_id")
    delivering.dispatch(event_id)
    ((_, sooner),) = lane(delivering)
    assert sooner < until
    delivering.connection.execute(put_on_the_queue, (delivering.now,))
    delivering.connection.execute("UPDATE webhook_lanes SET free_at = %s", (until,))
    delivering.dispatch(event_id)  # its lane is not free
    assert lane(delivering) == [("BOOKING", until)]
    assert delivering.rows("status, next_attempt_at") == [("retrying", until)]
