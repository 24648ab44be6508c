"""Sessions that are over: completed, earned and told of, once each, whoever else is at work on them."""

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

from adapters.jobs import RunFailed
from domain.appointments import change_status
from domain.appointments.booked import By
from domain.appointments.completion import complete_past
from domain.errors import Refused
from functions.appointment_completion import app
from tests.conftest import Database
from tests.support.booked import book
from tests.support.browser import CONTEXT, hurried
from tests.support.race import at_once, uncommitted
from tests.support.rush import rush
from tests.support.school import School
from tests.support.tables import nothing_written
from tests.support.wire import counted
from tests.support.world import MONDAY_NOON

NOW = MONDAY_NOON
LAST_WEEK = NOW - timedelta(days=7)
SECOND = timedelta(seconds=1)
HOUR = timedelta(hours=1)


@dataclass
class Lessons:
    connection: Connection[Any]
    student: UUID
    tutor: UUID
    course: UUID

    def ended(self, *ends: datetime) -> list[UUID]:
        """Sessions of an hour that ended at those times."""
        starts = [end - HOUR for end in ends]
        return book(self.connection, self.student, self.tutor, self.course, starts, LAST_WEEK)

    def many(self, count: int) -> list[UUID]:
        return self.ended(*[NOW - n * HOUR - SECOND for n in range(count)])

    def run(self, at: datetime = NOW, context: Any = CONTEXT) -> int:
        return app.lambda_handler({"time": at.isoformat()}, context)["appointments_completed"]

    def rows(self, statement: str, *values: Any) -> list[dict[str, Any]]:
        return self.connection.cursor(row_factory=dict_row).execute(statement, values).fetchall()

    def status(self, appointment: UUID) -> tuple[str, str]:
        """The appointment's, and its tutor's earnings'."""
        [row] = self.rows(
            "SELECT appointments.status::text, earnings.status::text AS earnings_status"
            "  FROM appointments JOIN earnings USING (order_item_id) WHERE appointments.id = %s",
            appointment,
        )
        return row["status"], row["earnings_status"]

    def told(self) -> list[dict[str, Any]]:
        """What Make.com will hear of completed sessions."""
        rows = self.rows("SELECT body FROM outbox WHERE type = 'appointment.completed' ORDER BY event_id")
        return [json.loads(bytes(row["body"])) for row in rows]

    def told_of(self) -> list[UUID]:
        return [UUID(event["payload"]["appointment_id"]) for event in self.told()]


@pytest.fixture
def lessons(configured: Database) -> Iterator[Lessons]:
    with psycopg.connect(configured.url, autocommit=True) as connection:
        school = School(connection)
        course = school.course()
        yield Lessons(connection, school.user(), school.tutor(course), course)


def test_a_session_that_ended_a_second_ago_is_completed_and_one_that_ends_now_is_not(
    lessons: Lessons,
) -> None:
    over, ending = lessons.ended(NOW - SECOND, NOW + HOUR)
    [ends_now] = lessons.ended(NOW - 5 * HOUR)

    assert lessons.run(NOW - 5 * HOUR) == 0
    assert lessons.status(ends_now) == ("scheduled", "scheduled")

    assert lessons.run() == 2
    assert lessons.status(over) == ("completed", "earned")
    assert lessons.status(ending) == ("scheduled", "scheduled")


