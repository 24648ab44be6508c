"""Clients that cost little: prepared HTTP requests over kept connections, all from one selector."""

import selectors
import socket
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from time import perf_counter

END_OF_HEADERS = b"\r\n\r\n"


@dataclass
class Answers:
    """What came back: each request's status and milliseconds, and the seconds the whole took."""

    statuses: list[int] = field(default_factory=list)
    milliseconds: list[float] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def per_second(self) -> float:
        return len(self.statuses) / self.seconds


def post(path: str, host: str, body: bytes) -> bytes:
    """A POST as it goes over the wire."""
    return (
        f"POST {path} HTTP/1.1\r\nhost: {host}\r\ncontent-type: application/json\r\n"
        f"content-length: {len(body)}\r\n\r\n"
    ).encode() + body


def fire(address: tuple[str, int], requests: Sequence[bytes], clients: int) -> Answers:
    """Send every request once; each client sends its next as soon as it has its answer."""
    waiting, answers = iter(requests), Answers()
    with selectors.DefaultSelector() as selector:
        connections = [socket.create_connection(address) for _ in range(clients)]
        began = perf_counter()
        for connection in connections:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            _send_next(selector, connection, waiting)
        while selector.get_map():
            for key, _ in selector.select():
                _receive(selector, key, waiting, answers)
        answers.seconds = perf_counter() - began
        for connection in connections:
            connection.close()
    return answers


@dataclass
class _Exchange:
    sent_at: float
    received: bytearray = field(default_factory=bytearray)


def _send_next(selector: selectors.BaseSelector, connection: socket.socket, waiting: Iterator[bytes]) -> None:
    request = next(waiting, None)
    if request is not None:
        selector.register(connection, selectors.EVENT_READ, _Exchange(perf_counter()))
        connection.sendall(request)


def _receive(
    selector: selectors.BaseSelector,
    key: selectors.SelectorKey,
    waiting: Iterator[bytes],
    answers: Answers,
) -> None:
    connection, exchange = key.fileobj, key.data
    assert isinstance(connection, socket.socket)
    exchange.received += connection.recv(65536)
    head, found, body = bytes(exchange.received).partition(END_OF_HEADERS)
    if found and len(body) >= _content_length(head):
        answers.statuses.append(int(head[9:12]))
        answers.milliseconds.append((perf_counter() - exchange.sent_at) * 1000)
        selector.unregister(connection)
        _send_next(selector, connection, waiting)


def _content_length(head: bytes) -> int:
    lowered = head.lower()
    start = lowered.index(b"content-length:") + len(b"content-length:")
    return int(lowered[start:].split(b"\r\n", 1)[0])
