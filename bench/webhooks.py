"""Deliveries to Make.com: how fast they leave, and that a Make that never answers slows no transaction down."""

import os
import socket
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from multiprocessing import get_context
from multiprocessing.connection import Connection as Pipe
from queue import Empty, SimpleQueue
from time import perf_counter, sleep
from typing import Any, ClassVar
from uuid import uuid4

import psycopg

from adapters.make import MakeReceiver
from adapters.make_routes import routes
from bench.stage import migrated_database
from bench.table import Row
from bench.timing import p95, time_ms
from domain.webhooks.dispatch import dispatch
from domain.webhooks.outbox import record_facts
from domain.webhooks.relay import Message, relay

EVENTS = 1_000
DISPATCHERS = 5  # the queue's MaximumConcurrency
ANSWERS_AFTER_SECONDS = 0.005
TRANSACTIONS = 300
NO_PACE = 100_000
SECRET = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="


@dataclass(frozen=True)
class Told:
    type: ClassVar[str] = "booking.created"
    dedupe_key: str = field(default_factory=lambda: f"booking.created:{uuid4()}")

    @property
    def ordering_key(self) -> str:
        return self.dedupe_key

    told_until: ClassVar[None] = None
    about_user: ClassVar[None] = None
    about_order: ClassVar[None] = None

    def model_dump_json(self) -> str:
        return '{"note":"' + "x" * 1_500 + '"}'

    def broken_promises(self) -> list[str]:
        return []


class InMemory:
    """A queue that costs nothing."""

    def __init__(self) -> None:
        self.messages: SimpleQueue[str] = SimpleQueue()

    def send(self, messages: Sequence[Message]) -> list[str]:
        for message in messages:
            self.messages.put(message.event_id)
        return []


def rows() -> Iterable[Row]:
    """Throughput, then the p95 of a transaction that tells, beside a Make that answers and one that does not."""
    with migrated_database() as url:
        with answering() as healthy:
            point_at(healthy)
            rate = throughput(url)
            with dispatching(url):
                beside_healthy = tell_p95(url)
        with black_hole() as silent:
            point_at(silent)
            with dispatching(url):
                beside_silent = tell_p95(url)
    return [
        Row(
            f"webhooks: {EVENTS} events, {DISPATCHERS} dispatchers, receiver of 5 ms",
            rate,
            "a second",
            at_least=30,
        ),
        Row("  a transaction that tells, Make healthy (p95)", beside_healthy),
        Row("  the same, Make never answers (p95)", beside_silent, at_most=beside_healthy + 10),
    ]


def throughput(url: str) -> float:
    """Events a second, from the outbox to the receiver's 200 and its note."""
    with psycopg.connect(url, autocommit=True) as connection:
        record_facts(connection, [Told() for _ in range(EVENTS)], "dev", datetime.now(UTC))
        queue = InMemory()
        began = perf_counter()
        assert relay(connection, queue, routes(), NO_PACE, datetime.now(UTC), EVENTS // 100 + 1) == EVENTS
        threads = [threading.Thread(target=drain, args=(url, queue)) for _ in range(DISPATCHERS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        seconds = perf_counter() - began
        left = connection.execute("SELECT count(*) FROM outbox WHERE status <> 'delivered'").fetchone()
        assert left == (0,)
    return EVENTS / seconds


def drain(url: str, queue: InMemory) -> None:
    """What one dispatcher does until nothing is left."""
    receiver = MakeReceiver()
    with psycopg.connect(url, autocommit=True) as connection:
        while True:
            try:
                event_id = queue.messages.get_nowait()
            except Empty:
                return
            dispatch(connection, receiver, event_id, datetime.now(UTC))


def tell_p95(url: str) -> float:
    """The milliseconds of a transaction that writes an event and of the nudge after it."""
    queue = InMemory()
    with psycopg.connect(url, autocommit=True) as connection:

        def tell() -> None:
            now = datetime.now(UTC)
            with connection.transaction():
                record_facts(connection, [Told()], "dev", now)
            relay(
                connection, queue, routes(), NO_PACE, now - timedelta(days=1)
            )  # the nudge's work; the dispatchers have their own

        return p95(time_ms(tell, TRANSACTIONS))


@contextmanager
def dispatching(url: str) -> Iterator[None]:
    """Dispatchers at work on events of their own."""
    stop = threading.Event()

    def work() -> None:
        receiver = MakeReceiver()
        with psycopg.connect(url, autocommit=True) as connection:
            while not stop.is_set():
                now, queue = datetime.now(UTC), InMemory()
                record_facts(connection, [Told()], "dev", now)
                relay(connection, queue, routes(), NO_PACE, now)
                while not stop.is_set() and not queue.messages.empty():
                    dispatch(connection, receiver, queue.messages.get(), datetime.now(UTC))

    threads = [threading.Thread(target=work, daemon=True) for _ in range(DISPATCHERS)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def point_at(address: str) -> None:
    """Configure Make's one address."""
    os.environ["WEBHOOK_ALLOWED_HOSTS"] = os.environ["WEBHOOK_PRIVATE_HOSTS"] = "127.0.0.1"
    os.environ["WEBHOOK_EVENTS_PER_SECOND"] = str(NO_PACE)  # what is measured is ours, not what Make can take
    os.environ["MAKE_BOOKING_WEBHOOK_URL"] = f"{address}/booking"
    os.environ["MAKE_BOOKING_WEBHOOK_SECRET"] = SECRET


@contextmanager
def answering() -> Iterator[str]:
    """A receiver in a process of its own."""
    context = get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=serve, args=(theirs,), daemon=True)
    process.start()
    try:
        yield f"http://127.0.0.1:{ours.recv()}"
    finally:
        process.terminate()
        process.join()


def serve(pipe: "Pipe[int, int]") -> None:
    """Answer 200 after five milliseconds, for ever."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            sleep(ANSWERS_AFTER_SECONDS)
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    class Server(ThreadingHTTPServer):
        def handle_error(self, *_: Any) -> None:
            """A dispatcher that was ended in the middle of a call."""

    server = Server(("127.0.0.1", 0), Handler)
    pipe.send(server.server_port)
    server.serve_forever()


@contextmanager
def black_hole() -> Iterator[str]:
    """Takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0), backlog=100) as listening:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
