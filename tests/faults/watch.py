"""What PostgreSQL itself says is at work, looked at several times a second."""

import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg.rows import class_row

from tests.faults.line import Lines
from tests.faults.server import connect
from tests.faults.tally import Tally

EVERY_SECONDS = 0.25
LIMITS = {"booking_web": 8.0, "booking_jobs": 25.0}
"""Seconds that a transaction of a role lives (0034_roles.sql)."""
GRACE_SECONDS = 1.5


@dataclass(frozen=True, slots=True)
class Backend:
    """One process of the server that is not at rest; `seconds` is the age of its transaction."""

    pid: int
    role: str
    state: str
    seconds: float
    query: str


def at_work(connection: psycopg.Connection[Any]) -> list[Backend]:
    return (
        connection.cursor(row_factory=class_row(Backend))
        .execute(
            """
            SELECT pid, usename::text AS role, state,
                   extract(epoch FROM clock_timestamp() - xact_start)::float AS seconds,
                   left(regexp_replace(query, '\\s+', ' ', 'g'), 80) AS query
              FROM pg_stat_activity
             WHERE usename IN ('booking_web', 'booking_jobs') AND state <> 'idle' AND xact_start IS NOT NULL
               AND datname = current_database()
            """
        )
        .fetchall()
    )


def overdue(backends: list[Backend]) -> list[str]:
    """Those older than their role's limit, each as a sentence."""
    return [
        f"a {backend.state} backend of {backend.role} is {backend.seconds:.1f} s old: {backend.query}"
        for backend in backends
        if backend.seconds > LIMITS[backend.role] + GRACE_SECONDS
    ]


class Watch:
    """A thread that looks, and tells the tally of what is overdue; `longest_orphan` is how many seconds a backend was
    at work after its client was gone."""

    def __init__(self, database_url: str, lines: Lines, tally: Tally) -> None:
        self._url, self._lines, self._tally = database_url, lines, tally
        self._stopping = threading.Event()
        self._told: set[int] = set()
        self._thread = threading.Thread(target=self._look, name="watch", daemon=True)
        self.longest_orphan, self.orphan = 0.0, "none"

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._stopping.is_set():
            with suppress(psycopg.Error), connect(self._url) as connection:
                while not self._stopping.wait(EVERY_SECONDS):
                    self._judge(at_work(connection))
            self._stopping.wait(EVERY_SECONDS)

    def _judge(self, backends: list[Backend]) -> None:
        cut, now = self._lines.cut_pids(), time.time()
        for backend in backends:
            if backend.pid in cut and (alone := now - cut[backend.pid]) > self.longest_orphan:
                self.longest_orphan, self.orphan = (
                    alone,
                    f"{backend.role}, {backend.state}, {backend.query}",
                )
            if backend.pid not in self._told and (sentences := overdue([backend])):
                self._told.add(backend.pid)
                self._tally.violated(*sentences)
