"""One POST to a configured address: to an allowed, public host only, within a time that nothing stretches.

A socket's own timeout begins anew with every byte, so a receiver that drips could hold us for hours. Here the whole
exchange has a deadline, at which its connection is cut.
"""

import ipaddress
import select
import socket
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from http.client import HTTPConnection, HTTPException, HTTPResponse, InvalidURL
from threading import Timer
from time import perf_counter
from urllib.parse import SplitResult, urlsplit

from adapters.settings import optional_setting

CONNECT_TIMEOUT_SECONDS = 3
MAX_ANSWER_BYTES = 4096


class Misconfigured(Exception):
    """A URL or header that nothing can be posted to or with; says why without naming it."""


@dataclass(frozen=True, slots=True)
class Answer:
    """`text` is the beginning of what the receiver said, MAX_ANSWER_BYTES at most; header names are lower case."""

    status: int
    headers: Mapping[str, str]
    text: str


class Line(HTTPConnection):
    """A connection to the very address that was looked at: a name cannot turn private between two look-ups."""

    def __init__(self, parts: SplitResult, address: str, port: int) -> None:
        super().__init__(parts.hostname or "", port)
        self._address = address
        self._is_private = parts.scheme == "http"
        self._wire: socket.socket | None = None

    def connect(self) -> None:
        self.sock = socket.create_connection((self._address, self.port), CONNECT_TIMEOUT_SECONDS)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if not self._is_private:
            self.sock = _tls().wrap_socket(self.sock, server_hostname=self.host)
        self._wire = self.sock

    @property
    def is_fresh(self) -> bool:
        """Whether it is still open: what a receiver says unasked is good-bye."""
        return self.sock is not None and not select.select([self.sock], [], [], 0)[0]

    @contextmanager
    def cut_after(self, seconds: float) -> Iterator[None]:
        """Cut the connection after so many seconds, in the middle of whatever it is at."""
        if seconds <= 0:
            raise TimeoutError
        self.sock.settimeout(seconds)
        timer = Timer(seconds, self._cut)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()

    def _cut(self) -> None:
        """Below TLS, whose own farewell would wait for the receiver's."""
        if self._wire:
            with suppress(OSError):
                socket.socket.shutdown(self._wire, socket.SHUT_RDWR)


class Poster:
    """Posts, and keeps a connection to each address it has posted to."""

    def __init__(self) -> None:
        self._idle: dict[tuple[str, str, str, int], Line] = {}

    def post(self, url: str, body: bytes, headers: Mapping[str, str], seconds: float) -> Answer:
        """The answer to one POST; redirects are not followed. Never takes much longer than `seconds`.

        Raises Misconfigured for a URL or header that cannot be; HTTPException or OSError (TimeoutError, when the
        time was up) for what went wrong on the way.
        """
        deadline = perf_counter() + seconds
        parts = split(url)
        key = (parts.scheme, parts.netloc, *checked_address(parts))
        line = self._idle.pop(key, None)
        if line is None or not line.is_fresh:
            line = Line(parts, *key[2:])
        try:
            if line.sock is None:
                line.connect()
            with line.cut_after(deadline - perf_counter()):
                answer, text = _exchange(line, parts, body, headers)
        except BaseException as error:
            line.close()
            if isinstance(error, HTTPException | OSError) and perf_counter() >= deadline:
                raise TimeoutError from error
            raise
        if answer.isclosed() and line.is_fresh:  # read to its end: the next answer begins where it ended
            self._idle[key] = line
        else:
            answer.close()
            line.close()
        return Answer(answer.status, {name.lower(): value for name, value in answer.getheaders()}, text)


def split(url: str) -> SplitResult:
    """The parts of a URL. Raises Misconfigured when it has no scheme or no host."""
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise Misconfigured("the URL is not one") from error
    if not (parts.scheme and parts.hostname):
        raise Misconfigured("the URL lacks its https:// or its host")
    return parts


def checked_address(parts: SplitResult) -> tuple[str, int]:
    """Where to connect. Raises Misconfigured for what is not https to a public address of an allowed host.

    A host of WEBHOOK_PRIVATE_HOSTS may be private and without TLS: the inbox of a stack on one machine.
    """
    port = allowed_port(parts)
    found = sorted(
        socket.getaddrinfo(parts.hostname, port, type=socket.SOCK_STREAM),
        key=lambda one: one[0] != socket.AF_INET,
    )
    addresses = [str(address[0]) for *_, address in found]
    if not _may_be_private(parts) and not all(
        ipaddress.ip_address(address).is_global for address in addresses
    ):
        raise Misconfigured("the host has a private address")
    return addresses[0], port


def allowed_port(parts: SplitResult) -> int:
    """The port of a URL that may be called as far as its text shows. Raises Misconfigured otherwise."""
    if parts.hostname not in _hosts("WEBHOOK_ALLOWED_HOSTS") or parts.username is not None:
        raise Misconfigured("the URL is not on the allow-list")
    if parts.scheme != "https" and not (parts.scheme == "http" and _may_be_private(parts)):
        raise Misconfigured("the URL is not https")
    try:
        return parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError as error:
        raise Misconfigured("the URL has no such port") from error


def _exchange(
    line: Line, parts: SplitResult, body: bytes, headers: Mapping[str, str]
) -> tuple[HTTPResponse, str]:
    path = f"{parts.path or '/'}{'?' if parts.query else ''}{parts.query}"
    try:
        line.request("POST", path, body, {"host": parts.netloc, **headers})
    except (ValueError, InvalidURL) as error:
        raise Misconfigured("the URL or the API key has characters it cannot have") from error
    answer = line.getresponse()
    return answer, _beginning(answer)


def _beginning(answer: HTTPResponse) -> str:
    """The status has come; that the rest breaks off or drips does not unsay it."""
    try:
        return answer.read(MAX_ANSWER_BYTES).decode(errors="replace")
    except (HTTPException, OSError):
        return ""


def _may_be_private(parts: SplitResult) -> bool:
    return parts.hostname in _hosts("WEBHOOK_PRIVATE_HOSTS")


def _hosts(name: str) -> list[str]:
    return [host for host in optional_setting(name).split(",") if host]


@cache
def _tls() -> ssl.SSLContext:
    return ssl.create_default_context()
