"""One reminder a day before each session: at its time or as soon as a run can, never twice, never pointless."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg
import pytest
from psycopg import Connection
from psycopg.rows import dict_row

from domain.appointments.booked import By
from domain.appointments.change_status import cancel, reactivate
from domain.appointments.reminders import remind
from domain.appointments.reschedule import reschedule
from functions.reminders import app
from tests.conftest import Database
from tests.support.booked import book
from tests.support.browser import CONTEXT, hurried
from tests.support.race import uncommitted
from tests.support.rush import rush
from tests.support.school import School
from tests.support.tables import nothing_written
from tests.support.wire import counted
from tests.support.world import MONDAY_NOON, toronto

NOW = MONDAY_NOON
DAY = timedelta(hours=24)
HOUR = timedelta(hours=1)
QUARTER = timedelta(minutes=15)
LONG_AGO = NOW - timedelta(days=9)


@dataclass
class Diary:
    connection: Connection[Any]
    student: UUID
    tutor: UUID
    course: UUID
    admin: By

    def books(self, *starts: datetime, at: datetime = LONG_AGO) -> list[UUID]:
        return book(self.connection, self.student, self.tutor, self.course, starts, at)

    def moves(self, appointment: UUID, start: datetime, at: datetime) -> None:
        reschedule(self.connection, self.admin, appointment, start, None, "dev", at)

    def run(self, at: datetime, context: Any = CONTEXT) -> int:
        return app.lambda_handler({"time": at.isoformat()}, context)["reminders_sent"]

    def told(self) -> list[dict[str, Any]]:
        rows = self.connection.cursor(row_factory=dict_row).execute(
            "SELECT body FROM outbox WHERE type = 'appointment.reminder' ORDER BY created_at, event_id"
        )
        return [json.loads(bytes(row["body"])) for row in rows.fetchall()]

    def reminded(self) -> list[tuple[UUID, datetime]]:
        """Of which session, and of which time of it."""
        payloads = [event["payload"] for event in self.told()]
        return [
            (UUID(payload["appointment_id"]), datetime.fromisoformat(payload["start_local"]))
            for payload in payloads
        ]


@pytest.fixture
def diary(configured: Database) -> Iterator[Diary]:
    with psycopg.connect(configured.url, autocommit=True) as connection:
        school = School(connection)
        course = school.course()
        admin = By("admin", school.user("admin@exemple.ca", "admin"))
        yield Diary(connection, school.user(), school.tutor(course), course, admin)


def test_a_reminder_leaves_a_day_before_and_not_a_moment_sooner(diary: Diary) -> None:
    start = toronto(21, 9)
    [appointment] = diary.books(start)

    assert diary.run(start - DAY - timedelta.resolution) == 0
    assert diary.run(start - DAY) == 1
    assert diary.run(start - DAY + QUARTER) == 0
    assert diary.reminded() == [(appointment, start)]


@pytest.mark.parametrize("late", [QUARTER, HOUR, DAY - timedelta(seconds=1)])
def test_a_run_that_comes_late_catches_up_until_the_session_begins(diary: Diary, late: timedelta) -> None:
    start = toronto(21, 9)
    diary.books(start)

    assert diary.run(start - DAY + late) == 1


def test_a_session_that_has_begun_is_not_reminded_of(diary: Diary) -> None:
    start = toronto(21, 9)
    diary.books(start)

    with nothing_written(diary.connection):
        assert diary.run(start) == 0


@pytest.mark.parametrize(
    ("ahead", "reminders"), [(DAY + timedelta(seconds=1), 1), (DAY, 0), (timedelta(hours=12), 0)]
)
def test_who_booked_within_the_day_is_not_reminded(diary: Diary, ahead: timedelta, reminders: int) -> None:
    start = toronto(21, 9)
    diary.books(start, at=start - ahead)

    assert diary.run(start - 2 * HOUR) == reminders


CLOCK_CHANGES = [
    ("2027-03-14T12:00:00-04:00", "2027-03-13T11:00:00-05:00"),  # noon of the day that has 23 hours
    ("2027-11-07T12:00:00-05:00", "2027-11-06T13:00:00-04:00"),  # and of the one that has 25
]


@pytest.mark.parametrize(("start", "a_day_before"), CLOCK_CHANGES)
def test_a_day_is_24_hours_when_the_clocks_change(diary: Diary, start: str, a_day_before: str) -> None:
    diary.books(datetime.fromisoformat(start))

    assert diary.run(datetime.fromisoformat(a_day_before) - timedelta(seconds=1)) == 0
    assert diary.run(datetime.fromisoformat(a_day_before)) == 1
    assert [event["payload"]["start_local"] for event in diary.told()] == [start]


@pytest.mark.parametrize(("start", "a_day_before"), CLOCK_CHANGES)
@pytest.mark.parametrize(("earlier", "reminders"), [(timedelta(seconds=1), 1), (timedelta(), 0)])
def test_so_it_is_for_who_booked_within_it(
    diary: Diary, start: str, a_day_before: str, earlier: timedelta, reminders: int
) -> None:
    diary.books(datetime.fromisoformat(start), at=datetime.fromisoformat(a_day_before) - earlier)

    assert diary.run(datetime.fromisoformat(a_day_before) + HOUR) == reminders


def test_what_a_reminder_says(diary: Diary) -> None:
    start = toronto(21, 9)
    [appointment] = diary.books(start)
    diary.connection.execute("UPDATE appointments SET meeting_link = 'https://exemple.ca/salle'")

    diary.run(start - DAY)

    [event] = diary.told()
    payload = event["payload"]
    assert (event["type"], event["sequence"]) == ("appointment.reminder", 1)
    assert payload["appointment_id"] == str(appointment)
    assert (payload["start_datetime"], payload["start_local"]) == (
        "2027-01-21T14:00:00.000Z",
        "2027-01-21T09:00:00-05:00",
    )
    assert (payload["duration_min"], payload["tutor_name"]) == (60, "Mme Roy")
    assert payload["meeting_link"] == "https://exemple.ca/salle"
    assert (payload["student"]["email"], payload["tutor"]["id"]) == ("zoe@exemple.ca", str(diary.tutor))
    assert not [key for key in payload if "earnings" in key]


def test_a_cancelled_session_is_not_reminded_of(diary: Diary) -> None:
    start = toronto(21, 9)
    [appointment] = diary.books(start)
    cancel(diary.connection, diary.admin, appointment, None, "dev", NOW)

    with nothing_written(diary.connection):
        assert diary.run(start - DAY) == 0


def test_a_session_cancelled_and_taken_up_again_is_not_reminded_of_twice(diary: Diary) -> None:
    start = toronto(21, 9)
    [appointment] = diary.books(start)
    diary.run(start - DAY)
    cancel(diary.connection, diary.admin, appointment, None, "dev", start - DAY + HOUR)
    reactivate(diary.connection, diary.admin, appointment, None, start - DAY + 2 * HOUR)

    assert diary.run(start - DAY + 3 * HOUR) == 0


# --- Moved sessions ---------------------------------------------------------------------------------------------


def test_a_session_moved_to_a_later_time_after_its_reminder_has_another_for_that_time(diary: Diary) -> None:
    first, second = toronto(21, 9), toronto(25, 9)
    [appointment] = diary.books(first)
    diary.run(first - DAY)
    diary.moves(appointment, second, at=first - 3 * HOUR)

    assert diary.run(first - 2 * HOUR) == 0
    assert diary.run(second - DAY) == 1
    assert diary.run(second - HOUR) == 0
    assert diary.reminded() == [(appointment, first), (appointment, second)]


def test_even_if_whoever_moved_it_forgot_that_somebody_was_reminded(diary: Diary) -> None:
    first, second = toronto(21, 9), toronto(25, 9)
    [appointment] = diary.books(first)
    diary.run(first - DAY)
    diary.moves(appointment, second, at=first - 3 * HOUR)
    diary.connection.execute("UPDATE appointments SET reminder_sent_at = %s", [first - DAY])

    assert diary.run(second - DAY) == 1


def test_a_session_moved_to_within_the_day_has_none(diary: Diary) -> None:
    first, second = toronto(25, 9), toronto(21, 9)
    [appointment] = diary.books(first)
    diary.moves(appointment, second, at=second - DAY)

    assert diary.run(second - DAY) == 0
    assert diary.run(second - HOUR) == 0
    assert diary.run(first - DAY) == 0


def test_a_session_moved_to_a_nearer_day_in_time_has_one_for_that_day(diary: Diary) -> None:
    first, second = toronto(25, 9), toronto(21, 9)
    [appointment] = diary.books(first)
    diary.moves(appointment, second, at=second - DAY - timedelta(seconds=1))

    assert diary.run(second - DAY) == 1
    assert diary.run(first - DAY) == 0
    assert diary.reminded() == [(appointment, second)]


def test_a_reminder_of_one_time_cannot_be_told_twice_whatever_the_row_says(diary: Diary) -> None:
    start = toronto(21, 9)
    [appointment] = diary.books(start)
    diary.run(start - DAY)
    diary.connection.execute("UPDATE appointments SET reminder_sent_at = NULL")

    diary.run(start - DAY + HOUR)

    assert diary.reminded() == [(appointment, start)]


# --- Batches and rivals -----------------------------------------------------------------------------------------


def test_a_run_stops_in_time_and_the_next_takes_up_the_rest(
    diary: Diary, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app, "BATCH", 4)
    appointments = diary.books(*[NOW + n * HOUR for n in range(1, 11)])
    left = iter([60_000, 9_000])

    assert diary.run(NOW, hurried(left)) == 4
    assert {appointment for appointment, _ in diary.reminded()} == set(appointments[:4])
    assert diary.run(NOW) == 6
    assert sorted(appointment for appointment, _ in diary.reminded()) == sorted(appointments)


def test_a_batch_is_four_statements_whatever_its_size(diary: Diary, configured: Database) -> None:
    diary.books(*[NOW + n * HOUR for n in range(1, 24)])
    with counted(configured) as wire, psycopg.connect(wire.url, autocommit=True) as worker:
        remind(worker, "dev", NOW, 1)
        for size in (1, 20):
            wire.reset()
            assert remind(worker, "dev", NOW, size) == size
            assert wire.statements == 4


def test_many_runs_at_once_remind_of_each_session_once(diary: Diary, configured: Database) -> None:
    appointments = diary.books(*[NOW + n * HOUR / 2 for n in range(2, 40, 2)])

    rush(configured.url, *[lambda connection: remind(connection, "dev", NOW, 4) for _ in range(8)])

    diary.run(NOW)
    assert sorted(appointment for appointment, _ in diary.reminded()) == sorted(appointments)


def test_a_session_somebody_is_moving_waits_and_is_judged_as_it_was_left(
    diary: Diary, configured: Database
) -> None:
    first, second = toronto(19, 9), toronto(19, 15)
    [appointment] = diary.books(first)
    with uncommitted(configured.url) as tutor:
        reschedule(tutor, diary.admin, appointment, second, None, "dev", NOW)
        assert diary.run(NOW) == 0
        tutor.commit()

    assert diary.run(NOW + QUARTER) == 0
    assert diary.reminded() == []
