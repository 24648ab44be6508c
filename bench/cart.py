"""Adding to a cart: over HTTP through two worker processes, and beside the bare INSERT it is made of."""

import json
import random
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, time, timedelta
from statistics import quantiles
from time import perf_counter
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import psycopg

from adapters import database
from bench import rivals
from bench.load import Answers, fire, post
from bench.stage import migrated_database
from bench.table import Row
from bench.timing import median, p95, time_ms
from domain.clock import TORONTO
from tests.support.browser import Browser
from tests.support.school import School

TUTORS, DAYS, HOURS = 50, 58, 12
CLIENTS, WORKERS, PROCESSES = 16, 2, 8
REQUESTS = 2_000
EARLIER = 1_000
RIVALS = 60

type Time = tuple[UUID, UUID, datetime]
"""A course, its tutor, a free start."""


def rows() -> Iterable[Row]:
    with migrated_database() as url:
        with psycopg.connect(url, autocommit=True) as connection:
            times = free_times(connection)
            open_for_business(connection, times)
        yield from over_http(times)
        yield from one_client(times)
        yield from beside_bare_insert(url, times)


def free_times(connection: psycopg.Connection) -> list[Time]:
    """Fifty courses with a tutor each, and every hour they are free, in random order."""
    school = School(connection)
    pairs = []
    with connection.transaction():
        for number in range(TUTORS):
            course = school.course(f"cours-{number}")
            pairs.append((course, school.tutor(course, hours=(time(8), time(20)))))
    tomorrow = datetime.now(UTC).astimezone(TORONTO).replace(hour=8, minute=0, second=0, microsecond=0)
    times = [
        (course, tutor, tomorrow + timedelta(days=day, hours=hour))
        for course, tutor in pairs
        for day in range(2, DAYS)
        for hour in range(HOURS)
    ]
    random.Random(3).shuffle(times)
    return times


def open_for_business(connection: psycopg.Connection, times: list[Time]) -> None:
    """Guests who came before: a table that is empty when it is analysed gets plans for empty tables."""
    for _ in range(EARLIER):
        rivals.add(connection, *times.pop())
    connection.execute("VACUUM ANALYZE")


def over_http(times: list[Time]) -> Iterable[Row]:
    with gateway() as address:
        fire(address, _requests(times, 300), CLIENTS)
        crowd = fire(address, _requests(times, REQUESTS), CLIENTS)
        alone = fire(address, _requests(times, 200), 1)
        rush = [_rush(address, times) for _ in range(5)]
    _expect(crowd, {201: REQUESTS})
    where = f"POST /v1/cart/items, HTTP, {WORKERS} workers"
    yield Row(f"{where}, {CLIENTS} clients, {TUTORS} tutors", crowd.per_second, "/s", at_least=500)
    yield Row("  p99", quantiles(crowd.milliseconds, n=100)[-1], at_most=60)
    yield Row("  alone (median)", median(alone.milliseconds), at_most=10)
    yield Row(f"{RIVALS} at once for one time, all answered", median(rush), "s", at_most=0.3)


def one_client(times: list[Time]) -> Iterable[Row]:
    """Through the handler in this process, and where the time goes."""
    visitor = Browser(lambda: datetime.now(UTC))

    def add() -> None:
        course, _, start = times.pop()
        visitor.cookies.clear()
        body = {"items": [{"course_id": str(course), "start": start.isoformat(), "duration_min": 60}]}
        assert visitor.post("/v1/cart/items", body).status == 201

    samples = time_ms(add, runs=300, warm_up=50)
    yield Row("add to cart through the handler, one client (p95)", p95(samples), at_most=10)
    with statements_timed() as spent:
        whole = time_ms(add, runs=200)
    yield Row("  whole (median)", median(whole))
    for statement, took in spent.items():
        yield Row(f"  of which {statement}", median(took))


def beside_bare_insert(url: str, times: list[Time]) -> Iterable[Row]:
    """The same number of clients in the same number of processes, on the same database, in turns."""
    bare, added = [], []
    for _ in range(3):
        bare.append(rivals.rate("insert", url, [times.pop() for _ in range(REQUESTS)], CLIENTS, PROCESSES))
        added.append(rivals.rate("add", url, [times.pop() for _ in range(REQUESTS)], CLIENTS, PROCESSES))
    yield Row(f"bare INSERT … ON CONFLICT, {CLIENTS} clients", median(bare), "/s")
    yield Row(f"add to cart, {CLIENTS} clients", median(added), "/s")
    share = median([100 * mine / floor for mine, floor in zip(added, bare, strict=True)])
    yield Row("  share of the bare INSERT", share, "%", at_least=25)


@contextmanager
def gateway() -> Iterator[tuple[str, int]]:
    """The HTTP API in worker processes, each answering one request at a time as a Lambda container does."""
    command = [sys.executable, "-m", "local.gateway", "--workers", str(WORKERS)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603  our own module
        try:
            assert process.stdout is not None
            address = urlsplit(process.stdout.readline().split()[0])
            yield str(address.hostname), int(address.port or 0)
        finally:
            process.terminate()


@contextmanager
def statements_timed() -> Iterator[dict[str, list[float]]]:
    """The milliseconds each statement of this process's connection takes while the block lasts."""
    spent: dict[str, list[float]] = defaultdict(list)
    names = {"timetables": "reading courses and cart", "put_in_cart": "holding and putting in"}

    class Timed(psycopg.Cursor[Any]):
        def execute(self, query: Any, *args: Any, **options: Any) -> "Timed":
            began = perf_counter()
            super().execute(query, *args, **options)
            name = next((name for part, name in names.items() if part in str(query)), "other statements")
            spent[name].append((perf_counter() - began) * 1000)
            return self

    connection = database.connection()
    connection.cursor_factory = Timed
    try:
        yield spent
    finally:
        connection.cursor_factory = psycopg.Cursor


def _requests(times: list[Time], count: int) -> list[bytes]:
    return [_request(*times.pop()) for _ in range(count)]


def _request(course: UUID, _tutor: UUID, start: datetime) -> bytes:
    session = {"course_id": str(course), "start": start.isoformat(), "duration_min": 60}
    return post("/v1/cart/items", "localhost", json.dumps({"items": [session]}).encode())


def _rush(address: tuple[str, int], times: list[Time]) -> float:
    """Everybody wants one time at once: one has it, the others are told."""
    answers = fire(address, [_request(*times.pop())] * RIVALS, RIVALS)
    _expect(answers, {201: 1, 409: RIVALS - 1})
    return answers.seconds


def _expect(answers: Answers, counts: dict[int, int]) -> None:
    seen = {status: answers.statuses.count(status) for status in set(answers.statuses)}
    assert seen == counts, seen
