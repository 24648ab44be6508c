"""Two at once on one appointment, or for one time: one wins, the other hears why, one fact is told (spec 2.8)."""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

import psycopg
import pytest
from psycopg import Connection

from domain.appointments.booked import By
from domain.appointments.change_status import cancel, complete, reactivate
from domain.appointments.completion import complete_past
from domain.appointments.reschedule import reschedule
from local.postgres import Server
from tests.conftest import Database
from tests.support.booked_student import BookedStudent
from tests.support.changes import DONE, Change, all_wait_for_the_tutor, outcome
from tests.support.race import at_once, uncommitted, until_blocked
from tests.support.rush import HELD, adds, guest, no_deadlock, overlapping_claims, rush, session
from tests.support.world import World, toronto, wanted

TEN, ELEVEN, FRIDAY = toronto(20, 10), toronto(20, 11), toronto(22, 10)


@dataclass
class Shop:
    course: UUID
    roy: UUID


@pytest.fixture
def shop(world: World) -> Shop:
    course = world.school.course()
    return Shop(course, world.school.tutor(course))


@pytest.fixture
def zoe(world: World, shop: Shop) -> BookedStudent:
    return BookedStudent.of(world, wanted(shop.course, TEN), wanted(shop.course, ELEVEN))


def cancels(zoe: BookedStudent, appointment_id: UUID, now: datetime) -> Change:
    return lambda connection: cancel(connection, By("student", zoe.user_id), appointment_id, None, "dev", now)


def moves(zoe: BookedStudent, appointment_id: UUID, start: datetime, now: datetime) -> Change:
    return lambda connection: reschedule(
        connection, By("student", zoe.user_id), appointment_id, start, "Examen", "dev", now
    )


def ids(zoe: BookedStudent) -> list[UUID]:
    return [UUID(appointment["id"]) for appointment in zoe.appointments()]


def facts(world: World, *kinds: str) -> int:
    return int(world.rows("SELECT count(*) AS n FROM outbox WHERE type = ANY(%s)", list(kinds))[0]["n"])


CHANGES = ("booking.cancelled", "booking.rescheduled", "appointment.completed")


def test_of_two_cancellations_one_credits(world: World, database: Database, zoe: BookedStudent) -> None:
    first, _ = ids(zoe)
    change = cancels(zoe, first, world.clock())

    outcomes = all_wait_for_the_tutor(database.url, change, change)

    assert sorted(outcomes) == ["NOT_CANCELLABLE", DONE]
    assert world.rows("SELECT sum(amount_cad)::text AS credit FROM credit_transactions") == [
        {"credit": "45.00"}
    ]
    assert (facts(world, *CHANGES), world.count("appointment_modifications")) == (1, 1)


def test_of_a_cancellation_and_a_move_either_wins(
    world: World, database: Database, zoe: BookedStudent
) -> None:
    first, _ = ids(zoe)

    cancelled, moved = all_wait_for_the_tutor(
        database.url, cancels(zoe, first, world.clock()), moves(zoe, first, FRIDAY, world.clock())
    )

    # Moved first, it can still be cancelled afterwards; cancelled first, it cannot be moved.
    assert (cancelled, moved) in ((DONE, "NOT_RESCHEDULABLE"), (DONE, DONE))
    happened = Counter((cancelled, moved))[DONE]
    assert (facts(world, *CHANGES), world.count("appointment_modifications")) == (happened, happened)
    assert world.rows("SELECT status::text, sequence FROM appointments WHERE id = %s", first) == [
        {"status": "cancelled", "sequence": happened}
    ]
    assert world.count("time_claims") == 1


def test_of_two_moves_to_one_time_one_has_it(world: World, database: Database, zoe: BookedStudent) -> None:
    changes = [moves(zoe, appointment_id, FRIDAY, world.clock()) for appointment_id in ids(zoe)]

    outcomes = all_wait_for_the_tutor(database.url, *changes)

    assert sorted(outcomes) == ["SLOT_UNAVAILABLE", DONE]
    assert (facts(world, *CHANGES), overlapping_claims(world.connection)) == (1, 0)


def test_two_appointments_cannot_change_places_without_each_other_s_leave(
    world: World, database: Database, zoe: BookedStudent
) -> None:
    first, second = ids(zoe)

    outcomes = all_wait_for_the_tutor(
        database.url, moves(zoe, first, ELEVEN, world.clock()), moves(zoe, second, TEN, world.clock())
    )

    assert outcomes == ["SLOT_UNAVAILABLE"] * 2
    assert facts(world, *CHANGES) == 0