def test_what_is_told_is_the_contract_s(lessons: Lessons) -> None:
    [appointment] = lessons.ended(NOW - SECOND)

    lessons.run()

    [event] = lessons.told()
    payload = event["payload"]
    assert (event["type"], event["sequence"], event["sent_at"]) == (
        "appointment.completed",
        1,
        "2027-01-18T17:00:00.000Z",
    )
    assert set(payload) == {
        "appointment_id",
        "user_id",
        "tutor_id",
        "tutor_name",
        "course_id",
        "course_title_fr",
        "order_id",
        "start_datetime",
        "end_datetime",
        "start_local",
        "end_local",
        "start_fr",
        "span_fr",
        "duration_min",
        "tutor_earnings_cad",
        "tutor_earnings_fr",
        "completed_at",
        "completed_fr",
        "completed_by",
        "student",
        "tutor",
    }
    assert (payload["appointment_id"], payload["user_id"]) == (str(appointment), str(lessons.student))
    assert (payload["duration_min"], payload["tutor_earnings_cad"]) == (60, 30.0)
    assert (payload["completed_at"], payload["completed_by"]) == ("2027-01-18T17:00:00.000Z", "system")
    assert payload["student"] == {
        "id": str(lessons.student),
        "first_name": "Zoé",
        "last_name": "Tremblay",
        "email": "zoe@exemple.ca",
        "phone": None,
    }
    assert payload["tutor"]["id"] == str(lessons.tutor)
    [row] = lessons.rows("SELECT dedupe_key, ordering_key FROM outbox")
    assert row == {
        "dedupe_key": f"appointment.completed:{appointment}:1",
        "ordering_key": f"appointment:{appointment}",
    }


def test_a_completion_is_written_down_as_nobody_s_doing(lessons: Lessons) -> None:
    [appointment] = lessons.ended(NOW - SECOND)

    lessons.run()

    [row] = lessons.rows(
        "SELECT appointment_id, modified_by, modification_type::text AS type, sequence, created_at,"
        " old_data->>'status' AS old, new_data->>'status' AS new FROM appointment_modifications"
    )
    assert row == {
        "appointment_id": appointment,
        "modified_by": None,
        "type": "completion",
        "sequence": 1,
        "created_at": NOW,
        "old": "scheduled",
        "new": "completed",
    }


def test_a_second_run_does_nothing(lessons: Lessons) -> None:
    lessons.many(3)
    assert lessons.run() == 3

    with nothing_written(lessons.connection):
        assert lessons.run(NOW + timedelta(seconds=1)) == 0


@pytest.mark.parametrize("earnings", ["earned", "cancelled"])
def test_earnings_that_are_not_scheduled_stay_as_they_are(lessons: Lessons, earnings: str) -> None:
    [appointment] = lessons.ended(NOW - SECOND)
    lessons.connection.execute("UPDATE earnings SET status = %s::earnings_status", [earnings])

    lessons.run()

    assert lessons.status(appointment) == ("completed", earnings)


def test_a_session_that_was_never_sold_is_told_of_with_no_earnings(lessons: Lessons) -> None:
    lessons.ended(NOW - SECOND)
    lessons.connection.execute("UPDATE appointments SET order_item_id = NULL")

    assert lessons.run() == 1
    assert [event["payload"]["tutor_earnings_cad"] for event in lessons.told()] == [0.0]


def test_a_cancelled_session_is_left_alone(lessons: Lessons) -> None:
    [appointment] = lessons.ended(NOW - SECOND)
    change_status.cancel(lessons.connection, By("admin", lessons.student), appointment, None, "dev", NOW)

    with nothing_written(lessons.connection):
        assert lessons.run() == 0


def test_a_reopened_session_is_completed_and_told_of_again(lessons: Lessons) -> None:
    [appointment] = lessons.ended(NOW - SECOND)
    lessons.run()
    change_status.reopen(lessons.connection, By("admin", lessons.student), appointment, None, NOW)

    assert lessons.run(NOW + HOUR) == 1
    assert lessons.status(appointment) == ("completed", "earned")
    assert lessons.told_of() == [appointment, appointment]
    assert [event["sequence"] for event in lessons.told()] == [1, 2]


# --- Batches ----------------------------------------------------------------------------------------------------


def test_a_run_goes_on_until_nothing_is_left(lessons: Lessons, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app, "BATCH", 4)
    lessons.many(10)

    assert lessons.run() == 10


