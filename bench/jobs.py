"""What a schedule does in one run when much is due: 10 000 sessions to complete, 10 000 to remind people of."""

import tracemalloc
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from time import perf_counter
from typing import Any

import psycopg
from psycopg import Connection

from bench.stage import migrated_database
from bench.table import Row
from domain.appointments.completion import complete_past
from domain.appointments.reminders import remind
from tests.support.booked import book
from tests.support.school import School
from tests.support.wire import counted

SESSIONS, PEOPLE, BATCH = 10_000, 500, 500
NOW = datetime(2027, 1, 18, 17, tzinfo=UTC)
HOUR = timedelta(hours=1)

type Job = Callable[[Connection[Any], int], int]


@dataclass(frozen=True, slots=True)
class Address:
    url: str


def rows() -> Iterable[Row]:
    """Rows a second, statements of a batch, and the memory it takes."""
    with migrated_database() as url:
        with psycopg.connect(url, autocommit=True) as connection:
            fill(connection)
        yield from measure(
            url, "completing", lambda connection, size: complete_past(connection, "dev", NOW, size)
        )
        yield from measure(url, "reminding of", lambda connection, size: remind(connection, "dev", NOW, size))


def measure(url: str, doing: str, job: Job) -> Iterable[Row]:
    """The first batches of a job are counted and weighed, the rest are timed."""
    with counted(Address(url)) as wire, psycopg.connect(wire.url, autocommit=True) as connection:
        job(connection, 1)
        wire.reset()
        tracemalloc.start()
        job(connection, BATCH)
        statements, (_, peak) = wire.statements, tracemalloc.get_traced_memory()
        tracemalloc.stop()
    with psycopg.connect(url, autocommit=True) as connection:
        done, began = 0, perf_counter()
        while batch := job(connection, BATCH):
            done += batch
        seconds = perf_counter() - began
    assert done == SESSIONS - BATCH - 1, done
    yield Row(f"{doing} {SESSIONS} sessions, {BATCH} at a time", done / seconds, "/s", at_least=500)
    yield Row("  a batch", statements, "statements", at_most=4)
    yield Row("  a batch takes at most", peak / 2**20, "MB", at_most=32)


def fill(connection: Connection[Any]) -> None:
    """As many sessions that are over as sessions that begin within a day, of tutors who never sleep."""
    school = School(connection)
    course = school.course()
    tutors = [school.tutor(course, hours=None) for _ in range(PEOPLE)]
    students = [school.user(f"{number}@exemple.ca") for number in range(PEOPLE)]
    booked_at = NOW - timedelta(days=9)
    with connection.transaction():
        for tutor, student in zip(tutors, students, strict=True):
            past = [NOW - HOUR * (place + 2) for place in range(SESSIONS // PEOPLE)]
            coming = [NOW + HOUR * (place + 1) for place in range(SESSIONS // PEOPLE)]
            book(connection, student, tutor, course, past + coming, booked_at)
    connection.execute("VACUUM ANALYZE")
