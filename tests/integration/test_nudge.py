"""After a commit the queue is nudged: a silent or broken queue costs 300 ms at most and fails nothing (b.6)."""

from collections.abc import Iterator
from time import perf_counter

import psycopg
import pytest

from adapters.sqs import nudged_queue
from domain.webhooks.relay import NUDGED, Message, nudge
from tests.support.guest import Guest
from tests.support.raw_receiver import RawReceiver, Speech, saying, speaking
from tests.support.shop import Shop
from tests.support.world import World, toronto, wanted

SILENCE = saying(b"")
BROKEN = saying(b"HTTP/1.1 500 Non\r\ncontent-length: 0\r\n\r\n")
NOT_SQS = saying(b"Bonjour\r\n\r\n")
LIMIT_SECONDS = 0.3
MARGIN_SECONDS = 2  # of a busy machine that loads boto3; with the schedule's patience it would be twice seven


@pytest.fixture
def shop(world: World) -> Shop:
    return Shop(world)


@pytest.fixture(autouse=True)
def fresh_queue(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("WEBHOOK_QUEUE_URL", "http://127.0.0.1:9/000000000000/webhooks")
    nudged_queue.cache_clear()
    yield
    nudged_queue.cache_clear()


def queue_at(monkeypatch: pytest.MonkeyPatch, receiver: RawReceiver) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{receiver.port}")


def statuses(world: World) -> list[str]:
    return [row["status"] for row in world.rows("SELECT status::text FROM outbox")]


@pytest.mark.parametrize(
    "speech", [SILENCE, BROKEN, NOT_SQS], ids=["says nothing", "is broken", "is not SQS"]
)
def test_a_payment_is_acknowledged_whatever_the_queue_does(
    world: World, shop: Shop, monkeypatch: pytest.MonkeyPatch, speech: Speech
) -> None:
    guest = Guest(world).chooses(shop.wanted()).starts().pays()
    with speaking(speech, pause=0) as queue:
        queue_at(monkeypatch, queue)
        began = perf_counter()
        assert [answer.status for answer in world.webhooks()] == [200]
        assert perf_counter() - began < LIMIT_SECONDS + MARGIN_SECONDS

    assert queue.connections == 1
    assert guest.asks().body["status"] == "settled"
    assert statuses(world) == ["pending", "pending"]  # the relay's next run finds them


@pytest.mark.parametrize("speech", [SILENCE, BROKEN], ids=["says nothing", "is broken"])
def test_a_queue_that_failed_once_is_not_asked_again(
    monkeypatch: pytest.MonkeyPatch, configured: object, speech: Speech
) -> None:
    """Nobody waits for the second ten of twenty-five."""
    messages = [Message(f"evt_{number:032x}") for number in range(25)]
    with speaking(speech, pause=0) as queue:
        queue_at(monkeypatch, queue)
        assert nudged_queue().send([]) == []
        _ = nudged_queue()._client
        began = perf_counter()
        refused = nudged_queue().send(messages)
        took = perf_counter() - began

    assert refused == [message.event_id for message in messages]
    assert queue.requests == 1
    assert took < LIMIT_SECONDS + 0.5


def test_a_nudge_is_one_call_however_much_waits(world: World, shop: Shop) -> None:
    calls = []

    class Counting:
        def send(self, messages: list[Message]) -> list[str]:
            calls.append(len(messages))
            return []

    for number in range(NUDGED):
        Guest(world, f"{number}@exemple.ca").books(
            wanted(shop.course, toronto(20 + number // 8, 9 + number % 8))
        )
    assert len(statuses(world)) == 2 * NUDGED

    assert nudge(world.connection, Counting(), world.clock()) == NUDGED  # type: ignore[arg-type]
    assert calls == [NUDGED]


def test_a_payment_is_acknowledged_without_any_queue(
    world: World, shop: Shop, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.delenv("WEBHOOK_QUEUE_URL")
    Guest(world).books(shop.wanted())

    assert statuses(world) == ["pending", "pending"]
    assert [vars(entry)["error"] for entry in caplog.records if entry.message == "nudge failed"] == [
        "SettingMissing"
    ]


def test_a_payment_is_acknowledged_although_nothing_can_be_taken_from_the_outbox(
    world: World, shop: Shop, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The database refuses the nudge, and only the nudge."""
    world.connection.execute(
        """
        CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RAISE 'no'; END$$;
        CREATE TRIGGER refuse BEFORE UPDATE ON outbox FOR EACH ROW EXECUTE FUNCTION refuse();
        """
    )
    guest = Guest(world).books(shop.wanted())

    assert guest.asks().body["status"] == "settled"
    assert statuses(world) == ["pending", "pending"]
    assert [vars(entry)["error"] for entry in caplog.records if entry.message == "nudge failed"] == [
        psycopg.errors.RaiseException.__name__
    ]


def test_nobody_who_buys_waits_for_make(world: World, shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """e.3-15: Make and the queue say nothing; who buys calls neither, and Stripe's webhook the queue alone, once."""
    with speaking(SILENCE) as make, speaking(SILENCE) as queue:
        queue_at(monkeypatch, queue)
        for area in ("SIGNUP", "BOOKING"):
            monkeypatch.setenv(f"MAKE_{area}_WEBHOOK_URL", f"http://127.0.0.1:{make.port}/{area}")
        guest = Guest(world).chooses(shop.wanted()).starts().pays()
        assert guest.asks().body["status"] == "settled"
        assert (make.connections, queue.connections) == (0, 0)
        assert [answer.status for answer in world.webhooks()] == [200]
        assert (make.connections, queue.connections) == (0, 1)


def test_a_nudge_takes_the_oldest_in_the_order_they_were_told(world: World) -> None:
    """Twelve were told within a minute, the youngest stored first; of one aggregate the first leaves first."""
    now = world.clock()
    world.connection.execute(
        "INSERT INTO outbox (event_id, type, dedupe_key, ordering_key, sequence, body, status,"
        "                    next_attempt_at, created_at)"
        " SELECT 'evt_' || lpad(n::text, 32, '0'), 'booking.created', 'told:' || n, 'thing:' || n / 3, 1 + n %% 3, '',"
        "        'pending', %(now)s, %(now)s::timestamptz - make_interval(secs => n / 3)"
        "   FROM generate_series(0, 11) AS n",
        {"now": now},
    )
    world.connection.execute(
        "SET enable_indexscan = off; SET enable_bitmapscan = off"
    )  # it would be in order
    sent: list[int] = []

    class Queue:
        def send(self, messages: list[Message]) -> list[str]:
            sent.extend(int(message.event_id.removeprefix("evt_")) for message in messages)
            return []

    assert nudge(world.connection, Queue(), now) == NUDGED  # type: ignore[arg-type]
    assert sent == [9, 10, 11, 6, 7, 8, 3, 4, 5, 0]
    world.connection.execute("DELETE FROM outbox")  # these events say nothing
