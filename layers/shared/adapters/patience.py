"""How long a thread waits for PostgreSQL: what a server cannot know is that its answers do not arrive any more."""

import threading
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from math import inf
from typing import Any

import psycopg

REQUEST_SECONDS = 6.0
"""How long a request waits for the database altogether, the attempt to connect included."""

JOB_SECONDS = 27.0
"""How long a schedule or the queue waits for one answer of the database: the server ends its work before."""


@dataclass
class Patience:
    """How long is waited for one answer of the database, and for all of them together, in seconds."""

    at_once: float = inf
    altogether: float = inf
    spent: float = 0.0

    @property
    def left(self) -> float:
        return max(0.0, min(self.at_once, self.altogether - self.spent))

    @contextmanager
    def being_spent(self) -> Iterator[None]:
        began = time.monotonic()
        try:
            yield
        finally:
            self.spent += time.monotonic() - began


_of_thread = threading.local()


@contextmanager
def waiting_at_most(at_once: float, altogether: float = inf) -> Iterator[None]:
    """Whatever this thread asks of the database in the block is waited for so many seconds at most."""
    before, _of_thread.patience = current(), Patience(at_once, altogether)
    try:
        yield
    finally:
        _of_thread.patience = before


def current() -> Patience:
    """This thread's; outside of any block it has no end."""
    found: Patience | None = getattr(_of_thread, "patience", None)
    return found or Patience()


class ServerSilent(psycopg.OperationalError):
    """The server did not answer for as long as somebody would have waited."""


class Timely(psycopg.Connection[Any]):
    """A connection that is closed when its server is silent for longer than its thread has patience."""

    def wait[R](self, gen: Generator[Any, Any, R], *options: Any, **named: Any) -> R:
        patience = current()
        left = patience.left
        if left == inf:
            return super().wait(gen, *options, **named)
        began = time.monotonic()
        try:
            with patience.being_spent():
                return super().wait(gen, *options, **named | {"timeout": left})
        except psycopg.OperationalError as error:
            if error.sqlstate or time.monotonic() - began < left:
                raise
            self.close()  # nobody knows what it would say next
            raise ServerSilent from None
