"""From the outbox to Make.com: relay, SQS, dispatcher, a real HTTP receiver (make-webhooks a.2, b, e.3)."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import boto3
import psycopg
import pytest
from moto.server import ThreadedMotoServer
from standardwebhooks import Webhook

from adapters import sqs as sqs_adapter
from adapters.make import make_receiver
from adapters.make_routes import events_per_second, routes
from adapters.sqs import nudged_queue, webhook_queue
from domain.clock import TORONTO
from domain.webhooks.dispatch import dispatch
from domain.webhooks.relay import LOOK_AHEAD, relay
from domain.webhooks.retries import RETRY_DELAYS
from functions.webhook_dispatch import app as webhook_dispatch
from functions.webhook_relay import app as webhook_relay
from tests.support.browser import CONTEXT
from tests.support.contract import recorded
from tests.support.guest import Guest
from tests.support.race import at_once
from tests.support.receiver import Receiver, receiving
from tests.support.world import World, wanted

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

SECRETS = {
    "SIGNUP": "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
    "BOOKING": "whsec_Hx4dHBsaGRgXFhUUExIREA8ODQwLCgkIBwYFBAMCAQA=",
}


@pytest.fixture(scope="module")
def sqs() -> Iterator[str]:
    """The address of an SQS of our own."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def make() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


@dataclass
class Post:
    """The way of an event, one step at a time. The dispatcher's time is the real one, and so is the world's."""

    world: World
    make: Receiver
    client: "SQSClient"
    queue_url: str

    def somebody_books(self) -> Guest:
        course = self.world.school.course(uuid4().hex)
        self.world.school.tutor(course)
        day = self.world.clock().astimezone(TORONTO) + timedelta(days=3)
        ten = day.replace(hour=10, minute=0, second=0, microsecond=0)
        guest = Guest(self.world, f"{uuid4().hex}@exemple.ca").chooses(wanted(course, ten)).starts().pays()
        self.world.webhooks()
        return guest

    def relay(self) -> int:
        """The relay's schedule fires."""
        answer: dict[str, int] = webhook_relay.lambda_handler(
            {"time": self.world.clock().isoformat()}, CONTEXT
        )
        return answer["events_enqueued"]

    def time_comes(self) -> None:
        """What waits to be tried again is due, by the clock on the wall, which dispatchers read."""
        self.world.clock.advance(seconds=10)
        self.world.connection.execute("UPDATE outbox SET next_attempt_at = now() WHERE status = 'retrying'")

    def take(self) -> list[dict[str, Any]]:
        """What is on the queue, as SQS hands it to a function; it is taken off."""
        records = []
        while messages := self.client.receive_message(QueueUrl=self.queue_url, MaxNumberOfMessages=10).get(
            "Messages"
        ):
            for message in messages:
                self.client.delete_message(QueueUrl=self.queue_url, ReceiptHandle=message["ReceiptHandle"])
                records.append(record(message["MessageId"], message["Body"]))
        return records

    def dispatch(self, *records: dict[str, Any]) -> list[str]:
        """The dispatcher is given a batch; the messages it wants to see again."""
        answer = webhook_dispatch.lambda_handler({"Records": list(records)}, CONTEXT)
        return [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]

    def dispatch_all(self) -> None:
        assert self.dispatch(*self.take()) == []

    def outbox(self, columns: str) -> list[tuple[Any, ...]]:
        return self.world.connection.execute(
            f"SELECT {columns} FROM outbox ORDER BY created_at, ordering_key, sequence"  # noqa: S608
        ).fetchall()


