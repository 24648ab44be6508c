"""A receiver that says exactly these bytes, at the pace the test wants, over TLS if it asks."""

import socket
import ssl
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import repeat
from threading import Event, Thread

SECONDS_BETWEEN_DRIPS = 0.02


@dataclass
class RawReceiver:
    """`said` is how many bytes each connection was given before it ended, in the order they ended."""

    port: int
    connections: int = 0
    requests: int = 0
    said: list[int] = field(default_factory=list)


type Speech = Callable[[], Iterable[bytes]]


def dripping(beginning: bytes = b"") -> Speech:
    """The beginning at once, then a byte now and then, for ever."""

    def speech() -> Iterable[bytes]:
        yield beginning
        yield from repeat(b"x")

    return speech


def saying(*parts: bytes) -> Speech:
    return lambda: parts


def took_request(wire: socket.socket) -> bool:
    """Read one request to its end; False when there is none any more."""
    with wire.makefile("rb", buffering=0) as heard:
        length = 0
        while line := heard.readline().strip():
            if line.lower().startswith(b"content-length:"):
                length = int(line.partition(b":")[2])
        return len(heard.read(length) or b"") > 0


@contextmanager
def speaking(
    speech: Speech, *, pause: float = SECONDS_BETWEEN_DRIPS, tls: ssl.SSLContext | None = None
) -> Iterator[RawReceiver]:
    """Answers each request with a speech, until it ends or the caller has hung up."""
    stopped, threads, wires = Event(), list[Thread](), list[socket.socket]()

    def answer(caller: socket.socket) -> None:
        said = 0
        with suppress(OSError), tls.wrap_socket(caller, server_side=True) if tls else caller as wire:
            wires.append(wire)
            while took_request(wire):
                receiver.requests += 1
                for part in speech():
                    wire.sendall(part)
                    said += len(part)
                    if stopped.wait(pause):
                        return
        receiver.said.append(said)

    def accept() -> None:
        while not stopped.is_set():
            with suppress(OSError):
                caller, _ = listening.accept()
                receiver.connections += 1
                threads.append(Thread(target=answer, args=(caller,), daemon=True))
                threads[-1].start()

    with socket.create_server(("127.0.0.1", 0)) as listening:
        receiver = RawReceiver(listening.getsockname()[1])
        accepting = Thread(target=accept, daemon=True)
        accepting.start()
        try:
            yield receiver
        finally:
            stopped.set()
            for one in (listening, *wires):
                with suppress(OSError):
                    socket.socket.shutdown(one, socket.SHUT_RDWR)
    for thread in (accepting, *threads):
        thread.join()
