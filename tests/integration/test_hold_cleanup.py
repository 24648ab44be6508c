"""The function that deletes expired holds every minute: all of those, only those, a batch at a time."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest
from psycopg import Connection

from adapters import jobs
from domain.accounts.callers import Buyer
from domain.cart.view_cart import view_cart
from domain.scheduling.claims import sweep_expired
from functions.hold_cleanup import app
from tests.conftest import Database
from tests.support.browser import CONTEXT, hurried
from tests.support.rush import HELD, adds, guest, rush, session
from tests.support.school import School
from tests.support.tables import nothing_written
from tests.support.world import MONDAY_NOON, toronto

NOW = MONDAY_NOON
MOMENT = timedelta.resolution


@dataclass
class Night:
    """A tutor's calendar full of holds, and the function that tidies it up."""

    connection: Connection[Any]
    school: School
    course: UUID
    tutor: UUID
    slots: Iterator[datetime]

    def hold(self, expires_at: datetime | None) -> UUID:
        """Somebody's hold on the next time of the tutor; an appointment when it does not expire."""
        start = next(self.slots)
        return self.school.claim(self.tutor, start, start + timedelta(hours=1), expires_at)

    def run(self, at: datetime = NOW) -> dict[str, int]:
        """What the scheduler does every minute."""
        return app.lambda_handler({"time": at.isoformat()}, CONTEXT)

    def left(self) -> set[UUID]:
        return {claim for (claim,) in self.connection.execute("SELECT id FROM time_claims").fetchall()}


@pytest.fixture
def night(configured: Database) -> Iterator[Night]:
    with psycopg.connect(configured.url, autocommit=True) as connection:
        school = School(connection)
        course = school.course()
        slots = (toronto(19, 0) + timedelta(hours=n) for n in range(10_000))
        yield Night(connection, school, course, school.tutor(course), slots)


def test_a_hold_is_deleted_at_the_instant_it_expires_and_not_before(night: Night) -> None:
    long_gone, at_this_instant = night.hold(NOW - timedelta(days=1)), night.hold(NOW)
    in_a_moment, fresh = night.hold(NOW + MOMENT), night.hold(NOW + timedelta(minutes=15))

    assert night.run() == {"expired_holds_deleted": 2}
    assert night.left() == {in_a_moment, fresh}

    assert night.run(NOW + MOMENT) == {"expired_holds_deleted": 1}
    assert night.left() == {fresh}
    assert not {long_gone, at_this_instant} & night.left()


def test_appointments_are_never_touched(night: Night) -> None:
    appointment = night.hold(None)

    assert night.run(NOW + timedelta(days=365)) == {"expired_holds_deleted": 0}
    assert night.left() == {appointment}


def test_with_nothing_to_delete_nothing_is_written(night: Night) -> None:
    night.hold(NOW + MOMENT)

    with nothing_written(night.connection):
        assert night.run() == {"expired_holds_deleted": 0}


def test_a_swept_session_stays_in_its_cart_as_expired_and_its_time_is_free(night: Night) -> None:
    buyer, wanted = guest(), session(night.course, toronto(20, 9))
    assert adds(buyer, wanted, now=NOW)(night.connection) == HELD
    later = NOW + timedelta(minutes=15)

    assert night.run(later) == {"expired_holds_deleted": 1}

    [item] = view_cart(night.connection, buyer, later).items
    assert (item.hold_expired, item.unavailable) == (True, False)
    assert adds(guest(), wanted, now=later)(night.connection) == HELD
    [item] = view_cart(night.connection, buyer, later).items
    assert (item.hold_expired, item.unavailable) == (True, True)


def test_a_run_deletes_batch_after_batch_and_the_oldest_go_first_when_time_is_short(night: Night) -> None:
    night.connection.execute(
        "INSERT INTO time_claims (id, tutor_id, during, kind, expires_at)"
        " SELECT gen_random_uuid(), %(tutor)s, tstzrange(begins, begins + interval '30 minutes'), 'hold',"
        "        %(now)s - n * interval '1 second'"
        "   FROM generate_series(0, 3499) AS n, LATERAL (VALUES (%(now)s + n * interval '30 minutes')) AS t (begins)",
        {"tutor": night.tutor, "now": NOW},
    )
    left = iter([40_000, 9_999])

    assert app.lambda_handler({"time": NOW.isoformat()}, hurried(left)) == {
        "expired_holds_deleted": app.BATCH
    }
    assert night.connection.execute("SELECT count(*), min(expires_at) FROM time_claims").fetchone() == (
        2_500,
        NOW - timedelta(seconds=2_499),
    )
    assert night.run() == {"expired_holds_deleted": 2_500}
    assert night.left() == set()


