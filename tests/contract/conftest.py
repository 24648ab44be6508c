"""One Stripe double for the session, forgotten between tests, and clients that are Stripe's own library."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest
import stripe

from local.stripe_double import StripeDouble


@dataclass
class MovableClock:
    """The real time, moved forward by a test."""

    ahead: float = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead

    def advance(self, seconds: float) -> None:
        self.ahead += seconds


@dataclass(frozen=True)
class Answer:
    """A raw HTTP answer."""

    status: int
    headers: HTTPMessage
    body: Any


def call(method: str, url: str, form: Any = None, *, data: Any = None, **headers: str) -> Answer:
    """A call without Stripe's library: a form as a browser posts it, or JSON `data`."""
    address = urlsplit(url)
    with closing(HTTPConnection(address.netloc, timeout=5)) as connection:
        path = address.path + (f"?{address.query}" if address.query else "")
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        if data is None:
            names.setdefault("Content-Type", "application/x-www-form-urlencoded")
        body = urlencode(form or {}) if data is None else json.dumps(data)
        connection.request(method, path, None if method == "GET" else body, names)
        answer = connection.getresponse()
        return Answer(answer.status, answer.headers, json.loads(answer.read()))


@pytest.fixture(scope="session")
def stripe_clock() -> MovableClock:
    return MovableClock()


@pytest.fixture(scope="session")
def _running_double(stripe_clock: MovableClock) -> Iterator[StripeDouble]:
    with StripeDouble.running(clock=stripe_clock, retries=(10.0, 60.0), bank_delay=60) as double:
        yield double


@pytest.fixture
def double(_running_double: StripeDouble, stripe_clock: MovableClock) -> StripeDouble:
    """A Stripe that remembers nothing yet."""
    stripe_clock.ahead = 0.0
    _running_double.reset()
    return _running_double


@pytest.fixture
def connect(double: StripeDouble) -> Iterator[Callable[..., stripe.StripeClient]]:
    """Make clients: Stripe's library, aimed at the double."""
    opened: list[stripe.RequestsClient] = []

    def connect(**options: Any) -> stripe.StripeClient:
        http = stripe.RequestsClient(timeout=options.pop("timeout", 5))
        opened.append(http)
        options = {"api_key": double.secret_key, "max_network_retries": 0, **options}
        return stripe.StripeClient(http_client=http, base_addresses={"api": double.url}, **options)

    yield connect
    for http in opened:
        http.close()  # type: ignore[no-untyped-call]


@pytest.fixture
def client(connect: Callable[..., stripe.StripeClient]) -> stripe.StripeClient:
    """The merchant's server, which never tries twice."""
    return connect()


@pytest.fixture
def new_intent(client: stripe.StripeClient) -> Callable[..., stripe.PaymentIntent]:
    """A card payment of 45.00 $ to make."""

    def new_intent(**params: Any) -> stripe.PaymentIntent:
        return client.v1.payment_intents.create(
            {"amount": 4500, "currency": "cad", "allowed_payment_method_types": ["card"], **params}  # type: ignore[typeddict-item]
        )

    return new_intent


@pytest.fixture
def pay(new_intent: Callable[..., stripe.PaymentIntent]) -> Callable[..., stripe.PaymentIntent]:
    """A payment made at once."""

    def pay(card: str = "pm_card_visa", **params: Any) -> stripe.PaymentIntent:
        return new_intent(payment_method=card, confirm=True, **params)

    return pay


@pytest.fixture
def told(double: StripeDouble) -> Callable[[], list[str]]:
    """The types of the events so far, oldest first."""
    return lambda: [event["type"] for event in double.all("event")]


@dataclass
class Inbox:
    """A merchant's webhook endpoint that keeps what it receives and answers what a test wants."""

    url: str = ""
    answers: list[int] = field(default_factory=list)
    received: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    arrived: threading.Condition = field(default_factory=threading.Condition)

    def wait_for(self, count: int) -> list[tuple[dict[str, str], bytes]]:
        with self.arrived:
            assert self.arrived.wait_for(lambda: len(self.received) >= count, timeout=5)
            return list(self.received)

    def types(self, count: int) -> list[str]:
        return [json.loads(body)["type"] for _, body in self.wait_for(count)]


@pytest.fixture(scope="session")
def _inbox_server() -> Iterator[tuple[Inbox, str]]:
    inbox = Inbox()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            with inbox.arrived:
                inbox.received.append((dict(self.headers), body))
                status = inbox.answers.pop(0) if inbox.answers else 200
                inbox.arrived.notify_all()
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *arguments: Any) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield inbox, f"http://127.0.0.1:{server.server_port}/webhooks"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def inbox(_inbox_server: tuple[Inbox, str], double: StripeDouble) -> Iterator[Inbox]:
    """An endpoint registered at the double for every event."""
    inbox, url = _inbox_server
    inbox.url = url
    inbox.answers.clear()
    inbox.received.clear()
    endpoint = double.webhooks.register(url, secret="whsec_inbox")
    yield inbox
    double.webhooks.unregister(endpoint)