def test_a_run_stops_in_time_and_the_next_takes_up_the_rest(
    lessons: Lessons, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app, "BATCH", 4)
    appointments = lessons.many(10)
    left = iter([60_000, 30_000, 9_000])

    done = lessons.run(context=hurried(left))

    assert done == 8
    assert lessons.run() == 2
    assert sorted(lessons.told_of()) == sorted(appointments)


@pytest.mark.parametrize("analysed", [True, False])
def test_a_batch_is_never_exceeded_and_the_oldest_go_first(lessons: Lessons, *, analysed: bool) -> None:
    appointments = lessons.many(60)
    if analysed:
        lessons.connection.execute("ANALYZE appointments")

    assert complete_past(lessons.connection, "dev", NOW, 7) == 7
    assert set(lessons.told_of()) == set(appointments[-7:])


def test_the_statements_of_a_batch_do_not_grow_with_it(lessons: Lessons, configured: Database) -> None:
    lessons.many(42)
    with counted(configured) as wire, psycopg.connect(wire.url, autocommit=True) as worker:
        complete_past(worker, "dev", NOW, 1)
        for size in (1, 40):
            wire.reset()
            assert complete_past(worker, "dev", NOW, size) == size
            assert wire.statements == 4


def test_a_batch_that_is_killed_leaves_nothing_half_done(lessons: Lessons) -> None:
    lessons.many(3)
    lessons.connection.execute(
        "CREATE FUNCTION break_down() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'broken'; END $$;"
        "CREATE TRIGGER break_down BEFORE INSERT ON outbox EXECUTE FUNCTION break_down()"
    )

    with nothing_written(lessons.connection), pytest.raises(RunFailed, match="RaiseException"):
        lessons.run()

    lessons.connection.execute("DROP TRIGGER break_down ON outbox")
    assert lessons.run() == 3


# --- Rivals -----------------------------------------------------------------------------------------------------


def test_many_runs_at_once_complete_each_session_once(lessons: Lessons, configured: Database) -> None:
    appointments = lessons.many(60)

    done = rush(
        configured.url, *[lambda connection: complete_past(connection, "dev", NOW, 10) for _ in range(8)]
    )

    assert sum(done) + len(lessons.rows("SELECT FROM appointments WHERE status = 'scheduled'")) == 60
    lessons.run()
    assert sorted(lessons.told_of()) == sorted(appointments)
    assert {lessons.status(appointment) for appointment in appointments} == {("completed", "earned")}


def test_a_session_somebody_is_cancelling_is_not_waited_for(lessons: Lessons, configured: Database) -> None:
    cancelled, other = lessons.ended(NOW - SECOND, NOW - 2 * HOUR)
    with uncommitted(configured.url) as admin:
        change_status.cancel(admin, By("admin", lessons.student), cancelled, None, "dev", NOW)

        assert lessons.run() == 1
        admin.commit()

    assert lessons.run() == 0
    assert lessons.status(cancelled) == ("cancelled", "cancelled")
    assert lessons.told_of() == [other]


def test_a_student_who_cancels_while_the_session_is_being_completed_comes_too_late(
    lessons: Lessons, configured: Database
) -> None:
    [appointment] = lessons.ended(NOW - SECOND)
    refusals: list[str] = []

    def cancel() -> None:
        with psycopg.connect(configured.url, autocommit=True) as rival:
            try:
                before = NOW - 4 * HOUR  # their clock says that it is not too late
                change_status.cancel(rival, By("student", lessons.student), appointment, None, "dev", before)
            except Refused as refused:
                refusals.append(refused.code)

    def complete() -> None:
        with psycopg.connect(configured.url, autocommit=True) as worker:
            complete_past(worker, "dev", NOW, 10)

    for future in at_once(cancel, complete):
        future.result()

    outcome = (lessons.status(appointment), refusals, len(lessons.told()))
    assert outcome in [
        (("completed", "earned"), ["NOT_CANCELLABLE"], 1),
        (("cancelled", "cancelled"), [], 0),
    ]