def alerts(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What the operators are told of."""
    return [vars(entry)["alert"] for entry in caplog.records if entry.message == "webhook alert"]


def record(message_id: str, body: str) -> dict[str, Any]:
    return {
        "messageId": message_id,
        "receiptHandle": "receipt",
        "body": body,
        "attributes": {"ApproximateReceiveCount": "1"},
        "messageAttributes": {},
        "eventSource": "aws:sqs",
        "eventSourceARN": "arn:aws:sqs:ca-central-1:000000000000:webhooks",
        "awsRegion": "ca-central-1",
    }


def forget_queues() -> None:
    webhook_queue.cache_clear()
    nudged_queue.cache_clear()


@pytest.fixture
def post(world: World, make: Receiver, sqs: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Post]:
    world.clock.now = datetime.now(UTC).replace(microsecond=0)
    monkeypatch.setenv("AWS_ENDPOINT_URL", sqs)
    monkeypatch.setenv("WEBHOOK_ALLOWED_HOSTS", "127.0.0.1")
    monkeypatch.setenv("WEBHOOK_PRIVATE_HOSTS", "127.0.0.1")
    for area, secret in SECRETS.items():
        monkeypatch.setenv(f"MAKE_{area}_WEBHOOK_URL", f"{make.url}/{area.lower()}")
        monkeypatch.setenv(f"MAKE_{area}_WEBHOOK_SECRET", secret)
    client = boto3.client("sqs")
    queue_url = client.create_queue(QueueName=uuid4().hex)["QueueUrl"]
    monkeypatch.setenv("WEBHOOK_QUEUE_URL", queue_url)
    monkeypatch.setattr(sqs_adapter, "NUDGE_READ_SECONDS", 30)  # a busy machine answers late
    forget_queues()
    yield Post(world, make, client, queue_url)
    forget_queues()
    client.close()


# --- Arrival ------------------------------------------------------------------------------------------------


def test_the_account_and_the_booking_arrive_once_each_in_that_order(post: Post) -> None:
    post.somebody_books()
    post.dispatch_all()

    assert [request.path for request in post.make.posted] == ["/signup", "/booking"]
    assert post.make.types == ["signup", "booking.created"]
    assert post.outbox("type, status, attempts, delivered_at IS NOT NULL, last_error, lease_until") == [
        ("signup", "delivered", 1, True, None, None),
        ("booking.created", "delivered", 1, True, None, None),
    ]
    post.world.clock.advance(hours=1)
    assert (post.relay(), post.take()) == (0, [])


def test_what_arrives_is_byte_for_byte_what_the_settlement_wrote(post: Post) -> None:
    post.somebody_books()
    post.dispatch_all()

    assert [request.body for request in post.make.posted] == [body for (body,) in post.outbox("body")]
    assert [json.loads(request.body)["payload"] for request in post.make.posted] == [
        json.loads(json.dumps(event["payload"], default=float)) for event in recorded(post.world)
    ]


def test_every_delivery_is_signed_with_the_secret_of_its_own_url(post: Post) -> None:
    post.somebody_books()
    post.dispatch_all()

    signup, booking = post.make.posted
    verified = Webhook(SECRETS["SIGNUP"]).verify(signup.body, signup.headers)
    assert verified["type"] == "signup"
    assert Webhook(SECRETS["BOOKING"]).verify(booking.body, booking.headers)["type"] == "booking.created"
    with pytest.raises(Exception, match="No matching signature"):
        Webhook(SECRETS["BOOKING"]).verify(signup.body, signup.headers)


def test_the_headers_are_those_of_the_contract(post: Post) -> None:
    before = int(datetime.now(UTC).timestamp())
    post.somebody_books()
    post.dispatch_all()

    (request, _) = post.make.posted
    event_id = json.loads(request.body)["event_id"]
    timestamp = int(request.headers.pop("webhook-timestamp"))
    assert before <= timestamp <= datetime.now(UTC).timestamp()
    transport = {"host", "content-length", "accept-encoding", "webhook-signature"}
    assert {name: value for name, value in request.headers.items() if name not in transport} == {
        "content-type": "application/json; charset=utf-8",
        "user-agent": "4AS-Webhooks/1",
        "webhook-id": event_id,
        "x-4as-event-type": "signup",
        "x-4as-attempt": "1",
    }


def test_the_key_of_make_is_sent_when_there_is_one(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAKE_WEBHOOK_API_KEY", "clé".encode().hex())
    post.somebody_books()
    post.dispatch_all()
    assert [request.headers["x-make-apikey"] for request in post.make.posted] == ["636cc3a9"] * 2


def test_the_queue_carries_ids_only(post: Post) -> None:
    post.somebody_books()
    ids = [event_id for (event_id,) in post.outbox("event_id")]
    assert [json.loads(message["body"]) for message in post.take()] == [{"event_id": one} for one in ids]


# --- At least once, and not more ----------------------------------------------------------------------------


def test_a_message_that_comes_twice_delivers_once(post: Post) -> None:
    post.somebody_books()
    records = post.take()

    for _ in range(2):
        assert post.dispatch(*records, *records) == []
    assert post.make.types == ["signup", "booking.created"]


def test_two_relays_at_the_same_time_enqueue_once(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patched:
        patched.setenv("WEBHOOK_DELIVERY_ENABLED", "false")  # so that the webhook does not relay by itself
        for _ in range(5):
            post.somebody_books()
    assert {status for (status,) in post.outbox("status")} == {"pending"}
    url, queue, now = post.world.connection.info.dsn, webhook_queue(), post.world.clock()

    def relays() -> int:
        with psycopg.connect(url, autocommit=True) as connection:
            return relay(connection, queue, routes(), events_per_second(), now)

    enqueued = [outcome.result() for outcome in at_once(*[relays] * 4)]
    messages = [message["body"] for message in post.take()]
    assert sum(enqueued) == len(messages) == len(set(messages)) == 10


def test_two_dispatchers_of_one_message_deliver_once(post: Post) -> None:
    post.somebody_books()
    event_id = post.outbox("event_id")[0][0]
    url, now = post.world.connection.info.dsn, post.world.clock()

    def dispatches() -> None:
        with psycopg.connect(url, autocommit=True) as connection:
            dispatch(connection, make_receiver(), event_id, now)

    for outcome in at_once(*[dispatches] * 4):
        outcome.result()
    assert post.make.types == ["signup"]


def test_a_message_lost_on_the_way_is_sent_again(post: Post) -> None:
    post.somebody_books()
    assert len(post.take()) == 2  # and nobody handles them
    post.world.clock.advance(minutes=9)
    assert post.relay() == 0

    post.world.clock.advance(minutes=2)
    assert post.relay() == 2
    post.dispatch_all()
    assert post.make.types == ["signup", "booking.created"]


def test_a_dispatcher_that_died_is_replaced_when_its_lease_has_run_out(post: Post) -> None:
    """It may have posted: then Make sees the same event id and bytes twice (at least once)."""
    post.somebody_books()
    post.take()
    lease = post.world.clock() + timedelta(minutes=2)
    post.world.connection.execute(
        "UPDATE outbox SET status = 'delivering', attempts = 1, lease_until = %s", (lease,)
    )
    assert post.relay() == 0
    post.world.clock.advance(minutes=2, seconds=1)

    assert post.relay() == 2
    post.dispatch_all()
    assert post.outbox("status, attempts") == [("delivered", 2), ("delivered", 2)]


def test_while_sqs_is_down_events_wait_and_bookings_go_on(
    post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as down:
        down.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
        forget_queues()
        guest = post.somebody_books()
        assert guest.asks().body["status"] == "settled"
        assert post.relay() == 0
    assert post.outbox("status") == [("pending",), ("pending",)]

    forget_queues()
    assert post.relay() == 2
    post.dispatch_all()
    assert post.make.types == ["signup", "booking.created"]


def test_a_message_nobody_understands_comes_back_alone(post: Post) -> None:
    post.somebody_books()
    broken = record("broken", "{")
    unknown = record("unknown", '{"event_id": "evt_00000000000000000000000000000000"}')

    assert post.dispatch(broken, unknown, *post.take()) == ["broken"]
    assert post.make.types == ["signup", "booking.created"]


# --- Failure ------------------------------------------------------------------------------------------------


def test_a_refused_delivery_is_tried_again_with_the_same_bytes(post: Post) -> None:
    post.make.answers = [500]
    post.somebody_books()
    records = post.take()
    before = datetime.now(UTC)
    post.dispatch(records[0])

    ((status, attempts, due, error),) = post.outbox("status, attempts, next_attempt_at, last_error")[:1]
    assert (status, attempts, error.strip()) == ("retrying", 1, "500")
    assert timedelta(seconds=4) <= due - before < timedelta(seconds=10)
    post.dispatch(records[0])  # an old message does not hurry it
    assert len(post.make.posted) == 1

    post.time_comes()
    assert post.relay() == 1
    post.dispatch_all()
    first, second = post.make.posted
    assert first.body == second.body
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    assert [request.headers["x-4as-attempt"] for request in (first, second)] == ["1", "2"]
    Webhook(SECRETS["SIGNUP"]).verify(second.body, second.headers)
    assert post.outbox("status, attempts")[0] == ("delivered", 2)


def test_the_delays_are_those_of_the_contract_until_the_last_attempt(post: Post) -> None:
    """Twelve attempts over 76 h 42 min 35 s, each with its own time and signature over one body."""
    post.somebody_books()
    signup, booking = post.take()
    post.dispatch(booking)
    post.make.posted.clear()
    post.make.answers = [400] * 12  # about the event, so the breaker stays out of it
    event_id = json.loads(signup["body"])["event_id"]
    now = post.world.clock()
    connection = post.world.connection
    pace = routes(), events_per_second()
    delays = []
    while post.outbox("status")[0] != ("exhausted",):
        dispatch(connection, make_receiver(), event_id, now, draw=lambda: 0.5)
        ((status, due),) = post.outbox("status, next_attempt_at")[:1]
        if status == "retrying":
            delays.append(int((due - now).total_seconds()))
            assert relay(connection, webhook_queue(), *pace, due - LOOK_AHEAD - timedelta(seconds=1)) == 0
            assert relay(connection, webhook_queue(), *pace, due) == 1
            now = due

    assert delays == [5, 30, 120, 600, 1_800, 3_600, 10_800, 21_600, 43_200, 86_400, 108_000]
    assert sum(RETRY_DELAYS, timedelta()) == timedelta(hours=76, minutes=42, seconds=35)
    attempts = post.make.posted
    assert [request.headers["x-4as-attempt"] for request in attempts] == [str(n) for n in range(1, 13)]
    assert len({request.body for request in attempts}) == 1
    assert len({request.headers["webhook-signature"] for request in attempts}) == 12
    assert post.outbox("status, attempts, last_error")[0][:2] == ("exhausted", 12)
    assert relay(connection, webhook_queue(), *pace, now + timedelta(days=30)) == 0


@pytest.mark.parametrize("status", [199 + 2, 204, 299])
def test_any_success_is_a_delivery(post: Post, status: int) -> None:
    post.make.answers = [status] * 2
    post.somebody_books()
    post.dispatch_all()
    assert post.outbox("status") == [("delivered",), ("delivered",)]


@pytest.mark.parametrize("status", [301, 302, 307, 400, 401, 404, 429, 503])
def test_anything_else_is_a_failure_and_no_redirect_is_followed(post: Post, status: int) -> None:
    post.make.answers = [status] * 2
    post.make.headers = {"location": f"{post.make.url}/ailleurs"}
    post.somebody_books()
    post.dispatch_all()

    assert [request.path for request in post.make.posted] == ["/signup", "/booking"]
    assert [state for state, _ in post.outbox("status, attempts")] == ["retrying", "retrying"]


def test_a_receiver_that_is_not_there_is_a_failure(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAKE_SIGNUP_WEBHOOK_URL", "http://127.0.0.1:9/signup")
    post.somebody_books()
    post.dispatch_all()

    assert post.make.types == ["booking.created"]
    assert post.outbox("status, last_error")[0] == ("retrying", "refused")


def test_an_event_without_url_is_skipped(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    """`signup` falls back on no other URL (c.1)."""
    monkeypatch.delenv("MAKE_SIGNUP_WEBHOOK_URL")
    post.somebody_books()
    post.dispatch_all()

    assert post.make.types == ["booking.created"]
    assert post.outbox("type, status") == [("signup", "skipped"), ("booking.created", "delivered")]
    post.world.clock.advance(days=4)
    assert post.relay() == 0


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("http://localhost:{port}/signup", "the URL is not on the allow-list"),
        ("http://make.127.0.0.1.exemple.ca:{port}/signup", "the URL is not on the allow-list"),
        ("http://127.0.0.1@exemple.ca:{port}/signup", "the URL is not on the allow-list"),
        ("http://moi:secret@127.0.0.1:{port}/signup", "the URL is not on the allow-list"),
        ("http://127.0.0.2:{port}/signup", "the URL is not on the allow-list"),
        ("ftp://127.0.0.1:{port}/signup", "the URL is not https"),
        ("127.0.0.1:{port}/signup", "the URL lacks its https:// or its host"),
        ("hook.make.com/signup", "the URL lacks its https:// or its host"),
        ("nulle part", "the URL lacks its https:// or its host"),
        ("http://[127.0.0.1:{port}/signup", "the URL is not one"),
        ("http://127.0.0.1:{port}/nulle part", "the URL or the API key has characters it cannot have"),
    ],
)
def test_an_url_that_cannot_be_is_never_called_and_said_to_be_wrong(
    post: Post, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, url: str, reason: str
) -> None:
    port = post.make.url.rpartition(":")[2]
    monkeypatch.setenv("MAKE_SIGNUP_WEBHOOK_URL", url.format(port=port))
    post.somebody_books()
    post.dispatch_all()

    assert post.make.types == ["booking.created"]
    assert post.outbox("status, attempts, last_error")[0] == ("retrying", 1, reason)
    assert alerts(caplog) == ["url_refused"]


@pytest.mark.parametrize(
    ("setting", "value", "reason"),
    [
        ("MAKE_SIGNUP_WEBHOOK_SECRET", "", "the signing secret is missing"),
        ("MAKE_SIGNUP_WEBHOOK_SECRET", "whsec_é", "a signing secret is not whsec_ and base64"),
        ("MAKE_SIGNUP_WEBHOOK_SECRET", "motdepasse!", "a signing secret is not whsec_ and base64"),
        ("MAKE_WEBHOOK_API_KEY", "une\nclé", "the URL or the API key has characters it cannot have"),
        ("MAKE_WEBHOOK_API_KEY", "clé 🔑", "the URL or the API key has characters it cannot have"),
    ],
)
def test_nothing_leaves_unsigned_nor_with_a_key_that_cannot_be(
    post: Post,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    setting: str,
    value: str,
    reason: str,
) -> None:
    monkeypatch.setenv(setting, value)
    post.somebody_books()
    post.dispatch(post.take()[0])

    assert post.make.posted == []
    assert post.outbox("status, attempts, last_error")[0] == ("retrying", 1, reason)
    assert alerts(caplog) == ["url_refused"]


def test_once_the_url_is_mended_what_waited_leaves_by_itself(
    post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as wrong:
        wrong.setenv("MAKE_SIGNUP_WEBHOOK_URL", post.make.url.removeprefix("http://"))
        post.somebody_books()
        post.dispatch_all()
    post.time_comes()

    assert post.relay() == 1
    post.dispatch_all()
    assert post.make.types == ["booking.created", "signup"]


def test_while_delivery_is_switched_off_events_wait(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as switched:
        switched.setenv("WEBHOOK_DELIVERY_ENABLED", "false")
        post.somebody_books()
        assert (post.relay(), post.take()) == (0, [])
    assert post.relay() == 2


def test_no_secret_url_or_personal_detail_is_logged(post: Post, caplog: pytest.LogCaptureFixture) -> None:
    post.make.answers = [500, 200]
    guest = post.somebody_books()
    post.dispatch_all()

    logged = caplog.text + str([vars(entry) for entry in caplog.records])
    for secret in (
        *SECRETS.values(),
        post.make.url,
        "/signup",
        "/booking",
        guest.email,
        "Tremblay",
        "Français",
    ):
        assert secret not in logged
