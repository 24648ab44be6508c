"""The availability engine against the wall clock (spec 2.2-2.5, appendix A.1)."""

from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from itertools import combinations
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.scheduling.availability import (
    DURATIONS_MIN,
    TutorCalendar,
    day_starts,
    days_with_starts,
    horizon_of,
    offered_starts,
    reach_of,
    tutors_free_at,
)
from domain.scheduling.grid import instant_of, local_day, step_at, step_from
from tests.support.wall_clock import (
    HALF_HOUR,
    TORONTO,
    Busy,
    Exceptional,
    Rule,
    Schedule,
    half_hours_of,
    offered_on,
    on_the_wall,
)

A_DAY = timedelta(days=1)
MONDAY, TUESDAY = date(2027, 1, 18), date(2027, 1, 19)
SPRING, AUTUMN = date(2027, 3, 14), date(2027, 11, 7)
LONG_BEFORE = timedelta(days=10)
YEARS = range(2026, 2036)
EVERY_SHAPE = tuple(combinations(range(49), 2))  # every start < end among the 48 half hours and 24:00
EVERY_WEEKDAY = range(7)


def toronto(day: date, clock: str, fold: int = 0) -> datetime:
    """What Toronto's clock shows, as an instant; fold 1 is the second time it shows it."""
    local = datetime.fromisoformat(f"{day}T{clock}").replace(tzinfo=ZoneInfo("America/Toronto"), fold=fold)
    return local.astimezone(UTC)


def minutes(clock: str) -> int:
    hours, past = clock.split(":")
    return int(hours) * 60 + int(past)


def weekly(start: str, end: str, *weekdays: int) -> list[Rule]:
    return [Rule(weekday, minutes(start), minutes(end)) for weekday in weekdays or EVERY_WEEKDAY]


