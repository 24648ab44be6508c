"""Two things at the same time, without waiting by the clock: threads start together, rivals wait on a lock."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg import Connection

PATIENCE_SECONDS = 20


def at_once[T](*actions: Callable[[], T]) -> list[Future[T]]:
    """Run every action in a thread of its own, all let go together; all have ended when this answers."""
    start = threading.Barrier(len(actions))

    def run(action: Callable[[], T]) -> T:
        start.wait(PATIENCE_SECONDS)
        return action()

    with ThreadPoolExecutor(len(actions)) as threads:
        return [threads.submit(run, action) for action in actions]


@contextmanager
def while_locked(url: str, statement: str, waiting: int) -> Iterator[Callable[[], None]]:
    """Hold the rows `statement` locks; calling what is yielded lets go once `waiting` others wait for a lock.

    Fails at the end when they never did: then nothing raced.
    """
    missing: list[TimeoutError] = []
    with psycopg.connect(url) as holder, psycopg.connect(url, autocommit=True) as watcher:
        holder.execute(statement)

        def let_go() -> None:
            try:
                until_blocked(watcher, waiting)
            except TimeoutError as error:
                missing.append(error)
            holder.rollback()

        yield let_go
    if missing:
        raise missing[0]


@contextmanager
def uncommitted(url: str) -> Iterator[Connection[Any]]:
    """A connection in a transaction that stays open until its `commit`: a use case's own only nests in it."""
    with psycopg.connect(url) as connection:
        connection.execute("SELECT")
        yield connection


def until_blocked(watcher: Connection[Any], waiting: int) -> None:
    """Answer when so many connections of this database wait for a lock."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        row = watcher.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        ).fetchone()
        if row and row[0] >= waiting:
            return
    raise TimeoutError(f"{waiting} connections should be waiting for a lock")


def until_idle(watcher: Connection[Any]) -> None:
    """Answer when no other connection of this database is in a transaction: the server has buried its dead."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        row = watcher.execute(
            """
            SELECT count(*) FROM pg_stat_activity
             WHERE datname = current_database() AND pid <> pg_backend_pid() AND state <> 'idle'
            """
        ).fetchone()
        if row and row[0] == 0:
            return
    raise TimeoutError("some connection is still in a transaction")
