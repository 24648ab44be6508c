"""Schedules fire when EventBridge Scheduler would, by the local clock."""

import queue
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from local import clock, cron
from local.cloudformation import TemplateError
from local.schedules import Schedules, UnknownScheduleError
from local.template import Application, Function, Schedule

NOON = datetime(2027, 1, 18, 12, 0, tzinfo=UTC)  # a Monday, 7 in the morning in Toronto


@pytest.mark.parametrize(
    ("expression", "after", "expected"),
    [
        ("rate(1 minute)", "2027-01-18T12:00:00+00:00", "2027-01-18T12:01:00+00:00"),
        ("rate(2 days)", "2027-01-18T12:00:00+00:00", "2027-01-20T12:00:00+00:00"),
        ("cron(30 9 * * ? *)", "2027-01-18T12:00:00+00:00", "2027-01-18T14:30:00+00:00"),
        ("cron(30 9 * * ? *)", "2027-01-18T14:30:00+00:00", "2027-01-19T14:30:00+00:00"),
        ("cron(0/15 7-8 ? * MON-FRI *)", "2027-01-18T12:15:00+00:00", "2027-01-18T12:30:00+00:00"),
        ("cron(0 8 ? * SAT,SUN *)", "2027-01-18T12:00:00+00:00", "2027-01-23T13:00:00+00:00"),
        ("cron(0 0 L * ? *)", "2027-02-01T12:00:00+00:00", "2027-02-28T05:00:00+00:00"),
        ("cron(0 0 ? * 6L *)", "2027-01-18T12:00:00+00:00", "2027-01-29T05:00:00+00:00"),
        ("cron(0 0 ? * MON#1 *)", "2027-01-18T12:00:00+00:00", "2027-02-01T05:00:00+00:00"),
        ("cron(0 0 1 JAN ? 2029)", "2027-01-18T12:00:00+00:00", "2029-01-01T05:00:00+00:00"),
        # 14 March 2027: 2:30 does not exist in Toronto; 7 November: 1:30 happens twice and fires once
        ("cron(30 2 * * ? *)", "2027-03-13T12:00:00+00:00", "2027-03-15T06:30:00+00:00"),
        ("cron(30 1 * * ? *)", "2027-11-07T05:30:00+00:00", "2027-11-08T06:30:00+00:00"),
        # our own nightly schedules keep their hour on the wall clock across both changes, once a night
        ("cron(5 0 * * ? *)", "2027-03-13T12:00:00+00:00", "2027-03-14T05:05:00+00:00"),
        ("cron(5 0 * * ? *)", "2027-03-14T05:05:00+00:00", "2027-03-15T04:05:00+00:00"),
        ("cron(30 3 * * ? *)", "2027-03-13T12:00:00+00:00", "2027-03-14T07:30:00+00:00"),
        ("cron(30 3 * * ? *)", "2027-03-14T07:30:00+00:00", "2027-03-15T07:30:00+00:00"),
        ("cron(30 3 * * ? *)", "2027-11-06T12:00:00+00:00", "2027-11-07T08:30:00+00:00"),
        ("cron(5 0 * * ? *)", "2027-11-07T04:05:00+00:00", "2027-11-08T05:05:00+00:00"),
    ],
)
def test_an_expression_fires_next(expression: str, after: str, expected: str) -> None:
    fires_at = cron.parse(expression, "America/Toronto").next_after(datetime.fromisoformat(after))

    assert fires_at == datetime.fromisoformat(expected)


def test_a_year_that_is_over_never_fires_again() -> None:
    assert cron.parse("cron(0 0 1 1 ? 2020)", "UTC").next_after(NOON) is None


@pytest.mark.parametrize(
    "expression",
    [
        "at(2027-01-01T00:00:00)",
        "rate(5 lustra)",
        "cron(0 0 * * * *)",
        "cron(61 0 * * ? *)",
        "cron(0 0 15W * ? *)",
        "no",
    ],
)
def test_what_is_not_understood_is_refused(expression: str) -> None:
    with pytest.raises(TemplateError, match="is not understood"):
        cron.parse(expression, "UTC")


class Calls:
    """Functions that only remember that they were called."""

    def __init__(self) -> None:
        self.made: queue.Queue[tuple[str, dict[str, Any]]] = queue.Queue()

    def __call__(self, name: str, event: dict[str, Any]) -> dict[str, str]:
        self.made.put((name, event))
        if name == "failing":
            raise ZeroDivisionError("on purpose")
        return {"ran": name}

    def next(self) -> tuple[str, dict[str, Any]]:
        return self.made.get(timeout=10)


@pytest.fixture
def calls() -> Calls:
    return Calls()


@pytest.fixture
def schedules(calls: Calls) -> Iterator[Schedules]:
    """`minutely` every minute and `failing` every hour, seen from Monday noon."""
    said = '{"time": "<aws.scheduler.scheduled-time>"}'
    functions = (
        function("minutely", Schedule("rate(1 minute)", "UTC", said)),
        function("failing", Schedule("rate(1 hour)", "UTC", said)),
        function("unscheduled"),
    )
    clock.move(NOON)
    schedules = Schedules(Application(Path(), functions, (), None), calls)
    schedules.start()
    yield schedules
    schedules.stop()
    clock.move(None)


def function(name: str, *schedules: Schedule) -> Function:
    return Function(name, f"functions.{name}.app", "lambda_handler", 5, 128, {}, (), schedules)


def test_a_schedule_fires_at_its_time_with_that_time_in_its_input(schedules: Schedules, calls: Calls) -> None:
    clock.move(NOON + timedelta(seconds=61))

    assert calls.next() == ("minutely", {"time": "2027-01-18T12:01:00Z"})


def test_a_jump_of_days_fires_everything_that_fell_due_once(schedules: Schedules, calls: Calls) -> None:
    clock.move(NOON + timedelta(days=3))

    assert {calls.next()[0], calls.next()[0]} == {"minutely", "failing"}
    assert calls.made.empty()


def test_a_jump_back_makes_the_next_time_near_again(schedules: Schedules, calls: Calls) -> None:
    clock.move(NOON - timedelta(days=30))
    assert calls.made.empty()

    clock.move(NOON - timedelta(days=30) + timedelta(seconds=61))

    assert calls.next()[0] == "minutely"


def test_a_run_that_fails_does_not_stop_the_next(schedules: Schedules, calls: Calls) -> None:
    for hours in (2, 4):
        clock.move(NOON + timedelta(hours=hours))
        assert {calls.next()[0], calls.next()[0]} == {"minutely", "failing"}


def test_firing_at_once_answers_what_the_function_returned(schedules: Schedules, calls: Calls) -> None:
    assert schedules.fire("minutely") == {"ran": "minutely"}

    _, event = calls.next()
    assert event["time"].startswith("2027-01-18T12:00:0")


@pytest.mark.parametrize("name", ["unscheduled", "unknown"])
def test_only_a_scheduled_function_can_be_fired(schedules: Schedules, calls: Calls, name: str) -> None:
    with pytest.raises(UnknownScheduleError, match=name):
        schedules.fire(name)

    assert calls.made.empty()