def engines(schedule: Schedule, number: int = 0) -> TutorCalendar:
    """The same schedule as the engine is given it: half hours, what is busy rounded outward."""
    return TutorCalendar(
        UUID(int=number),
        [(rule.weekday, rule.start // 30, rule.end // 30) for rule in schedule.rules],
        [
            (one.first.toordinal(), one.last.toordinal(), int(one.opens), one.start // 30, one.end // 30)
            for one in schedule.exceptions
        ],
        [(step_at(start), step_from(end)) for start, end in schedule.busy],
    )


def clock_of(starts: list[datetime], form: str = "%H:%M") -> list[str]:
    return [start.astimezone(TORONTO).strftime(form) for start in starts]


def starts(schedule: Schedule, day: date, duration_min: int = 60, now: datetime | None = None) -> list[str]:
    """The starts the engine offers that day, as Toronto's clock shows them."""
    now = now or toronto(day - LONG_BEFORE, "12:00")
    return clock_of(day_starts([engines(schedule)], day, duration_min, now))


MORNING = weekly("09:00", "12:00", 1)


# --- appendix A.1 --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("duration_min", "expected"),
    [
        (60, ["09:00", "09:30", "10:00", "10:30", "11:00"]),
        (90, ["09:00", "09:30", "10:00", "10:30"]),
        (120, ["09:00", "09:30", "10:00"]),
    ],
)
def test_a_morning_offers_every_start_whose_session_ends_by_noon(
    duration_min: int, expected: list[str]
) -> None:
    assert starts(Schedule(MORNING), MONDAY, duration_min) == expected


def test_an_appointment_hides_every_start_that_would_overlap_it() -> None:
    appointment = toronto(MONDAY, "10:00"), toronto(MONDAY, "11:00")

    assert starts(Schedule(MORNING, busy=[appointment]), MONDAY) == ["09:00", "11:00"]


def test_a_hold_takes_its_full_length() -> None:
    hold = toronto(MONDAY, "09:00"), toronto(MONDAY, "10:30")

    assert starts(Schedule(MORNING, busy=[hold]), MONDAY) == ["10:30", "11:00"]


def test_a_closed_exception_empties_its_day_and_no_other() -> None:
    schedule = Schedule(weekly("09:00", "12:00"), [Exceptional(MONDAY, MONDAY, opens=False)])

    assert starts(schedule, MONDAY) == []
    assert starts(schedule, TUESDAY) == ["09:00", "09:30", "10:00", "10:30", "11:00"]


def test_an_open_exception_adds_hours_to_a_day_without_rules() -> None:
    schedule = Schedule(
        (), [Exceptional(MONDAY, MONDAY, opens=True, start=minutes("18:00"), end=minutes("20:00"))]
    )

    assert starts(schedule, MONDAY) == ["18:00", "18:30", "19:00"]


@pytest.mark.parametrize("closed_comes_first", [True, False])
def test_where_an_open_and_a_closed_exception_meet_closed_wins(closed_comes_first: bool) -> None:
    opened = Exceptional(MONDAY, MONDAY, opens=True, start=minutes("08:00"), end=minutes("14:00"))
    closed = Exceptional(MONDAY, TUESDAY, opens=False, start=minutes("10:00"), end=minutes("12:00"))
    exceptions = [closed, opened] if closed_comes_first else [opened, closed]

    assert starts(Schedule(MORNING, exceptions), MONDAY) == [
        "08:00",
        "08:30",
        "09:00",
        "12:00",
        "12:30",
        "13:00",
    ]


def test_touching_hours_are_one_window() -> None:
    schedule = Schedule([*weekly("09:00", "10:00", 1), *weekly("10:00", "11:00", 1)])

    assert starts(schedule, MONDAY, 120) == ["09:00"]


@pytest.mark.parametrize(
    ("off", "expected"),
    [
        (("10:00", "10:30"), ["09:00", "10:30", "11:00"]),
        (("10:10", "10:20"), ["09:00", "10:30", "11:00"]),  # off the grid: rounded outward
        (("10:29", "10:31"), ["09:00", "11:00"]),
        (("08:00", "09:01"), ["09:30", "10:00", "10:30", "11:00"]),
        (("08:00", "09:00"), ["09:00", "09:30", "10:00", "10:30", "11:00"]),
        (("12:00", "13:00"), ["09:00", "09:30", "10:00", "10:30", "11:00"]),
        (("11:59", "13:00"), ["09:00", "09:30", "10:00", "10:30"]),
    ],
)
def test_time_off_hides_every_start_whose_session_it_touches(
    off: tuple[str, str], expected: list[str]
) -> None:
    time_off = toronto(MONDAY, off[0]), toronto(MONDAY, off[1])

    assert starts(Schedule(MORNING, busy=[time_off]), MONDAY) == expected


def test_time_off_that_began_weeks_ago_and_ends_this_morning_still_counts() -> None:
    time_off = toronto(MONDAY - 30 * A_DAY, "09:00"), toronto(MONDAY, "10:30")

    assert starts(Schedule(MORNING, busy=[time_off]), MONDAY) == ["10:30", "11:00"]


@pytest.mark.parametrize(
    ("now", "first"),
    [("08:00:00", "20:00"), ("07:59:59.999999", "20:00"), ("08:00:00.000001", "20:30"), ("08:29", "20:30")],
)
def test_a_session_can_be_booked_until_exactly_twelve_hours_before(now: str, first: str) -> None:
    evening = Schedule(weekly("18:00", "22:00", 1))

    assert starts(evening, MONDAY, now=toronto(MONDAY, now))[0] == first


@pytest.mark.parametrize(
    ("now", "last"),
    [("09:30:00", "09:30"), ("09:30:00.000001", "09:30"), ("09:29:59.999999", "09:00"), ("10:00", "10:00")],
)
def test_a_session_can_be_booked_from_exactly_sixty_days_before(now: str, last: str) -> None:
    sixty_days_before = MONDAY - 60 * A_DAY

    assert starts(Schedule(MORNING), MONDAY, now=toronto(sixty_days_before, now))[-1] == last


def test_lead_times_are_elapsed_hours_across_a_change_of_clocks() -> None:
    sunday = Schedule(weekly("00:00", "24:00", 0))

    # twelve elapsed hours after 22:30 EST is 11:30 EDT
    assert starts(sunday, SPRING, now=toronto(SPRING - A_DAY, "22:30"))[0] == "11:30"
    # sixty elapsed days before 09:00 EDT is 08:00 EST
    assert starts(sunday, SPRING, now=toronto(SPRING - 60 * A_DAY, "08:00"))[-1] == "09:00"


def test_two_tutors_free_at_the_same_time_are_one_start() -> None:
    now = toronto(MONDAY - LONG_BEFORE, "12:00")
    offered = day_starts([engines(Schedule(MORNING), n) for n in range(2)], MONDAY, 60, now)

    assert clock_of(offered) == ["09:00", "09:30", "10:00", "10:30", "11:00"]


def test_two_tutors_with_half_a_session_each_offer_none() -> None:
    now = toronto(MONDAY - LONG_BEFORE, "12:00")
    halves = [Schedule(weekly("09:00", "09:30", 1)), Schedule(weekly("09:30", "10:00", 1))]

    assert day_starts(map(engines, halves), MONDAY, 60, now) == []


def test_the_tutors_free_for_a_session_come_in_the_order_they_were_asked_in() -> None:
    busy = Schedule(MORNING, busy=[(toronto(MONDAY, "09:30"), toronto(MONDAY, "10:00"))])
    calendars = [engines(Schedule(MORNING), 3), engines(busy, 1), engines(Schedule(MORNING), 2)]

    assert tutors_free_at(calendars, toronto(MONDAY, "09:00"), 60) == [UUID(int=3), UUID(int=2)]


def test_a_range_has_every_day_up_to_and_with_the_last() -> None:
    now = toronto(MONDAY - LONG_BEFORE, "12:00")
    late = Schedule(weekly("23:00", "24:00", 1, 3))

    assert days_with_starts([engines(late)], MONDAY, MONDAY + 2 * A_DAY, 60, now) == {
        MONDAY: True,
        TUESDAY: False,
        MONDAY + 2 * A_DAY: True,
    }


def test_an_evening_session_is_on_its_local_day_though_utc_is_a_day_ahead() -> None:
    evening = Schedule(weekly("20:00", "21:00", 1))
    [start] = day_starts([engines(evening)], MONDAY, 60, toronto(MONDAY - LONG_BEFORE, "12:00"))

    assert start == datetime(2027, 1, 19, 1, tzinfo=UTC)
    assert starts(evening, TUESDAY) == []


# --- sessions across midnight --------------------------------------------------------------------------------


def test_a_session_runs_across_midnight_when_the_next_days_hours_continue() -> None:
    night = Schedule([*weekly("22:00", "24:00", 1), *weekly("00:00", "01:00", 2)])

    assert starts(night, MONDAY, 120) == ["22:00", "22:30", "23:00"]
    assert starts(night, TUESDAY, 60) == ["00:00"]


def test_a_session_stops_at_midnight_when_the_next_day_does_not_begin_with_hours() -> None:
    night = Schedule([*weekly("22:00", "24:00", 1), *weekly("00:30", "02:00", 2)])

    assert starts(night, MONDAY, 120) == ["22:00"]


def test_the_last_day_of_a_range_sees_the_hours_of_the_day_after() -> None:
    night = Schedule([*weekly("23:00", "24:00", 1), *weekly("00:00", "01:00", 2)])
    now = toronto(MONDAY - LONG_BEFORE, "12:00")

    assert days_with_starts([engines(night)], MONDAY, MONDAY, 120, now) == {MONDAY: True}


# --- the days the clocks change ------------------------------------------------------------------------------


def test_in_march_a_rule_from_one_to_four_is_two_hours() -> None:
    night = Schedule(weekly("01:00", "04:00", 0))

    assert starts(night, SPRING, 60) == ["01:00", "01:30", "03:00"]
    assert starts(night, SPRING, 90) == ["01:00", "01:30"]
    assert starts(night, SPRING, 120) == ["01:00"]
    assert starts(night, SPRING + 7 * A_DAY, 60) == ["01:00", "01:30", "02:00", "02:30", "03:00"]


def test_in_march_hours_that_do_not_exist_begin_at_the_first_instant_that_does() -> None:
    assert starts(Schedule(weekly("02:00", "04:00", 0)), SPRING) == ["03:00"]
    assert starts(Schedule(weekly("02:30", "04:30", 0)), SPRING) == ["03:00", "03:30"]
    assert starts(Schedule(weekly("01:00", "02:30", 0)), SPRING) == ["01:00"]
    assert starts(Schedule(weekly("02:00", "03:00", 0)), SPRING) == []


def test_in_november_a_rule_from_half_past_midnight_to_three_is_three_hours_and_a_half() -> None:
    night = Schedule(weekly("00:30", "03:00", 0))
    now = toronto(AUTUMN - LONG_BEFORE, "12:00")
    at = {
        duration: clock_of(day_starts([engines(night)], AUTUMN, duration, now), "%H:%M%z")
        for duration in DURATIONS_MIN
    }

    assert at == {
        60: ["00:30-0400", "01:00-0400", "01:30-0400", "01:00-0500", "01:30-0500", "02:00-0500"],
        90: ["00:30-0400", "01:00-0400", "01:30-0400", "01:00-0500", "01:30-0500"],
        120: ["00:30-0400", "01:00-0400", "01:30-0400", "01:00-0500"],
    }


def test_in_november_the_repeated_hour_can_be_taken_once_and_offered_once() -> None:
    first_time = toronto(AUTUMN, "01:00"), toronto(AUTUMN, "01:00", fold=1)
    night = Schedule(weekly("01:00", "02:00", 0), busy=[first_time])
    now = toronto(AUTUMN - LONG_BEFORE, "12:00")

    assert day_starts([engines(night)], AUTUMN, 60, now) == [toronto(AUTUMN, "01:00", fold=1)]


def test_in_november_a_rule_that_ends_inside_the_repeated_hour_is_two_windows() -> None:
    assert starts(Schedule(weekly("01:00", "01:30", 0)), AUTUMN) == []
    assert starts(Schedule(weekly("00:00", "01:30", 0)), AUTUMN, 90) == ["00:00"]


def test_exceptions_follow_the_wall_clock_too() -> None:
    closed = Exceptional(SPRING, SPRING, opens=False, start=minutes("02:00"), end=minutes("03:30"))
    opened = Exceptional(AUTUMN, AUTUMN, opens=True, start=minutes("01:00"), end=minutes("02:00"))

    assert starts(Schedule(weekly("00:00", "05:00", 0), [closed]), SPRING) == [
        "00:00",
        "00:30",
        "01:00",
        "03:30",
        "04:00",
    ]
    assert starts(Schedule((), [opened]), AUTUMN, 120) == ["01:00"]


@lru_cache
def changes_of(year: int) -> list[date]:
    """The days of a year that do not have 24 hours."""
    days = (date(year, 1, 1) + n * A_DAY for n in range(365))
    return [day for day in days if len(half_hours_of(day)) != 48]


def test_torontos_clocks_change_on_the_second_sunday_of_march_and_the_first_of_november() -> None:
    for year in YEARS:
        spring, autumn = changes_of(year)

        assert (spring.month, spring.isoweekday(), (spring.day - 1) // 7) == (3, 7, 1)
        assert (autumn.month, autumn.isoweekday(), (autumn.day - 1) // 7) == (11, 7, 0)


@pytest.mark.parametrize("weekdays", [{0}, set(EVERY_WEEKDAY)], ids=["sundays", "every day"])
@pytest.mark.parametrize("year", YEARS)
def test_around_each_change_every_rule_offers_exactly_what_wall_clock_and_elapsed_time_say(
    year: int, weekdays: set[int]
) -> None:
    """All 1 176 shapes of a weekly rule, all durations, over the day before a change, the day itself, the day after."""
    assert len(EVERY_SHAPE) == 1176
    for change in changes_of(year):
        days = change - A_DAY, change, change + A_DAY
        half_hours = [half_hour for day in days for half_hour in half_hours_of(day)]
        shown = [
            (place, minute // 30)
            for place, (_, weekday, minute) in enumerate(map(on_the_wall, half_hours))
            if weekday in weekdays
        ]
        horizon, now = horizon_of(days[0], days[1]), half_hours[0] - LONG_BEFORE
        assert instant_of(horizon.first) == half_hours[0]

        for start, end in EVERY_SHAPE:
            inside = {place for place, wall in shown if start <= wall < end}
            free = TutorCalendar(UUID(int=0), [(n, start, end) for n in weekdays], (), ()).free(horizon)
            fits = {place for place in inside if place + 1 in inside}
            for half_hours_needed, duration in zip((2, 3, 4), (60, 90, 120), strict=True):
                offered = offered_starts([free], horizon, duration, now)
                assert offered == sum(1 << place for place in fits), (change, start, end, duration)
                fits = {place for place in fits if place + half_hours_needed in inside}


# --- any week, any now ---------------------------------------------------------------------------------------

CHANGES = [change for year in YEARS for change in changes_of(year)]
near_a_change = st.builds(
    lambda change, away: change + away * A_DAY, st.sampled_from(CHANGES), st.integers(-3, 2)
)
days = near_a_change | st.dates(date(2026, 1, 1), date(2035, 12, 31))
stretches = st.tuples(st.integers(0, 47), st.integers(1, 48)).map(
    lambda pair: (min(pair[0], pair[1] - 1) * 30, max(pair[0] + 1, pair[1]) * 30)
)


@st.composite
def situations(draw: st.DrawFn) -> tuple[list[Schedule], date, int, datetime]:
    """Up to three tutors with tangled calendars, a day, a duration, and a now that matters to that day."""
    day = draw(days)
    midnight = half_hours_of(day)[0]

    def exceptional() -> st.SearchStrategy[Exceptional]:
        return st.builds(
            lambda first, length, opens, stretch: Exceptional(
                day + first * A_DAY, day + (first + length) * A_DAY, opens, *stretch
            ),
            st.integers(-3, 3),
            st.integers(0, 3),
            st.booleans(),
            stretches,
        )

    def busy(step: timedelta) -> st.SearchStrategy[Busy]:
        return st.builds(
            lambda start, length: (midnight + start * step, midnight + (start + length) * step),
            st.integers(-A_DAY // step, 3 * A_DAY // step),
            st.integers(1, 8),
        )

    schedule = st.builds(
        Schedule,
        st.lists(st.builds(lambda n, stretch: Rule(n, *stretch), st.integers(0, 6), stretches), max_size=10),
        st.lists(exceptional(), max_size=4),
        st.lists(busy(HALF_HOUR) | busy(timedelta(minutes=7, seconds=13)), max_size=5),
    )
    lead = draw(st.sampled_from((timedelta(hours=12), timedelta(days=60), timedelta(days=20))))
    off_by = draw(st.sampled_from((-1, 0, 1)) | st.integers(-(10**9), 10**9))
    start = midnight + draw(st.integers(0, 49)) * HALF_HOUR
    now = start - lead + timedelta(microseconds=off_by)
    return draw(st.lists(schedule, min_size=1, max_size=3)), day, draw(st.sampled_from(DURATIONS_MIN)), now


@given(situations())
@settings(max_examples=150, deadline=None)
def test_any_week_offers_exactly_what_wall_clock_and_elapsed_time_say(
    situation: tuple[list[Schedule], date, int, datetime],
) -> None:
    schedules, day, duration, now = situation
    calendars = [engines(schedule, number) for number, schedule in enumerate(schedules)]

    assert day_starts(calendars, day, duration, now) == offered_on(schedules, day, duration, now)


@given(situations(), st.integers(0, 3))
@settings(max_examples=50, deadline=None)
def test_a_day_of_a_range_has_availability_exactly_when_it_has_a_start(
    situation: tuple[list[Schedule], date, int, datetime], more_days: int
) -> None:
    schedules, first, duration, now = situation
    calendars = [engines(schedule, number) for number, schedule in enumerate(schedules)]
    last = first + more_days * A_DAY

    assert days_with_starts(calendars, first, last, duration, now) == {
        day: bool(offered_on(schedules, day, duration, now))
        for day in (first + n * A_DAY for n in range(more_days + 1))
    }


@given(situations(), st.integers(0, 45))
@settings(max_examples=100, deadline=None)
def test_the_tutors_who_can_give_a_session_are_exactly_those_whose_calendar_has_room(
    situation: tuple[list[Schedule], date, int, datetime], half_hour: int
) -> None:
    schedules, day, duration, _ = situation
    start = half_hours_of(day)[half_hour]
    calendars = [engines(schedule, number) for number, schedule in enumerate(schedules)]

    assert tutors_free_at(calendars, start, duration) == [
        UUID(int=number) for number, schedule in enumerate(schedules) if schedule.can_give(start, duration)
    ]


@given(days, st.integers(0, 62))
def test_calendars_are_read_from_the_first_midnight_to_the_end_of_the_day_after_the_last(
    first: date, more_days: int
) -> None:
    last = first + more_days * A_DAY

    assert reach_of(first, last) == (half_hours_of(first)[0], half_hours_of(last + 2 * A_DAY)[0])
    assert instant_of(local_day(first).first) == half_hours_of(first)[0]
