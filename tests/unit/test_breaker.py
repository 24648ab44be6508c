"""When a URL of Make is left alone, and for how long (make-webhooks b.3), to the second."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from domain.webhooks.breaker import Endpoint, after_failure, paused, resumes_by_itself
from domain.webhooks.delivery import Failure

NOW = datetime(2027, 1, 18, 17, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
MOMENT = timedelta.resolution

DOWN = Failure("timeout", "timeout")
OF_THE_EVENT = Failure("http", "HTTPError", 422)
GONE = Failure("http", "HTTPError", 410)


def refused(status: int) -> Failure:
    return Failure("http", "HTTPError", status)


def failing(times: int) -> Endpoint:
    return Endpoint("BOOKING", consecutive_failures=times, failing_since=NOW - HOUR)


def opened(at: datetime = NOW - 2 * MINUTE, wait: timedelta = MINUTE) -> Endpoint:
    return replace(
        failing(5),
        state="open",
        reason="failing",
        opened_at=at,
        probe_at=NOW,
        probe_wait_seconds=int(wait.total_seconds()),
    )


def test_the_first_failure_is_remembered() -> None:
    after = after_failure(Endpoint("BOOKING"), DOWN, False, NOW)

    assert after == Endpoint("BOOKING", consecutive_failures=1, failing_since=NOW)


@pytest.mark.parametrize("before", [1, 2, 3])
def test_four_failures_in_a_row_leave_it_in_service(before: int) -> None:
    after = after_failure(failing(before), DOWN, False, NOW)

    assert (after.state, after.consecutive_failures, after.failing_since) == (
        "active",
        before + 1,
        NOW - HOUR,
    )


def test_the_fifth_opens_it_for_a_minute() -> None:
    after = after_failure(failing(4), DOWN, False, NOW)

    assert after == Endpoint(
        "BOOKING",
        state="open",
        reason="failing",
        consecutive_failures=5,
        failing_since=NOW - HOUR,
        opened_at=NOW,
        probe_at=NOW + MINUTE,
        probe_wait_seconds=60,
    )


@pytest.mark.parametrize("status", [400, 405, 409, 411, 413, 422, 499])
def test_what_an_event_was_refused_for_itself_says_nothing_of_the_url(status: int) -> None:
    assert after_failure(failing(4), refused(status), False, NOW) == failing(4)


@pytest.mark.parametrize("status", [301, 401, 403, 404, 408, 429, 500, 503, 599])
def test_what_any_event_would_have_met_counts(status: int) -> None:
    assert after_failure(failing(4), refused(status), False, NOW).state == "open"


@pytest.mark.parametrize(
    ("waited", "waits"),
    [(MINUTE, 2 * MINUTE), (2 * MINUTE, 4 * MINUTE), (4 * MINUTE, 5 * MINUTE), (5 * MINUTE, 5 * MINUTE)],
)
@pytest.mark.parametrize("failure", [DOWN, OF_THE_EVENT])
def test_a_canary_in_vain_waits_twice_as_long_and_five_minutes_at_most(
    waited: timedelta, waits: timedelta, failure: Failure
) -> None:
    """Whatever it was refused for: nobody has shown that the URL works."""
    after = after_failure(opened(wait=waited), failure, True, NOW)

    assert (after.state, after.probe_at, after.probe_wait_seconds) == (
        "open",
        NOW + waits,
        waits.total_seconds(),
    )
    assert after.consecutive_failures == 6


def test_who_was_under_way_when_it_opened_moves_no_canary() -> None:
    after = after_failure(opened(), DOWN, False, NOW)

    assert after == replace(opened(), consecutive_failures=6)


@pytest.mark.parametrize(
    ("open_for", "state"),
    [(120 * HOUR - MOMENT, "open"), (120 * HOUR, "paused"), (121 * HOUR, "paused")],
)
def test_after_five_days_it_waits_for_a_person(open_for: timedelta, state: str) -> None:
    after = after_failure(opened(NOW - open_for), DOWN, True, NOW)

    assert after.state == state
    assert resumes_by_itself(after) == (state == "open")
    if state == "paused":
        assert (after.reason, after.opened_at, after.probe_at) == ("failing_too_long", NOW, None)


@pytest.mark.parametrize("before", [Endpoint("BOOKING"), failing(4), opened()])
@pytest.mark.parametrize("probing", [False, True])
def test_gone_pauses_it_at_once_and_looks_again_in_five_minutes(before: Endpoint, probing: bool) -> None:
    after = after_failure(before, GONE, probing, NOW)

    assert (after.state, after.reason, after.opened_at, after.probe_at) == (
        "paused",
        "gone",
        NOW,
        NOW + 5 * MINUTE,
    )
    assert resumes_by_itself(after)


@pytest.mark.parametrize(
    ("paused_for", "next_look"),
    [(HOUR, 5 * MINUTE), (24 * HOUR - MOMENT, 5 * MINUTE), (24 * HOUR, HOUR), (900 * HOUR, HOUR)],
)
@pytest.mark.parametrize("failure", [GONE, DOWN, OF_THE_EVENT])
def test_a_scenario_that_is_off_is_looked_for_often_during_a_day_and_hourly_then(
    paused_for: timedelta, next_look: timedelta, failure: Failure
) -> None:
    before = paused(Endpoint("BOOKING"), "gone", NOW - paused_for, probe_at=NOW)

    after = after_failure(before, failure, True, NOW)

    assert (after.state, after.reason, after.probe_at) == ("paused", "gone", NOW + next_look)
    assert after.opened_at == NOW - paused_for


def test_what_a_person_paused_waits_for_a_person() -> None:
    assert not resumes_by_itself(paused(opened(), "manual", NOW))
    assert not resumes_by_itself(Endpoint("BOOKING"))
    assert resumes_by_itself(opened())
