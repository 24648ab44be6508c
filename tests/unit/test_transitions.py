"""The table of an appointment's life: who may do what from which status, and that nothing else can be done (2.12)."""

from datetime import UTC, datetime, timedelta
from itertools import product
from typing import get_args

import pytest

from domain.appointments.transitions import TABLE, Action, Actor, Status, action_to, find_transition

ACTIONS: tuple[Action, ...] = get_args(Action.__value__)
ACTORS: tuple[Actor, ...] = get_args(Actor.__value__)
STATUSES: tuple[Status, ...] = get_args(Status.__value__)

ALLOWED = {
    ("cancel", "student", "scheduled"): "cancelled",
    ("cancel", "tutor", "scheduled"): "cancelled",
    ("cancel", "admin", "scheduled"): "cancelled",
    ("cancel", "system", "scheduled"): "cancelled",
    ("cancel", "admin", "completed"): "cancelled",
    ("reschedule", "student", "scheduled"): "scheduled",
    ("reschedule", "tutor", "scheduled"): "scheduled",
    ("reschedule", "admin", "scheduled"): "scheduled",
    ("complete", "admin", "scheduled"): "completed",
    ("complete", "system", "scheduled"): "completed",
    ("refund", "admin", "scheduled"): "refunded",
    ("refund", "admin", "completed"): "refunded",
    ("refund", "system", "completed"): "refunded",
    ("reactivate", "admin", "cancelled"): "scheduled",
    ("reopen", "admin", "completed"): "scheduled",
}


@pytest.mark.parametrize(("action", "actor", "status"), list(product(ACTIONS, ACTORS, STATUSES)))
def test_whatever_is_not_in_the_table_is_refused(action: Action, actor: Actor, status: Status) -> None:
    transition = find_transition(action, actor, status)

    assert (transition.target if transition else None) == ALLOWED.get((action, actor, status))


def test_no_two_lines_say_different_things_of_one_case() -> None:
    cases = [(line.action, actor, line.source) for line in TABLE for actor in line.until]

    assert len(cases) == len(set(cases))


def test_an_appointment_that_takes_place_keeps_its_time_and_no_other_does() -> None:
    owns = {"scheduled", "completed"}
    for line in TABLE:
        expected = {
            (True, True): {"kept", "moved"},
            (True, False): {"released"},
            (False, True): {"claimed"},
        }
        assert line.time in expected[line.source in owns, line.target in owns], line


def test_a_session_that_will_not_be_given_is_not_earned_unless_only_money_moves() -> None:
    for line in TABLE:
        if line.target in ("cancelled", "refunded"):
            assert line.earnings == (None if line.paid_too else "cancelled"), line


@pytest.mark.parametrize(
    ("action", "actor", "hours"),
    [
        ("cancel", "student", 2),
        ("cancel", "tutor", 2),
        ("cancel", "admin", None),
        ("reschedule", "student", 24),
        ("reschedule", "tutor", 2),
        ("reschedule", "admin", None),
    ],
)
def test_how_long_before_the_start_each_of_them_still_may(
    action: Action, actor: Actor, hours: int | None
) -> None:
    start = datetime(2027, 1, 20, 14, tzinfo=UTC)
    transition = find_transition(action, actor, "scheduled")

    assert transition is not None
    assert transition.deadline(actor, start) == (None if hours is None else start - timedelta(hours=hours))


def test_what_an_administrator_does_who_sets_a_status() -> None:
    steps = {(source, target): action_to(source, target) for source, target in product(STATUSES, STATUSES)}

    assert {step: action for step, action in steps.items() if action} == {
        ("scheduled", "completed"): "complete",
        ("scheduled", "cancelled"): "cancel",
        ("scheduled", "refunded"): "refund",
        ("completed", "cancelled"): "cancel",
        ("completed", "refunded"): "refund",
        ("completed", "scheduled"): "reopen",
        ("cancelled", "scheduled"): "reactivate",
    }
