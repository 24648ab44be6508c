"""A student, a tutor, the office and the schedules on one appointment at one moment (spec 2.8, 2.9, 2.13).

Each race is run at its exact point (one has done everything but commit, the other waits) and as a rush of threads. One
wins; who comes second is answered as if it had come later. Every effect is there as often as something happened.
The office is who the table of transitions calls `admin`; over HTTP it has no routes yet.
"""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg
import pytest

from domain.appointments.booked import By
from domain.appointments.change_status import cancel, complete
from domain.appointments.completion import complete_past
from domain.appointments.reminders import remind
from domain.appointments.reschedule import reschedule
from local.postgres import Server
from tests.conftest import Database
from tests.support.audit import audit
from tests.support.booked_student import BookedStudent
from tests.support.changes import DONE, Change, one_behind_the_other, outcome
from tests.support.race import uncommitted
from tests.support.rush import no_deadlock, overlapping_claims, rush
from tests.support.world import World, toronto, wanted

TEN, ELEVEN, FRIDAY = toronto(20, 10), toronto(20, 11), toronto(22, 10)
IT_IS_OVER = ELEVEN + timedelta(minutes=5)
CROWD = 8


@dataclass
class Scene:
    """Zoé has one session with Mme Roy; everybody who may lay hands on it, and what is left of it."""

    world: World
    url: str
    course: UUID
    tutor: By
    office: By
    student: By
    session_id: UUID

    def cancels(self, by: By, now: datetime | None = None) -> Change:
        now = now or self.world.clock()
        return lambda connection: cancel(connection, by, self.session_id, None, "dev", now)

    def moves(self, by: By, start: datetime = FRIDAY) -> Change:
        now = self.world.clock()
        return lambda connection: reschedule(connection, by, self.session_id, start, "Examen", "dev", now)

    def completes(self, now: datetime = IT_IS_OVER) -> Change:
        return lambda connection: complete(connection, self.office, self.session_id, "dev", now)

    def rush(self, *changes: Change) -> list[str]:
        return rush(self.url, *[outcome(change) for change in changes])

    @property
    def session(self) -> dict[str, Any]:
        [row] = self.world.rows(
            "SELECT appointments.status::text, sequence, earnings.status::text AS earnings,"
            "       appointments.start_datetime AS start"
            "  FROM appointments JOIN earnings USING (order_item_id)"
            " WHERE appointments.id = %s",
            self.session_id,
        )
        return row

    @property
    def told(self) -> list[str]:
        """What Make is told of the session since it was bought, in its order."""
        rows = self.world.rows(
            "SELECT type FROM outbox WHERE ordering_key = %s AND type <> 'booking.created' ORDER BY sequence",
            f"appointment:{self.session_id}",
        )
        return [row["type"] for row in rows]

    @property
    def written(self) -> list[str]:
        rows = self.world.rows(
            "SELECT modification_type::text AS kind FROM appointment_modifications ORDER BY sequence"
        )
        return [row["kind"] for row in rows]

    @property
    def credits(self) -> list[str]:
        return [
            row["cad"] for row in self.world.rows("SELECT amount_cad::text AS cad FROM credit_transactions")
        ]

    def everything_fits(self) -> bool:
        return audit(self.world.connection, self.world.stripe, self.world.clock()) == []


@pytest.fixture
def scene(world: World, database: Database) -> Scene:
    course = world.school.course()
    tutor = world.school.tutor(course)
    zoe = BookedStudent.of(world, wanted(course, TEN))
    office = world.school.user("bureau@exemple.ca", "admin")
    return Scene(
        world,
        database.url,
        course,
        By("tutor", tutor),
        By("admin", office),
        By("student", zoe.user_id),
        UUID(zoe.appointment_id),
    )


# --- The office cancels, the student moves ------------------------------------------------------------------------


def test_the_student_who_moves_what_the_office_has_just_cancelled_is_told_so(scene: Scene) -> None:
    said = one_behind_the_other(scene.url, scene.cancels(scene.office), scene.moves(scene.student))

    assert said == (DONE, "NOT_RESCHEDULABLE")
    assert scene.session == {"status": "cancelled", "sequence": 1, "earnings": "cancelled", "start": TEN}
    assert (scene.told, scene.written, scene.credits) == (["booking.cancelled"], ["cancellation"], ["45.00"])
    assert scene.world.count("time_claims") == 0
    assert scene.everything_fits()


def test_the_office_that_cancels_what_the_student_has_just_moved_cancels_the_new_time(scene: Scene) -> None:
    said = one_behind_the_other(scene.url, scene.moves(scene.student), scene.cancels(scene.office))

    assert said == (DONE, DONE)
    assert scene.session == {"status": "cancelled", "sequence": 2, "earnings": "cancelled", "start": FRIDAY}
    assert scene.told == ["booking.rescheduled", "booking.cancelled"]
    assert (scene.written, scene.credits) == (["reschedule", "cancellation"], ["45.00"])
    assert scene.world.count("time_claims") == 0
    assert scene.everything_fits()


