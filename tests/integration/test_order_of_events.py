"""What is promised of order (b.5), and no more: numbers without a gap, and first attempts set off in their order."""

import json
from collections.abc import Iterator
from datetime import timedelta

import psycopg
import pytest

from adapters.make import MakeReceiver
from tests.conftest import Database
from tests.support.delivering import Delivering
from tests.support.receiver import receiving

SECRET = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="


@pytest.fixture
def delivering(database: Database, monkeypatch: pytest.MonkeyPatch) -> Iterator[Delivering]:
    monkeypatch.setenv("WEBHOOK_ALLOWED_HOSTS", "127.0.0.1")
    monkeypatch.setenv("WEBHOOK_PRIVATE_HOSTS", "127.0.0.1")
    with receiving() as make, psycopg.connect(database.url, autocommit=True) as connection:
        monkeypatch.setenv("MAKE_BOOKING_WEBHOOK_URL", f"{make.url}/booking")
        monkeypatch.setenv("MAKE_BOOKING_WEBHOOK_SECRET", SECRET)
        yield Delivering(connection, make, MakeReceiver())


def arrived(delivering: Delivering) -> list[tuple[str, int]]:
    """The type and number of each event, in order of arrival."""
    bodies = [json.loads(request.body) for request in delivering.make.posted]
    return [(body["type"], body["sequence"]) for body in bodies]


def test_first_attempts_set_off_in_the_sequence_of_their_aggregate(delivering: Delivering) -> None:
    for _ in range(4):
        delivering.tell("booking.rescheduled", "appointment.completed", about="appointment:1")
        delivering.now += timedelta(seconds=1)
    delivering.pass_time(minutes=1)

    assert [number for _, number in arrived(delivering)] == list(range(1, 9))


def test_a_clock_that_is_late_does_not_change_the_sequence(delivering: Delivering) -> None:
    """The second to tell may have read its clock first: it waited for the aggregate."""
    for what in ("appointment:1", "appointment:2"):
        delivering.tell("booking.rescheduled", about=what)
        delivering.now -= timedelta(seconds=2)
        delivering.tell("appointment.completed", about=what)
    delivering.now += timedelta(minutes=1)
    delivering.pass_time(minutes=1)

    assert (
        sorted(arrived(delivering)) == [("appointment.completed", 2)] * 2 + [("booking.rescheduled", 1)] * 2
    )
    assert [number for _, number in arrived(delivering)] == [1, 2, 1, 2]


def test_an_event_that_fails_holds_no_later_one_back(delivering: Delivering) -> None:
    """No promise of arrival order: the later one arrives first, and its number says so."""
    delivering.make.answers = [422]
    delivering.tell("booking.rescheduled", about="appointment:1")
    delivering.tell("appointment.completed", about="appointment:1")
    delivering.pass_time(minutes=1)

    assert arrived(delivering) == [
        ("booking.rescheduled", 1),
        ("appointment.completed", 2),
        ("booking.rescheduled", 1),
    ]
    assert delivering.statuses() == {"delivered": 2}


def test_each_aggregate_has_numbers_of_its_own(delivering: Delivering) -> None:
    for what in ("appointment:1", "appointment:2"):
        delivering.tell("booking.rescheduled", "appointment.completed", about=what)
    delivering.pass_time(minutes=1)

    assert sorted(number for _, number in arrived(delivering)) == [1, 1, 2, 2]
