"""What is sent again and does not leave rests as it did before, whatever ended the replay; a pause holds all else."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from uuid import UUID

import psycopg
import pytest

from adapters.make import MakeReceiver, read_retry_after
from adapters.make_routes import events_per_second, routes
from domain.errors import Refused
from domain.webhooks import replay
from domain.webhooks.deliveries import show_delivery
from domain.webhooks.delivery import Failure
from domain.webhooks.dispatch import dispatch
from domain.webhooks.reasons import in_french
from domain.webhooks.trial import send_test
from tests.conftest import Database
from tests.support.delivering import START, Delivering
from tests.support.receiver import receiving

SECRET = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
RESTING = ("delivered", "exhausted", "skipped", "cancelled")


@pytest.fixture
def delivering(database: Database, monkeypatch: pytest.MonkeyPatch) -> Iterator[Delivering]:
    monkeypatch.setenv("WEBHOOK_EVENTS_PER_SECOND", "5")
    monkeypatch.setenv("WEBHOOK_ALLOWED_HOSTS", "127.0.0.1")
    monkeypatch.setenv("WEBHOOK_PRIVATE_HOSTS", "127.0.0.1")
    with receiving() as make, psycopg.connect(database.url, autocommit=True) as connection:
        monkeypatch.setenv("MAKE_BOOKING_WEBHOOK_URL", f"{make.url}/booking")
        monkeypatch.setenv("MAKE_BOOKING_WEBHOOK_SECRET", SECRET)
        yield Delivering(connection, make, MakeReceiver())


class Died(Exception):
    """A dispatcher's end, while it posts."""


class Dying(MakeReceiver):
    def post(self, *_: object) -> None:
        raise Died


def lay(delivering: Delivering, *statuses: str) -> None:
    """An event at rest in each of those statuses, told today."""
    delivering.tell(*["booking.created"] * len(statuses))
    for (event_id,), status in zip(delivering.rows("event_id"), statuses, strict=True):
        delivering.connection.execute(
            "UPDATE outbox SET status = %s, endpoint = 'BOOKING', delivered_at = CASE WHEN %s = 'delivered' THEN"
            " created_at END, last_error = CASE WHEN %s <> 'delivered' THEN '500' END WHERE event_id = %s",
            (status, status, status, event_id),
        )


def send_again(delivering: Delivering, status: str | None = None) -> UUID:
    wanted = replay.Range(START, START + timedelta(days=1), status=status)
    found = replay.redeliver_range(
        delivering.connection, None, wanted, events_per_second(), delivering.now + timedelta(seconds=1)
    )
    assert found.id
    return found.id


def stop(delivering: Delivering, redelivery_id: UUID) -> None:
    replay.stop(delivering.connection, None, redelivery_id, delivering.now)


