"""Receivers that drip, ramble, break off or show a wrong certificate: an attempt ends in time, and says how."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter

import pytest

from adapters import posting
from adapters.make import MakeReceiver
from domain.webhooks.delivery import Delivery, Failure
from tests.support.certificates import certified
from tests.support.raw_receiver import RawReceiver, Speech, dripping, saying, speaking

SECRET = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
CAP_SECONDS = 0.3
MARGIN_SECONDS = 2  # of a busy machine; a receiver that drips would hold an uncapped attempt for ever
OK = b"HTTP/1.1 200 OK\r\ncontent-length: 8\r\n\r\nAccepted"
BIG = 50_000_000


@pytest.fixture(autouse=True)
def configured(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("WEBHOOK_ALLOWED_HOSTS", "127.0.0.1,localhost")
    monkeypatch.setenv("WEBHOOK_PRIVATE_HOSTS", "127.0.0.1,localhost")
    monkeypatch.setenv("MAKE_BOOKING_WEBHOOK_SECRET", SECRET)
    yield
    posting._tls.cache_clear()


@pytest.fixture
def sender() -> Iterator[MakeReceiver]:
    yield from hanging_up(MakeReceiver())


@pytest.fixture
def hurried() -> Iterator[MakeReceiver]:
    """One that gives each attempt very little time."""
    yield from hanging_up(MakeReceiver(CAP_SECONDS))


def hanging_up(sender: MakeReceiver) -> Iterator[MakeReceiver]:
    yield sender
    for line in sender._poster._idle.values():
        line.close()


def post(sender: MakeReceiver, url: str, monkeypatch: pytest.MonkeyPatch) -> Failure | None:
    monkeypatch.setenv("MAKE_BOOKING_WEBHOOK_URL", f"{url}/jeton-secret")
    delivery = Delivery("evt_0194644a2c007b1e8f3a5c9d2e4f6071", "booking.created", b"{}", 1, "BOOKING")
    began = perf_counter()
    failure = sender.post(delivery, datetime.now(UTC))
    assert perf_counter() - began < sender.timeout_seconds + MARGIN_SECONDS
    return failure


def plain(receiver: RawReceiver) -> str:
    return f"http://127.0.0.1:{receiver.port}"


@pytest.mark.parametrize(
    "speech",
    [
        dripping(),
        dripping(b"HTTP/1.1 "),
        saying(b""),  # not a word
    ],
    ids=["from the first byte", "in the status line", "silence"],
)
def test_a_receiver_that_never_comes_to_its_status_is_a_timeout(
    hurried: MakeReceiver, monkeypatch: pytest.MonkeyPatch, speech: Speech
) -> None:
    with speaking(speech) as receiver:
        failure = post(hurried, plain(receiver), monkeypatch)

    assert failure
    assert (failure.error_class, failure.reason, failure.status_code) == ("timeout", "timeout", None)
    assert failure.duration_ms >= 1000 * CAP_SECONDS


@pytest.mark.parametrize(
    ("beginning", "status"),
    [
        (b"HTTP/1.1 503 Non\r\nx-a: ", 503),
        (b"HTTP/1.1 503 Non\r\ncontent-length: 4000\r\n\r\n", 503),
        (b"HTTP/1.1 503 Non\r\ntransfer-encoding: chunked\r\n\r\n5\r\n", 503),
        (b"HTTP/1.0 503 Non\r\n\r\n", 503),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 4000\r\n\r\n", None),
        (b"HTTP/1.1 200 OK\r\nx-a: ", None),
    ],
)
def test_a_status_counts_although_the_rest_drips(
    hurried: MakeReceiver, monkeypatch: pytest.MonkeyPatch, beginning: bytes, status: int | None
) -> None:
    with speaking(dripping(beginning)) as receiver:
        failure = post(hurried, plain(receiver), monkeypatch)

    assert (failure.status_code if failure else None) == status


def test_a_drip_over_tls_is_cut_too(
    hurried: MakeReceiver, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    context, authority = certified("localhost", tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(authority))
    with speaking(dripping(b"HTTP/1.1 "), tls=context) as receiver:
        failure = post(hurried, f"https://localhost:{receiver.port}", monkeypatch)

    assert failure
    assert (failure.error_class, failure.reason) == ("timeout", "timeout")


@pytest.mark.parametrize("status", [200, 500])
def test_a_long_answer_is_not_read_to_its_end_and_the_next_event_gets_its_own_answer(
    sender: MakeReceiver, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    long = f"HTTP/1.1 {status} Long\r\ncontent-length: {BIG}\r\n\r\n".encode()
    with speaking(saying(long + b"y" * BIG), pause=0) as receiver:
        failures = [post(sender, plain(receiver), monkeypatch) for _ in range(2)]
    said = receiver.said

    assert [failure.status_code if failure else 200 for failure in failures] == [status, status]
    assert receiver.connections == 2
    assert said == [0, 0]  # it could not even send its one part
    if status == 500:
        assert [failure.excerpt for failure in failures if failure] == ["y" * posting.MAX_ANSWER_BYTES] * 2


def test_a_connection_is_kept_for_the_next_event(
    sender: MakeReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    with speaking(saying(OK), pause=0) as receiver:
        for _ in range(3):
            assert post(sender, plain(receiver), monkeypatch) is None

    assert (receiver.connections, receiver.requests) == (1, 3)


@pytest.mark.parametrize(
    "nonsense",
    [
        b"Bonjour\r\n\r\n",
        b"HTTP/1.1 abc\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 200,
        b"HTTP/1.1 200 " + b"z" * 70_000,
    ],
)
def test_nonsense_is_a_failure_and_names_no_url(
    sender: MakeReceiver,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    nonsense: bytes,
) -> None:
    caplog.set_level("DEBUG")
    with speaking(saying(nonsense), pause=0) as receiver:
        failure = post(sender, plain(receiver), monkeypatch)

    assert failure
    assert failure.status_code is None
    assert "jeton-secret" not in caplog.text + failure.reason


def test_an_event_arrives_over_tls(
    sender: MakeReceiver, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    context, authority = certified("localhost", tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(authority))
    with speaking(saying(OK), tls=context, pause=0) as receiver:
        assert post(sender, f"https://localhost:{receiver.port}", monkeypatch) is None


@pytest.mark.parametrize(("host", "trusted"), [("localhost", False), ("ailleurs.exemple.ca", True)])
def test_a_certificate_of_nobody_or_of_another_host_gets_nothing(
    sender: MakeReceiver, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, host: str, trusted: bool
) -> None:
    context, authority = certified(host, tmp_path)
    if trusted:
        monkeypatch.setenv("SSL_CERT_FILE", str(authority))
    with speaking(saying(OK), tls=context, pause=0) as receiver:
        failure = post(sender, f"https://localhost:{receiver.port}", monkeypatch)

    assert failure
    assert (failure.error_class, failure.reason) == ("tls", "tls")
    assert (receiver.connections, receiver.requests) == (1, 0)
