"""Many clients in a few processes, doing one thing to one database: `python -m bench.rivals`, driven by `rate`."""

import json
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from time import perf_counter
from typing import Any
from uuid import UUID, uuid4

import psycopg

from domain.accounts.callers import Buyer
from domain.cart.add_items import add_items
from domain.cart.models import WantedSession

WARM_UP = 20


def rate(
    what: str, url: str, times: Sequence[tuple[UUID, UUID, datetime]], clients: int, processes: int
) -> float:
    """How many times a second it is done, all clients together; `what` is a key of DEEDS."""
    share = len(times) // processes
    jobs = []
    for place in range(processes):
        mine = times[place * share : (place + 1) * share]
        plain = [[str(course), str(tutor), start.isoformat()] for course, tutor, start in mine]
        job = subprocess.Popen(  # noqa: S603  our own module
            [sys.executable, "-m", "bench.rivals", what, url, str(clients // processes)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert job.stdin is not None
        job.stdin.write(json.dumps(plain) + "\n")
        job.stdin.flush()
        jobs.append(job)
    for job in jobs:
        assert job.stdout is not None
        job.stdout.readline()  # warm
    began = perf_counter()
    for job in jobs:
        assert job.stdin is not None
        job.stdin.write("go\n")
        job.stdin.flush()
    for job in jobs:
        assert job.stdout is not None
        assert job.stdout.readline() == "done\n"
    seconds = perf_counter() - began
    for job in jobs:
        job.communicate()
    return (len(times) - WARM_UP * clients) / seconds


def insert(connection: psycopg.Connection[Any], _course: UUID, tutor: UUID, start: datetime) -> None:
    connection.execute(
        """
        INSERT INTO time_claims (id, tutor_id, during, kind, expires_at)
        VALUES (%s, %s, tstzrange(%s, %s), 'hold', %s) ON CONFLICT DO NOTHING
        """,
        (uuid4(), tutor, start, start + timedelta(hours=1), start),
    )


def add(connection: psycopg.Connection[Any], course: UUID, _tutor: UUID, start: datetime) -> None:
    wanted = WantedSession(course_id=course, start=start, duration_min=60)
    guest = Buyer.guest(str(uuid4()))
    add_items(connection, guest, lambda: guest, [wanted], datetime.now(UTC))


DEEDS: dict[str, Callable[[psycopg.Connection[Any], UUID, UUID, datetime], None]] = {
    "insert": insert,
    "add": add,
}


def main(what: str, url: str, clients: int) -> None:
    """Read the times from standard input, warm up, wait for the word, and do it."""
    times = [
        (UUID(course), UUID(tutor), datetime.fromisoformat(start))
        for course, tutor, start in json.loads(sys.stdin.readline())
    ]
    share = len(times) // clients
    ready, go = threading.Barrier(clients + 1), threading.Event()

    def client(mine: Sequence[tuple[UUID, UUID, datetime]]) -> None:
        with psycopg.connect(url, autocommit=True) as connection:
            for time in mine[:WARM_UP]:
                DEEDS[what](connection, *time)
            ready.wait()
            go.wait()
            for time in mine[WARM_UP:]:
                DEEDS[what](connection, *time)

    threads = [
        threading.Thread(target=client, args=(times[place * share : (place + 1) * share],))
        for place in range(clients)
    ]
    for thread in threads:
        thread.start()
    ready.wait()
    print("warm", flush=True)
    sys.stdin.readline()
    go.set()
    for thread in threads:
        thread.join()
    print("done", flush=True)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
