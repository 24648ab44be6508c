"""The process dies anywhere between the booking and Make's 200: bookings and events agree (e.3-1, B-1).

CRASH_RUNS says how many times at each point; `make soak` has a hundred.
"""

import os
from collections.abc import Iterator
from datetime import datetime, timedelta
from uuid import uuid4

import psycopg
import pytest

from adapters.make import MakeReceiver
from domain.webhooks import outcomes
from domain.webhooks.delivery import Delivery, Failure
from tests.conftest import Database
from tests.support.delivering import Delivering
from tests.support.receiver import receiving

RUNS = int(os.environ.get("CRASH_RUNS", "5"))
POINTS = [
    "before commit",
    "after commit",
    "after nudge",
    "after claim",
    "after Make's 200",
    "before result commit",
]
SECRET = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="


class Killed(BaseException):
    """The end of the process: nothing catches it."""


class Dying(MakeReceiver):
    """Dies before or after its post; what PostgreSQL knows is all that is left."""

    point = ""

    def post(self, delivery: Delivery, now: datetime) -> Failure | None:
        if self.point == "after claim":
            raise Killed
        failure = super().post(delivery, now)
        if self.point == "after Make's 200":
            raise Killed
        return failure


@pytest.fixture
def delivering(database: Database, monkeypatch: pytest.MonkeyPatch) -> Iterator[Delivering]:
    monkeypatch.setenv("WEBHOOK_ALLOWED_HOSTS", "127.0.0.1")
    monkeypatch.setenv("WEBHOOK_PRIVATE_HOSTS", "127.0.0.1")
    with receiving() as make, psycopg.connect(database.url, autocommit=True) as connection:
        monkeypatch.setenv("MAKE_BOOKING_WEBHOOK_URL", f"{make.url}/booking")
        monkeypatch.setenv("MAKE_BOOKING_WEBHOOK_SECRET", SECRET)
        connection.execute("CREATE TABLE business (id text PRIMARY KEY)")
        yield Delivering(connection, make, Dying())


@pytest.mark.parametrize("point", POINTS)
def test_whatever_is_booked_is_told_and_nothing_else(
    delivering: Delivering, database: Database, monkeypatch: pytest.MonkeyPatch, point: str
) -> None:
    for _ in range(RUNS):
        lives_until(delivering, database, monkeypatch, point)
        delivering.queue.clear()  # the worst: SQS forgot, too
        delivering.pass_time(minutes=12)

    booked = {row[0] for row in delivering.connection.execute("SELECT id FROM business")}
    told = {key for (key,) in delivering.rows("dedupe_key")}
    assert booked == told
    assert len(booked) == (0 if point == "before commit" else RUNS)
    assert set(delivering.delivered_ids) == {event_id for (event_id,) in delivering.rows("event_id")}
    assert delivering.statuses() == ({"delivered": RUNS} if booked else {})
    twice = point in ("after Make's 200", "before result commit")
    assert len(delivering.make.posted) == len(booked) * (2 if twice else 1)
    assert len({request.body for request in delivering.make.posted}) == len(booked)


def lives_until(
    delivering: Delivering, database: Database, monkeypatch: pytest.MonkeyPatch, point: str
) -> None:
    """A process of its own connection, which ends with it: PostgreSQL rolls back what it had begun."""
    survivor, receiver = delivering.connection, delivering.receiver
    assert isinstance(receiver, Dying)
    with psycopg.connect(database.url, autocommit=True) as connection, monkeypatch.context() as patched:
        delivering.connection, receiver.point = connection, point
        if point == "before result commit":
            patched.setattr(outcomes, "_close", _die)
        try:
            books(delivering, point)
            delivering.relay()
            if point == "after nudge":
                raise Killed
            delivering.dispatch_until(delivering.now + timedelta(seconds=1))
        except Killed:
            connection.close()
    delivering.connection, receiver.point = survivor, ""


def books(delivering: Delivering, point: str) -> None:
    key = f"booking.created:{uuid4()}"
    with delivering.connection.transaction():
        delivering.connection.execute("INSERT INTO business VALUES (%s)", (key,))
        delivering.tell("booking.created", dedupe_key=key)
        if point == "before commit":
            raise Killed
    if point == "after commit":
        raise Killed


def _die(*_: object) -> None:
    raise Killed