@pytest.mark.parametrize("all_see_it_free", [False, True])
def test_a_move_and_a_crowd_of_guests_for_one_time(
    world: World,
    postgres: Server,
    database: Database,
    shop: Shop,
    zoe: BookedStudent,
    all_see_it_free: bool,
) -> None:
    first, _ = ids(zoe)
    now = world.clock()
    crowd = [adds(guest(), session(shop.course, FRIDAY), now=now) for _ in range(7)]
    move = outcome(moves(zoe, first, FRIDAY, now))

    with no_deadlock(postgres, database.name):
        outcomes = rush(database.url, *crowd[:3], move, *crowd[3:], all_see_it_free=all_see_it_free)

    won = Counter(outcomes)
    assert won[HELD] + won[DONE] == 1
    assert won["SLOT_UNAVAILABLE"] == 7
    assert overlapping_claims(world.connection) == 0
    assert world.count("time_claims") == 2 + won[HELD]
    assert facts(world, "booking.rescheduled") == won[DONE]


def test_of_a_reactivation_and_a_guest_for_its_time_one_has_it(
    world: World, database: Database, shop: Shop, zoe: BookedStudent
) -> None:
    first, _ = ids(zoe)
    now = world.clock()
    with psycopg.connect(database.url, autocommit=True) as connection:
        cancels(zoe, first, now)(connection)
    admin = By("admin", world.school.user("chef@exemple.ca", "admin"))

    outcomes = rush(
        database.url,
        outcome(lambda connection: reactivate(connection, admin, first, None, now)),
        adds(guest(), session(shop.course, TEN), now=now),
        all_see_it_free=True,
    )

    assert outcomes in ([DONE, "SLOT_UNAVAILABLE"], ["SLOT_UNAVAILABLE", HELD])
    assert overlapping_claims(world.connection) == 0


# --- The completion job -------------------------------------------------------------------------------------


@pytest.mark.parametrize("change", ["cancel", "reschedule", "complete"])
def test_the_job_passes_over_what_an_administrator_is_changing(
    world: World, database: Database, zoe: BookedStudent, change: str
) -> None:
    """The administrator holds the appointment; the job does not wait for it, and finds nothing left afterwards."""
    first, _ = ids(zoe)
    now = ELEVEN + timedelta(minutes=5)
    admin = By("admin", world.school.user("chef@exemple.ca", "admin"))
    changes: dict[str, Change] = {
        "cancel": lambda connection: cancel(connection, admin, first, None, "dev", now),
        "reschedule": lambda connection: reschedule(connection, admin, first, FRIDAY, None, "dev", now),
        "complete": lambda connection: complete(connection, admin, first, "dev", now),
    }
    with (
        psycopg.connect(database.url, autocommit=True) as administrator,
        psycopg.connect(database.url, autocommit=True) as job,
    ):
        with administrator.transaction():
            changes[change](administrator)
            meanwhile = complete_past(job, "dev", now, 100)
        afterwards = complete_past(job, "dev", now, 100)

    assert (meanwhile, afterwards) == (0, 0)
    assert facts(world, *CHANGES) == 1


def test_what_the_job_has_completed_meanwhile_cannot_be_moved(
    world: World, database: Database, zoe: BookedStudent
) -> None:
    first, _ = ids(zoe)
    now = ELEVEN + timedelta(minutes=5)
    admin = By("admin", world.school.user("chef@exemple.ca", "admin"))

    def move(connection: Connection[Any]) -> object:
        return reschedule(connection, admin, first, FRIDAY, None, "dev", now)

    with uncommitted(database.url) as job, psycopg.connect(database.url, autocommit=True) as connection:
        job.execute("SELECT")  # the job's transaction is then a part of this one
        assert complete_past(job, "dev", now, 100) == 1
        moved, committed = at_once(
            partial(outcome(move), connection), partial(commit_once_waited_for, database, job)
        )
        committed.result()

    assert (moved.result(), committed.result()) == ("APPOINTMENT_PAST", DONE)
    assert facts(world, *CHANGES) == 1


def commit_once_waited_for(database: Database, job: Connection[Any]) -> str:
    with psycopg.connect(database.url, autocommit=True) as watcher:
        until_blocked(watcher, 1)
    job.commit()
    return DONE


# --- Negative control ---------------------------------------------------------------------------------------


def test_without_the_constraint_the_crowd_would_book_the_time_twice(
    world: World, database: Database, shop: Shop, zoe: BookedStudent
) -> None:
    first, _ = ids(zoe)
    now = world.clock()
    world.connection.execute("ALTER TABLE time_claims DROP CONSTRAINT time_claims_one_owner_per_minute")

    outcomes = rush(
        database.url,
        adds(guest(), session(shop.course, FRIDAY), now=now),
        outcome(moves(zoe, first, FRIDAY, now)),
        all_see_it_free=True,
    )

    assert outcomes == [HELD, DONE]
    assert overlapping_claims(world.connection) == 1