def take_url_away(delivering: Delivering, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MAKE_BOOKING_WEBHOOK_URL")
    delivering.pass_time(minutes=2)


def resting(delivering: Delivering) -> list[tuple[object, ...]]:
    return delivering.rows("status::text, resting_status::text, redelivery_id, trigger, lease_until")


def test_stopped(delivering: Delivering) -> None:
    lay(delivering, *RESTING)
    stop(delivering, send_again(delivering))
    delivering.pass_time(hours=1)
    assert resting(delivering) == [(status, None, None, "auto", None) for status in RESTING]
    assert delivering.make.posted == []


def test_a_replay_remembers_when_it_was_first_stopped(delivering: Delivering) -> None:
    lay(delivering, "exhausted")
    redelivery_id = send_again(delivering)
    at = delivering.now
    stop(delivering, redelivery_id)
    delivering.now += timedelta(hours=1)
    stop(delivering, redelivery_id)
    assert delivering.connection.execute("SELECT stopped_at FROM webhook_redeliveries").fetchall() == [(at,)]


def test_the_url_is_gone(delivering: Delivering, monkeypatch: pytest.MonkeyPatch) -> None:
    lay(delivering, *RESTING)
    send_again(delivering)
    take_url_away(delivering, monkeypatch)
    assert resting(delivering) == [(status, None, None, "auto", None) for status in RESTING]
    assert delivering.rows("last_error") == [(None,), *[("no URL is configured",)] * 3]


def test_given_up_with_what_waits(delivering: Delivering) -> None:
    """What Make has received stays received; nothing of what was replayed leaves any more."""
    lay(delivering, *RESTING)
    send_again(delivering)
    delivering.relay()
    replay.pause(delivering.connection, None, "BOOKING", routes(), delivering.now)
    given_up = replay.resume(
        delivering.connection, None, "BOOKING", routes(), events_per_second(), delivering.now, cancel=True
    )
    delivering.pass_time(hours=1)

    assert given_up == 4
    assert resting(delivering) == [
        ("delivered", None, None, "auto", None),
        *[("cancelled", None, None, "auto", None)] * 3,
    ]
    assert delivering.make.posted == []


@pytest.mark.parametrize("status", RESTING)
@pytest.mark.parametrize("accepted", [True, False])
def test_stopped_while_it_is_posted(delivering: Delivering, status: str, accepted: bool) -> None:
    lay(delivering, status)
    redelivery_id = send_again(delivering)
    delivering.make.answers[:] = [200 if accepted else 500]
    delivering.make.looks = lambda: stop_from_elsewhere(delivering, redelivery_id)
    delivering.pass_time(minutes=1)
    delivering.pass_time(hours=2)

    after = "delivered" if accepted else status
    assert resting(delivering) == [(after, None, None, "auto", None)]
    assert len(delivering.make.posted) == 1


def stop_from_elsewhere(delivering: Delivering, redelivery_id: UUID) -> None:
    with psycopg.connect(delivering.connection.info.dsn, autocommit=True) as administrator:
        replay.stop(administrator, None, redelivery_id, delivering.now)


@pytest.mark.parametrize("status", RESTING)
def test_stopped_after_its_dispatcher_died(delivering: Delivering, status: str) -> None:
    lay(delivering, status)
    redelivery_id = send_again(delivering)
    delivering.relay()
    ((_, event_id),) = delivering.queue

    with pytest.raises(Died):
        dispatch(
            delivering.connection,
            Dying(),
            event_id,
            delivering.now + timedelta(seconds=2),
            wait=lambda _: None,
        )
    assert delivering.statuses() == {"delivering": 1}

    stop(delivering, redelivery_id)
    delivering.pass_time(hours=1)
    assert resting(delivering) == [(status, None, None, "auto", None)]
    assert delivering.make.posted == []


def test_what_a_pause_holds_is_not_sent_again_and_does_not_hide(delivering: Delivering) -> None:
    replay.pause(delivering.connection, None, "BOOKING", routes(), delivering.now)
    lay(delivering, "held", "delivered")
    wanted = replay.Range(START, START + timedelta(days=1))
    assert replay.count_range(delivering.connection, wanted, delivering.now).counts == {"booking.created": 1}
    send_again(delivering)
    assert delivering.statuses() == {"held": 1, "pending": 1}

    send_again(delivering, "held")
    assert delivering.statuses() == {"held": 1, "pending": 1}


@pytest.mark.parametrize("then", ["pending", "enqueued"])
def test_what_a_person_sent_again_and_a_pause_overtook_is_held(delivering: Delivering, then: str) -> None:
    lay(delivering, "exhausted")
    ((event_id,),) = delivering.rows("event_id")
    replay.redeliver(delivering.connection, None, event_id, delivering.now)
    if then == "enqueued":
        delivering.relay()
    assert delivering.statuses() == {then: 1}

    held = replay.pause(delivering.connection, None, "BOOKING", routes(), delivering.now)
    delivering.pass_time(hours=1)
    assert (held, delivering.statuses(), delivering.make.posted) == (1, {"held": 1}, [])

    replay.resume(delivering.connection, None, "BOOKING", routes(), events_per_second(), delivering.now)
    delivering.pass_time(minutes=2)
    assert (delivering.statuses(), len(delivering.make.posted)) == ({"delivered": 1}, 1)


def test_a_past_that_is_too_long_is_refused_and_nothing_happens(
    delivering: Delivering, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replay, "RANGE_AT_MOST", 3)
    lay(delivering, *RESTING)
    with pytest.raises(Refused) as refusal:
        send_again(delivering)
    assert refusal.value.code == "REDELIVERY_TOO_LARGE"
    assert (delivering.rows("status::text"), delivering.count("webhook_redeliveries")) == (
        [(status,) for status in RESTING],
        0,
    )
    monkeypatch.setattr(replay, "RANGE_AT_MOST", 4)
    send_again(delivering)
    assert delivering.statuses() == {"pending": 4}


# --- an outage, a pause and a replay at once ---------------------------------------------------------------------


@pytest.mark.parametrize("answer", [500, 410])
@pytest.mark.parametrize("replayed", [False, True])
def test_a_url_recovers_whatever_was_sent_again_during_its_outage(
    delivering: Delivering, answer: int, replayed: bool
) -> None:
    lay(delivering, *["delivered"] * 20)
    if replayed:
        send_again(delivering)
    delivering.answer = lambda now: answer if now < START + timedelta(minutes=10) else 200
    delivering.tell(*["booking.created"] * 6)
    delivering.pass_time(minutes=10)
    assert delivering.endpoint("BOOKING")[0] in ("open", "paused")

    delivering.pass_time(minutes=20)

    assert (delivering.endpoint("BOOKING"), delivering.statuses()) == (("active", None), {"delivered": 26})
    assert resting(delivering) == [("delivered", None, None, "auto", None)] * 26


@pytest.mark.parametrize("answer", [502, 500])
def test_patience_that_one_event_was_asked_for_does_not_keep_the_breaker_open(
    delivering: Delivering, answer: int
) -> None:
    delivering.make.headers["retry-after"] = "3600"
    delivering.answer = lambda now: answer if now < START + timedelta(minutes=3) else 200
    delivering.tell(*["booking.created"] * 5)
    delivering.pass_time(minutes=4)
    assert delivering.endpoint("BOOKING")[0] == "open"

    delivering.pass_time(hours=2, minutes=30)

    assert (delivering.endpoint("BOOKING"), delivering.statuses()) == (("active", None), {"delivered": 5})


@pytest.mark.parametrize(
    ("refusal", "first"), [(400, "younger"), (404, "older"), (500, "older"), (None, "older")]
)
def test_what_was_refused_for_what_it_holds_is_the_last_canary(
    delivering: Delivering, refusal: int | None, first: str
) -> None:
    replay.pause(delivering.connection, None, "BOOKING", routes(), delivering.now)
    delivering.tell("booking.created", dedupe_key="older")
    delivering.now += timedelta(seconds=1)
    delivering.tell("booking.created", dedupe_key="younger")
    delivering.connection.execute(
        "UPDATE outbox SET status = 'held', endpoint = 'BOOKING',"
        " last_status_code = CASE dedupe_key WHEN 'older' THEN %s ELSE 500 END",
        (refusal,),
    )
    delivering.connection.execute("UPDATE webhook_endpoints SET probe_at = %s", (delivering.now,))
    delivering.relay()
    assert delivering.connection.execute(
        "SELECT dedupe_key FROM outbox WHERE trigger = 'canary'"
    ).fetchall() == [(first,)]


@pytest.mark.parametrize("accepted", [True, False])
def test_a_canary_that_is_with_make_does_not_undo_a_person_s_pause(
    delivering: Delivering, accepted: bool
) -> None:
    delivering.answer = lambda _: 500
    delivering.tell(*["booking.created"] * 5)
    delivering.pass_time(seconds=30)
    assert delivering.endpoint("BOOKING")[0] == "open"
    delivering.make.posted.clear()

    def pause_meanwhile() -> None:
        if len(delivering.make.posted) == 1:
            with psycopg.connect(delivering.connection.info.dsn, autocommit=True) as administrator:
                replay.pause(administrator, None, "BOOKING", routes(), delivering.now)

    delivering.make.looks = pause_meanwhile
    delivering.answer = lambda _: 200 if accepted else 500
    delivering.pass_time(hours=10)

    assert (delivering.endpoint("BOOKING"), len(delivering.make.posted)) == (("paused", "manual"), 1)
    assert delivering.statuses() == ({"held": 4, "delivered": 1} if accepted else {"held": 5})


def test_a_pause_of_what_is_paused_is_as_old_as_the_first(delivering: Delivering) -> None:
    replay.pause(delivering.connection, None, "BOOKING", routes(), START)
    replay.pause(delivering.connection, None, "BOOKING", routes(), START + timedelta(days=1))
    assert delivering.connection.execute("SELECT opened_at FROM webhook_endpoints").fetchall() == [(START,)]


def marks(delivering: Delivering) -> list[str | None]:
    return [request.headers.get("x-4as-replay") for request in delivering.make.posted]


def one(delivering: Delivering) -> str:
    ((event_id,),) = delivering.rows("event_id")
    return str(event_id)


def again(delivering: Delivering, *, force: bool) -> None:
    replay.redeliver(delivering.connection, None, one(delivering), delivering.now, force=force)


def test_only_a_forced_repetition_bears_the_mark_and_each_has_its_number(delivering: Delivering) -> None:
    lay(delivering, "delivered")
    for force in (True, False, True):
        again(delivering, force=force)
        delivering.pass_time(minutes=1)
    assert marks(delivering) == ["1", None, "2"]


def test_one_that_was_stopped_leaves_no_mark_behind(delivering: Delivering) -> None:
    lay(delivering, "delivered")
    wanted = replay.Range(START, START + timedelta(days=1))
    found = replay.redeliver_range(delivering.connection, None, wanted, 5, delivering.now, force=True)
    assert found.id
    stop(delivering, found.id)
    again(delivering, force=False)
    delivering.pass_time(minutes=1)
    assert marks(delivering) == [None]


@pytest.mark.parametrize("how", ["one", "a range"])
def test_a_forced_repetition_keeps_its_mark_through_a_pause(delivering: Delivering, how: str) -> None:
    lay(delivering, "delivered")
    if how == "one":
        again(delivering, force=True)
    else:
        wanted = replay.Range(START, START + timedelta(days=1))
        replay.redeliver_range(delivering.connection, None, wanted, 5, delivering.now, force=True)
    delivering.relay()
    replay.pause(delivering.connection, None, "BOOKING", routes(), delivering.now)
    delivering.pass_time(minutes=5)
    replay.resume(delivering.connection, None, "BOOKING", routes(), 5, delivering.now)
    delivering.pass_time(minutes=2)

    assert (marks(delivering), delivering.statuses()) == (["1"], {"delivered": 1})
    assert delivering.connection.execute("SELECT trigger, attempt_no FROM webhook_attempts").fetchall() == [
        ("manual", 1)
    ]
    assert delivering.rows("attempts") == [(0,)]


def test_a_forced_repetition_keeps_its_mark_until_it_is_delivered(delivering: Delivering) -> None:
    """Of an event that was not delivered: it fails once, and the retry is the same repetition."""
    delivering.answer = lambda now: 400 if now < START + timedelta(minutes=2) else 200
    delivering.tell("booking.created")
    delivering.pass_time(seconds=1)
    again(delivering, force=True)
    delivering.pass_time(hours=1)
    assert delivering.statuses() == {"delivered": 1}
    assert (marks(delivering)[0], set(marks(delivering)[1:])) == (None, {"1"})
    again(delivering, force=False)
    delivering.pass_time(minutes=1)
    assert marks(delivering)[-1] is None


def test_as_a_canary_a_forced_repetition_keeps_its_mark_and_its_trace(delivering: Delivering) -> None:
    delivering.answer = lambda now: 500 if now < START + timedelta(minutes=3) else 200
    delivering.tell(*["booking.created"] * 5)
    delivering.pass_time(minutes=1)
    assert delivering.endpoint("BOOKING")[0] == "open"
    delivering.make.posted.clear()
    wanted = replay.Range(START, START + timedelta(days=1), status="exhausted")
    delivering.connection.execute("UPDATE outbox SET status = 'exhausted' WHERE status = 'retrying'")
    replay.redeliver_range(delivering.connection, None, wanted, 5, delivering.now, force=True)
    delivering.pass_time(minutes=20)
    assert delivering.statuses() == {"delivered": 5}
    assert set(marks(delivering)) == {"1"}


def test_a_replay_of_what_make_has_leaves_no_failure_on_it(delivering: Delivering) -> None:
    lay(delivering, "delivered")
    delivering.answer = lambda _: 400
    again(delivering, force=False)
    delivering.pass_time(minutes=1)
    assert delivering.rows("status::text, last_error, last_status_code") == [("delivered", None, None)]
    assert delivering.count("webhook_attempts") == 1


def test_what_is_held_says_why(delivering: Delivering) -> None:
    replay.pause(delivering.connection, None, "BOOKING", routes(), delivering.now)
    delivering.tell("booking.created")
    delivering.pass_time(minutes=1)
    ((status, reason),) = delivering.rows("status::text, last_error")
    assert (status, in_french(reason)) == (
        "held",
        "Son adresse est en pause ou en panne : il attend qu’elle revienne en service.",
    )
    replay.resume(delivering.connection, None, "BOOKING", routes(), 5, delivering.now)
    assert delivering.rows("status::text, last_error") == [("retrying", None)]


def test_what_waits_follows_its_area_to_a_url_of_its_own_and_back(
    delivering: Delivering, monkeypatch: pytest.MonkeyPatch
) -> None:
    replay.pause(delivering.connection, None, "BOOKING", routes(), delivering.now)
    delivering.tell("booking.rescheduled")
    delivering.pass_time(minutes=1)
    assert delivering.rows("status::text, endpoint") == [("held", "BOOKING")]

    with monkeypatch.context() as own:
        own.setenv("MAKE_RESCHEDULE_WEBHOOK_URL", f"{delivering.make.url}/reschedule")
        own.setenv("MAKE_RESCHEDULE_WEBHOOK_SECRET", SECRET)
        replay.pause(delivering.connection, None, "RESCHEDULE", routes(), delivering.now)
        delivering.pass_time(minutes=1)
        assert delivering.rows("status::text, endpoint") == [("held", "RESCHEDULE")]
    replay.resume(delivering.connection, None, "BOOKING", routes(), 5, delivering.now)
    delivering.pass_time(minutes=2)

    assert [request.path for request in delivering.make.posted] == ["/booking"]
    assert delivering.statuses() == {"delivered": 1}


@pytest.mark.parametrize("status", ["delivered", "exhausted", "cancelled", "skipped"])
@pytest.mark.parametrize("cancel", [False, True])
def test_one_that_is_sent_again_while_its_replay_is_held_rests_as_at_first(
    delivering: Delivering, status: str, cancel: bool
) -> None:
    lay(delivering, status)
    send_again(delivering)
    delivering.relay()
    replay.pause(delivering.connection, None, "BOOKING", routes(), delivering.now)
    delivering.answer = lambda _: 400
    if not cancel:
        again(delivering, force=False)
    delivering.pass_time(minutes=1)
    replay.resume(delivering.connection, None, "BOOKING", routes(), 5, delivering.now, cancel=cancel)
    delivering.pass_time(hours=90)

    after = "cancelled" if cancel and status != "delivered" else status
    assert resting(delivering) == [(after, None, None, "auto", None)]
    assert len(delivering.make.posted) == (0 if cancel else 1)


def test_one_that_was_forced_and_fails_knocks_as_any_other_does(delivering: Delivering) -> None:
    delivering.answer = lambda _: 500
    delivering.tell("booking.created")
    delivering.pass_time(seconds=1)
    again(delivering, force=True)
    delivering.pass_time(hours=3)
    traces = delivering.connection.execute(
        "SELECT trigger, count(*) FROM webhook_attempts WHERE started_at >= %s GROUP BY 1 ORDER BY 1",
        (START + timedelta(minutes=15),),
    ).fetchall()
    assert [trigger for trigger, _ in traces] == ["canary"]


def test_what_a_person_sends_again_is_no_canary(delivering: Delivering) -> None:
    lay(delivering, *["delivered"] * 6)
    delivering.answer = lambda _: 500
    ids = [event_id for (event_id,) in delivering.rows("event_id")]
    for event_id in ids[:5]:
        replay.redeliver(delivering.connection, None, event_id, delivering.now)
    delivering.pass_time(minutes=2)
    assert delivering.endpoint("BOOKING")[0] == "open"
    delivering.make.posted.clear()
    replay.redeliver(delivering.connection, None, ids[5], delivering.now)
    delivering.pass_time(minutes=10)
    assert delivering.delivered_ids == [ids[5]]
    assert delivering.statuses() == {"delivered": 6}


def test_what_waits_for_an_area_that_has_fallen_back_is_given_up_with_the_rest(
    delivering: Delivering, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as own:
        own.setenv("MAKE_RESCHEDULE_WEBHOOK_URL", f"{delivering.make.url}/reschedule")
        own.setenv("MAKE_RESCHEDULE_WEBHOOK_SECRET", SECRET)
        replay.pause(delivering.connection, None, "RESCHEDULE", routes(), delivering.now)
        delivering.tell("booking.rescheduled")
        delivering.pass_time(minutes=1)
    given_up = replay.resume(delivering.connection, None, "BOOKING", routes(), 5, delivering.now, cancel=True)
    delivering.pass_time(hours=1)
    assert (given_up, delivering.statuses(), delivering.make.posted) == (1, {"cancelled": 1}, [])


def test_an_old_answer_does_not_take_the_row_of_a_newer_repetition(delivering: Delivering) -> None:
    """The first is stopped while Make has it, and the event sent again; then the first answer comes."""
    lay(delivering, "exhausted")
    redelivery_id = send_again(delivering)
    delivering.now += timedelta(seconds=2)
    claimed: list[tuple[object, ...]] = []

    class Slow(MakeReceiver):
        def post(self, *_: object) -> Failure:
            with psycopg.connect(delivering.connection.info.dsn, autocommit=True) as other:
                replay.stop(other, None, redelivery_id, delivering.now)
                replay.redeliver(other, None, one(delivering), delivering.now, force=True)
                later = delivering.now + timedelta(seconds=1)
                with pytest.raises(Died):
                    dispatch(other, Dying(), one(delivering), later, wait=lambda _: None)
            claimed.extend(delivering.rows("status::text, forcing, lease_until"))
            return Failure("500", "http_5xx", 500)

    dispatch(delivering.connection, Slow(), one(delivering), delivering.now, lambda: 0.5, lambda _: None)
    assert claimed[0][:2] == ("delivering", True)
    assert delivering.rows("status::text, forcing, lease_until") == claimed


# --- Retry-After as it is written --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        ("0000000000120", 120),
        ("9" * 5000, 86_400),
        ("0", 0),
        ("Wed, 21 Oct 99999999999 07:28:00 GMT", None),
        ("Wed, 21 Oct 2026 07:28:00 +99999999999999999999", None),
        (f"Wed, 21 Oct 2026 {'9' * 30}:28:00 GMT", None),
        ("soon", None),
    ],
)
def test_whatever_a_receiver_writes_is_read_or_ignored(written: str, seconds: int | None) -> None:
    found = read_retry_after(written, START)
    assert found == (None if seconds is None else timedelta(seconds=seconds))


