"""Days in the life of the school: every schedule ticks, events reach Make, processes die at random (spec 2.12, 6).

Students and newcomers fill carts with sessions of every length, pay with good and bad cards, late or never, use
coupons and credits; everybody cancels and moves, in time and too late; the office refunds; Stripe's events are late,
lost or come twice; Make has bad days; the clocks change. Any process may have its connection cut at any exchange
with PostgreSQL. When the last session is over the books balance: every session that took place is earned and told of
once, everybody who should have been reminded was, once, and Make has every event.

`make simulate` lives a month of a thousand students; STUDENTS, TUTORS, DAYS, STEP_MINUTES and SEED say otherwise. A
life is much like another with its SEED, not the same: identifiers are drawn anew.
"""

import logging
import os
from collections.abc import Iterator
from random import Random, SystemRandom
from time import perf_counter

import pytest
import stripe

from adapters import database
from tests.support.life import make as make_com
from tests.support.life.books import Books
from tests.support.life.figures import table
from tests.support.life.life import Life, Scale
from tests.support.life.mortal import Mortal
from tests.support.receiver import receiving
from tests.support.world import World

SCALE = Scale(
    students=int(os.environ.get("STUDENTS", "100")),
    tutors=int(os.environ.get("TUTORS", "6")),
    days=int(os.environ.get("DAYS", "2")),
    step_minutes=int(os.environ.get("STEP_MINUTES", "15")),
)
SEED = os.environ.get("SEED")


SMALL = Scale(students=120, tutors=5, days=1, step_minutes=30)


@pytest.fixture
def scale() -> Scale:
    return SCALE


@pytest.fixture
def life(
    world: World, scale: Scale, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> Iterator[Life]:
    caplog.set_level(logging.ERROR, "psycopg")  # it warns of each death
    # The pauses of Stripe's library are not what is tried here.
    monkeypatch.setattr(stripe.HTTPClient, "INITIAL_DELAY", 0)
    monkeypatch.setattr(database, "Timely", Mortal)
    seed = int(SEED) if SEED else SystemRandom().randrange(1_000_000)
    print(f"again with SEED={seed}")  # noqa: T201  pytest shows it when the test fails
    with receiving() as make:
        make_com.configure(monkeypatch, make)
        yield Life(world, make, Random(seed), scale)


def test_after_days_of_life_the_books_balance_and_everything_was_told_once(
    life: Life, capsys: pytest.CaptureFixture[str]
) -> None:
    began = perf_counter()
    life.live()

    books = Books(life.world, life.post)
    faults = books.faults()
    figures = table(life, books, faults, perf_counter() - began)
    if "DAYS" in os.environ:
        with capsys.disabled():
            print("\n" + figures)  # noqa: T201
    assert faults == []
    assert life.tally["audit: audit_findings"] == 0
    must, _ = books.reminders_due
    assert must
    assert books.told("appointment.completed")
    assert life.tally["job killed"]


# --- Negative controls ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scale", [SMALL])
def test_the_books_find_what_went_missing_or_happened_twice(life: Life) -> None:
    life.live()
    connection, post = life.world.connection, life.post
    assert Books(life.world, post).faults() == []

    def found(statement: str) -> set[str]:
        """The kinds of faults once that was done, which is taken back."""
        with connection.transaction(force_rollback=True):
            connection.execute(statement)
            return {fault.partition(":")[0] for fault in Books(life.world, post).faults()}

    completed = "(SELECT order_item_id FROM appointments WHERE status = 'completed' LIMIT 1)"
    assert "a session completed and scheduled" in found(
        f"UPDATE earnings SET status = 'scheduled' WHERE order_item_id = {completed}"  # noqa: S608
    )
    assert "a completion not written down once" in found(
        "INSERT INTO appointment_modifications (id, appointment_id, modification_type, old_data, new_data, sequence,"
        "                                       created_at)"
        " SELECT gen_random_uuid(), appointment_id, modification_type, old_data, new_data, sequence + 9, created_at"
        "  FROM appointment_modifications WHERE modification_type = 'completion' LIMIT 1"
    )
    assert "an event pending" in found("UPDATE outbox SET status = 'pending', delivered_at = NULL")

    told = post.events["appointment.completed"]
    told.append(told[0])
    reminders = post.events["appointment.reminder"]
    reminders.append(reminders[0])
    once = next(event_id for event_id, times in post.accepted.items() if times == 1)
    post.accepted[once] = 2
    assert {fault.partition(":")[0] for fault in Books(life.world, post).faults()} == {
        "a completion not told once",
        "a reminder sent 2 times",
        "an event delivered 2 times",
    }
    told.clear()
    reminders.clear()
    post.accepted.clear()
    assert {fault.partition(":")[0] for fault in Books(life.world, post).faults()} == {
        "a completion not told once",
        "a reminder that was not sent",
        "an event recorded and not accepted, or the reverse",
    }