@pytest.mark.parametrize("batch", [1, 7, 100])
@pytest.mark.parametrize("analysed", [True, False])
def test_a_batch_is_never_exceeded_whatever_the_planner_knows_of_the_table(
    night: Night, batch: int, *, analysed: bool
) -> None:
    for _ in range(150):
        night.hold(NOW)
    if analysed:
        night.connection.execute("ANALYZE time_claims")

    assert sweep_expired(night.connection, NOW, batch) == batch
    assert len(night.left()) == 150 - batch


def test_two_runs_at_once_share_the_work_without_waiting_for_each_other(
    night: Night, configured: Database
) -> None:
    for _ in range(10):
        night.hold(NOW)
    with psycopg.connect(configured.url) as first:
        assert sweep_expired(first, NOW, 4) == 4  # and has not committed

        assert night.run() == {"expired_holds_deleted": 6}
        first.commit()

    assert night.left() == set()


def test_many_runs_at_once_delete_each_hold_once(night: Night, configured: Database) -> None:
    fresh = {night.hold(NOW + MOMENT) for _ in range(5)}
    for _ in range(60):
        night.hold(NOW)

    deleted = rush(
        configured.url, *[lambda connection: sweep_expired(connection, NOW, 10) for _ in range(12)]
    )

    assert sum(deleted) + len(night.left() - fresh) == 60
    assert max(deleted) <= 10
    assert fresh <= night.left()
    night.run()
    assert night.left() == fresh


def test_a_hold_somebody_is_working_on_is_left_for_the_next_minute(
    night: Night, configured: Database
) -> None:
    claim = night.hold(NOW)
    with psycopg.connect(configured.url) as payer:
        payer.execute("SELECT FROM time_claims WHERE id = %s FOR UPDATE", (claim,))
        assert night.run() == {"expired_holds_deleted": 0}

    assert night.run() == {"expired_holds_deleted": 1}


def test_a_paid_session_whose_hold_just_lapsed_is_not_swept_from_under_its_appointment(
    night: Night, configured: Database
) -> None:
    claim = night.hold(NOW)
    with psycopg.connect(configured.url) as settlement:
        settlement.execute("UPDATE time_claims SET kind = 'appointment', expires_at = NULL")
        assert night.run() == {"expired_holds_deleted": 0}
        settlement.commit()

    assert night.run() == {"expired_holds_deleted": 0}
    assert night.left() == {claim}


def test_the_committed_event_invokes_it(night: Night) -> None:
    event = json.loads(Path("events/hold_cleanup.json").read_text())
    night.hold(datetime.fromisoformat(event["time"]))

    assert app.lambda_handler(event, CONTEXT) == {"expired_holds_deleted": 1}


def test_started_by_hand_it_takes_the_present_for_granted(
    night: Night, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "present", lambda: datetime(2026, 6, 1, tzinfo=NOW.tzinfo))
    night.hold(datetime(2026, 1, 1, tzinfo=NOW.tzinfo))
    fresh = night.hold(datetime(2999, 1, 1, tzinfo=NOW.tzinfo))

    assert app.lambda_handler({}, CONTEXT) == {"expired_holds_deleted": 1}
    assert night.left() == {fresh}


def test_what_it_did_is_a_metric(night: Night, capsys: pytest.CaptureFixture[str]) -> None:
    night.hold(NOW)
    night.run()

    [line] = [line for line in capsys.readouterr().out.splitlines() if "_aws" in line]
    assert json.loads(line)["expired_holds_deleted"] == [1.0]


def test_a_run_that_came_to_its_end_is_a_heartbeat_of_its_function(
    night: Night, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "booking-HoldCleanupFunction-1")
    night.run()

    [line] = [line for line in capsys.readouterr().out.splitlines() if "_aws" in line]
    told = json.loads(line)
    [directive] = told["_aws"]["CloudWatchMetrics"]
    assert (directive["Namespace"], directive["Dimensions"]) == ("FourAS", [["function_name", "service"]])
    assert (told["runs"], told["service"], told["function_name"]) == (
        [1.0],
        "booking",
        "booking-HoldCleanupFunction-1",
    )


def test_an_empty_cart_of_nobody_is_no_business_of_its(night: Night) -> None:
    view_cart(night.connection, Buyer.guest("somebody"), NOW)

    with nothing_written(night.connection):
        night.run(NOW + timedelta(days=1))