def test_the_patience_that_was_asked_for_last_stands_and_attempts_are_told_in_their_order(
    delivering: Delivering,
) -> None:
    delivering.make.headers["retry-after"] = "120"
    delivering.answer = lambda _: 500
    delivering.tell("booking.created")
    delivering.pass_time(minutes=4)
    assert len(delivering.make.posted) == 2
    second = int(delivering.make.posted[1].headers["webhook-timestamp"])
    ((not_before,),) = delivering.rows("not_before")
    assert not_before.timestamp() >= second + 120

    delivering.connection.execute("UPDATE webhook_attempts SET duration_ms = 7 WHERE attempt_no = 1")
    reader = delivering.connection.execute(
        "INSERT INTO users (id, email, first_name, last_name, role)"
        " VALUES (gen_random_uuid(), 'chef@exemple.ca', 'C', 'H', 'admin') RETURNING id"
    ).fetchone()
    assert reader
    detail = show_delivery(delivering.connection, reader[0], one(delivering), delivering.now)
    assert [attempt.attempt_no for attempt in detail.failed_attempts] == [1, 2]


def test_patience_is_counted_from_the_answer(delivering: Delivering) -> None:
    class Slow(MakeReceiver):
        def post(self, delivery: object, now: object) -> Failure:
            return Failure("429", "http_4xx", 429, retry_after=timedelta(seconds=120), duration_ms=14_000)

    delivering.tell("booking.created")
    dispatch(delivering.connection, Slow(), one(delivering), START, lambda: 0.0, lambda _: None)
    least = START + timedelta(seconds=134)
    ((due, not_before),) = delivering.rows("next_attempt_at, not_before")
    assert min(due, not_before) >= least
    ((free_at,),) = delivering.connection.execute("SELECT not_before FROM webhook_lanes").fetchall()
    assert free_at >= least