def test_in_a_rush_of_offices_and_students_it_is_cancelled_once(
    scene: Scene, postgres: Server, database: Database
) -> None:
    changes = [scene.cancels(scene.office), scene.moves(scene.student)] * (CROWD // 2)

    with no_deadlock(postgres, database.name):
        said = scene.rush(*changes)

    cancelled, moved = Counter(said[::2]), Counter(said[1::2])
    assert cancelled == {DONE: 1, "NOT_CANCELLABLE": CROWD // 2 - 1}
    assert moved[DONE] <= 1  # once moved, the others would move it to where it is
    assert set(moved) <= {DONE, "SAME_TIME", "NOT_RESCHEDULABLE"}
    assert scene.told == ["booking.rescheduled"] * moved[DONE] + ["booking.cancelled"]
    assert scene.written == ["reschedule"] * moved[DONE] + ["cancellation"]
    assert (scene.session["sequence"], scene.credits) == (1 + moved[DONE], ["45.00"])
    assert scene.world.count("time_claims") == 0
    assert scene.everything_fits()


# --- Cancelled twice ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("first", "second"), [("student", "office"), ("office", "tutor"), ("tutor", "student")]
)
def test_whoever_cancels_second_is_told_that_it_cannot_be(scene: Scene, first: str, second: str) -> None:
    by = {"student": scene.student, "tutor": scene.tutor, "office": scene.office}

    said = one_behind_the_other(scene.url, scene.cancels(by[first]), scene.cancels(by[second]))

    assert said == (DONE, "NOT_CANCELLABLE")
    [row] = scene.world.rows("SELECT cancelled_by FROM appointments")
    assert row["cancelled_by"] == by[first].user_id
    assert (scene.told, scene.written, scene.credits) == (["booking.cancelled"], ["cancellation"], ["45.00"])
    assert scene.everything_fits()


def test_in_a_rush_of_everybody_it_is_cancelled_and_credited_once(
    scene: Scene, postgres: Server, database: Database
) -> None:
    hands = [scene.student, scene.tutor, scene.office] * 3

    with no_deadlock(postgres, database.name):
        said = scene.rush(*[scene.cancels(by) for by in hands])

    assert Counter(said) == {DONE: 1, "NOT_CANCELLABLE": len(hands) - 1}
    assert (scene.told, scene.written, scene.credits) == (["booking.cancelled"], ["cancellation"], ["45.00"])
    assert scene.everything_fits()


# --- Completed or cancelled ---------------------------------------------------------------------------------------


def test_the_schedule_completes_nothing_of_what_a_tutor_is_cancelling(scene: Scene) -> None:
    in_time = TEN - timedelta(hours=3)
    with uncommitted(scene.url) as tutor, psycopg.connect(scene.url, autocommit=True) as job:
        scene.cancels(scene.tutor, in_time)(tutor)
        meanwhile = complete_past(job, "dev", IT_IS_OVER, 100)
        tutor.commit()
        afterwards = complete_past(job, "dev", IT_IS_OVER, 100)

    assert (meanwhile, afterwards) == (0, 0)
    assert (scene.session["status"], scene.session["earnings"]) == ("cancelled", "cancelled")
    assert (scene.told, scene.written, scene.credits) == (["booking.cancelled"], ["cancellation"], ["45.00"])


@pytest.mark.parametrize("hand", ["student", "tutor"])
def test_who_cancels_while_the_schedule_completes_comes_too_late(scene: Scene, hand: str) -> None:
    by = {"student": scene.student, "tutor": scene.tutor}[hand]
    in_time = TEN - timedelta(hours=3)  # for a clock that is behind

    said = one_behind_the_other(
        scene.url,
        lambda connection: complete_past(connection, "dev", IT_IS_OVER, 100),
        scene.cancels(by, in_time),
    )

    assert said == (DONE, "NOT_CANCELLABLE")
    assert (scene.session["status"], scene.session["earnings"]) == ("completed", "earned")
    assert (scene.told, scene.written, scene.credits) == (["appointment.completed"], ["completion"], [])


def test_the_office_that_cancels_while_the_schedule_completes_takes_the_pay_back(scene: Scene) -> None:
    """Its right (spec 2.9): both happened, one after the other, and both are told."""
    said = one_behind_the_other(
        scene.url,
        lambda connection: complete_past(connection, "dev", IT_IS_OVER, 100),
        scene.cancels(scene.office, IT_IS_OVER),
    )

    assert said == (DONE, DONE)
    assert (scene.session["status"], scene.session["earnings"]) == ("cancelled", "cancelled")
    assert scene.told == ["appointment.completed", "booking.cancelled"]
    assert (scene.written, scene.credits) == (["completion", "cancellation"], ["45.00"])
    assert scene.everything_fits()


def test_in_a_rush_of_runs_and_cancellations_each_happens_once_at_most(scene: Scene) -> None:
    in_time = TEN - timedelta(hours=3)

    def run(connection: psycopg.Connection[Any]) -> str:
        return f"completed {complete_past(connection, 'dev', IT_IS_OVER, 100)}"

    said = rush(scene.url, *[run, outcome(scene.cancels(scene.student, in_time))] * (CROWD // 2))

    happened = Counter(said)
    assert happened["completed 1"] + happened[DONE] == 1
    assert happened["NOT_CANCELLABLE"] == CROWD // 2 - happened[DONE]
    assert len(scene.told) == len(scene.written) == scene.session["sequence"] == 1
    assert scene.credits == ["45.00"] * happened[DONE]


# --- Completed twice ----------------------------------------------------------------------------------------------


def test_the_second_of_two_runs_finds_nothing(scene: Scene) -> None:
    with uncommitted(scene.url) as one, psycopg.connect(scene.url, autocommit=True) as other:
        done = complete_past(one, "dev", IT_IS_OVER, 100)
        meanwhile = complete_past(other, "dev", IT_IS_OVER, 100)
        one.commit()
        afterwards = complete_past(other, "dev", IT_IS_OVER, 100)

    assert (done, meanwhile, afterwards) == (1, 0, 0)
    assert (scene.session["sequence"], scene.session["earnings"]) == (1, "earned")
    assert (scene.told, scene.written) == (["appointment.completed"], ["completion"])


def test_of_two_offices_that_complete_one_does(scene: Scene) -> None:
    said = one_behind_the_other(scene.url, scene.completes(), scene.completes())

    assert said == (DONE, "TRANSITION_NOT_ALLOWED")
    assert (scene.session["sequence"], scene.session["earnings"]) == (1, "earned")
    assert (scene.told, scene.written) == (["appointment.completed"], ["completion"])


# --- Reminded twice -----------------------------------------------------------------------------------------------


def test_the_second_of_two_runs_reminds_nobody(scene: Scene) -> None:
    a_day_before = TEN - timedelta(hours=24)
    with uncommitted(scene.url) as one, psycopg.connect(scene.url, autocommit=True) as other:
        sent = remind(one, "dev", a_day_before, 100)
        meanwhile = remind(other, "dev", a_day_before, 100)
        one.commit()
        afterwards = remind(other, "dev", a_day_before, 100)

    assert (sent, meanwhile, afterwards) == (1, 0, 0)
    assert scene.told == ["appointment.reminder"]


def test_in_a_rush_of_runs_one_reminds(scene: Scene) -> None:
    said = rush(
        scene.url, *[lambda connection: remind(connection, "dev", TEN - timedelta(hours=24), 100)] * CROWD
    )

    assert sorted(said) == [0] * (CROWD - 1) + [1]
    assert scene.told == ["appointment.reminder"]


# --- Two students want one time -----------------------------------------------------------------------------------


def classmates(scene: Scene, how_many: int) -> list[Change]:
    """Others with a session of the same tutor, who all want Friday at ten."""
    now = scene.world.clock()

    def moves(other: BookedStudent) -> Change:
        by, session_id = By("student", other.user_id), UUID(other.appointment_id)
        return lambda connection: reschedule(connection, by, session_id, FRIDAY, "Examen", "dev", now)

    return [
        moves(
            BookedStudent.of(
                scene.world,
                wanted(scene.course, ELEVEN + timedelta(hours=n)),
                email=f"ines{n}@exemple.ca",
            )
        )
        for n in range(how_many)
    ]


def test_the_second_student_is_told_that_the_time_is_taken(scene: Scene) -> None:
    [other] = classmates(scene, 1)

    said = one_behind_the_other(scene.url, scene.moves(scene.student), other)

    assert said == (DONE, "SLOT_UNAVAILABLE")
    assert scene.told == ["booking.rescheduled"]
    assert (scene.written, scene.world.count("time_claims")) == (["reschedule"], 2)
    assert scene.everything_fits()


def test_in_a_rush_of_students_one_has_the_time(scene: Scene, postgres: Server, database: Database) -> None:
    changes = [scene.moves(scene.student), *classmates(scene, 5)]

    with no_deadlock(postgres, database.name):
        said = scene.rush(*changes)

    assert Counter(said) == {DONE: 1, "SLOT_UNAVAILABLE": 5}
    assert scene.written == ["reschedule"]
    assert overlapping_claims(scene.world.connection) == 0
    assert scene.world.rows("SELECT count(*) AS n FROM appointments WHERE start_datetime = %s", FRIDAY) == [
        {"n": 1}
    ]
    assert scene.everything_fits()
