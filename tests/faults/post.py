"""Stripe's messages on their way to the API: passed on as they are, and each answer held to the contract."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPException
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

from tests.faults.contract import NO_ANSWER, Exchange
from tests.faults.pulse import Pulse
from tests.faults.tally import Tally

PATH = "/v1/stripe/webhook"
PATIENCE_SECONDS = 35.0
PASSED_ON = ("content-type", "stripe-signature", "user-agent")


class Post:
    """Where the Stripe double posts. Until it is told where the API is, and who counts, it only passes nothing on."""

    def __init__(self, address: str) -> None:
        self.url = f"{address}{PATH}"
        self._api = ""
        self._tally: Tally | None = None
        self._pulse: Pulse | None = None

    def begin(self, api: str, tally: Tally, pulse: Pulse) -> None:
        self._api, self._tally, self._pulse = api, tally, pulse

    def deliver(self, headers: dict[str, str], body: bytes) -> int:
        """Pass a message on; answers the status of the API, or 502 when there was none."""
        if self._tally is None or self._pulse is None:
            return 502
        fault = self._tally.fault
        exchange = self._send(headers, body)
        self._tally.answered(fault, exchange, self._pulse.slack(exchange.sent, exchange.answered))
        return exchange.status or 502

    def _send(self, headers: dict[str, str], body: bytes) -> Exchange:
        connection = HTTPConnection(urlsplit(self._api).netloc, timeout=PATIENCE_SECONDS)
        sent = time.time()
        try:
            connection.request("POST", PATH, body, headers)
            answer = connection.getresponse()
            text = answer.read().decode()
        except (OSError, HTTPException) as error:
            why = f"no answer: {type(error).__name__}"
            return Exchange("Stripe", "POST", PATH, NO_ANSWER, {}, why, sent, time.time())
        finally:
            connection.close()
        found = {name.lower(): value for name, value in answer.getheaders()}
        return Exchange("Stripe", "POST", PATH, answer.status, found, text, sent, time.time())


@contextmanager
def open_post() -> Iterator[Post]:
    """A post office on a free port."""

    class Counter(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            status = post.deliver({name: self.headers[name] for name in PASSED_ON}, body)
            self.send_response(status)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Nothing of each message."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Counter)
    post = Post(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, name="post", daemon=True)
    thread.start()
    try:
        yield post
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