# --- an administrator's test ------------------------------------------------------------------------------------


def trying(delivering: Delivering, waited: Callable[[float], None] = lambda _: None) -> object:
    failure = send_test(
        delivering.connection,
        delivering.receiver,
        None,
        "BOOKING",
        "booking.created",
        "dev",
        delivering.now,
        waited,
    )
    return failure and failure.status_code


def test_tests_keep_the_pace_and_are_refused_when_the_lane_is_full(delivering: Delivering) -> None:
    waits: list[float] = []
    posted = [trying(delivering, waits.append) for _ in range(10)]
    assert (posted, len(delivering.make.posted)) == ([None] * 10, 10)
    assert waits == [pytest.approx(0.1 + 0.2 * place) for place in range(10)]
    with pytest.raises(Refused) as refusal:
        trying(delivering)
    assert (refusal.value.code, len(delivering.make.posted)) == ("ENDPOINT_BUSY", 10)
    assert delivering.count("audit_log") == 10


def test_a_test_that_is_asked_for_patience_binds_the_url(delivering: Delivering) -> None:
    delivering.make.headers["retry-after"] = "120"
    delivering.make.answers[:] = [429]
    assert trying(delivering) == 429
    delivering.tell("booking.created")
    delivering.pass_time(seconds=115)
    assert len(delivering.make.posted) == 1
    delivering.pass_time(minutes=2)
    assert delivering.statuses() == {"delivered": 1}


# --- Whatever became of it meanwhile, what Make took is delivered --------------------------------------------------


@pytest.mark.parametrize(
    "meanwhile", ["delivering", "enqueued", "retrying", "held", "skipped", "exhausted", "cancelled"]
)
def test_what_make_took_is_delivered_whatever_became_of_it_meanwhile(
    delivering: Delivering, meanwhile: str
) -> None:
    delivering.tell("booking.created")

    class Slow(MakeReceiver):
        def post(self, *_: object) -> None:
            delivering.connection.execute(
                "UPDATE outbox SET status = %s, lease_until = CASE WHEN %s IN ('enqueued', 'delivering')"
                " THEN now() END, last_error = '500', last_status_code = 500",
                (meanwhile, meanwhile),
            )

    event_id = one(delivering)
    delivering.relay()
    dispatch(delivering.connection, Slow(), event_id, delivering.now, lambda: 0.5, lambda _: None)

    assert delivering.rows(
        "status::text, delivered_at IS NULL, lease_until, last_error, last_status_code"
    ) == [("delivered", False, None, None, None)]
