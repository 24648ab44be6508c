"""The 30-minute grid, and days as Toronto's clocks live them (spec 2.2)."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.scheduling import grid

TORONTO = ZoneInfo("America/Toronto")
SPRING, AUTUMN, ORDINARY = date(2027, 3, 14), date(2027, 11, 7), date(2027, 1, 18)
HALF_HOUR = timedelta(minutes=30)

instants = st.datetimes(datetime(2025, 1, 1), datetime(2040, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
days = st.dates(date(2025, 1, 1), date(2040, 1, 1))
bit_sets = st.integers(0, 2**150)


def wall(bits: int, day: date = ORDINARY) -> list[str]:
    """The half hours of a day in `bits`, as Toronto's clock shows them."""
    first = grid.local_day(day).first
    return [
        grid.instant_of(first + place).astimezone(TORONTO).strftime("%H:%M %Z")
        for place in grid.bits_of(bits)
    ]


# --- instants and half hours ---------------------------------------------------------------------------------


@given(instants)
def test_every_instant_lies_in_the_half_hour_that_contains_it(instant: datetime) -> None:
    begins = grid.instant_of(grid.step_at(instant))

    assert begins <= instant < begins + HALF_HOUR


@given(instants)
def test_the_next_half_hour_is_the_first_that_does_not_begin_before_the_instant(instant: datetime) -> None:
    begins = grid.instant_of(grid.step_from(instant))

    assert begins - HALF_HOUR < instant <= begins


@given(instants.map(lambda instant: instant.astimezone(TORONTO)))
def test_the_grid_is_where_torontos_clock_shows_the_hour_or_the_half(instant: datetime) -> None:
    for near in (instant, instant.replace(minute=30, second=0, microsecond=0)):
        shows_it = (near.minute % 30, near.second, near.microsecond) == (0, 0, 0)

        assert grid.on_grid(near) == shows_it
        assert (grid.step_at(near) == grid.step_from(near)) == shows_it


@pytest.mark.parametrize("off_by", [timedelta(microseconds=1), timedelta(seconds=1), timedelta(minutes=10)])
def test_just_after_the_half_hour_is_off_the_grid(off_by: timedelta) -> None:
    begins = datetime(2027, 1, 18, 14, 30, tzinfo=UTC)

    assert grid.on_grid(begins)
    assert not grid.on_grid(begins + off_by)
    assert not grid.on_grid(begins - off_by)


# --- sets of half hours --------------------------------------------------------------------------------------


@given(st.integers(-60, 150), st.integers(-60, 150))
def test_a_run_is_the_half_hours_from_its_start_up_to_its_end_that_are_not_before_the_first(
    start: int, end: int
) -> None:
    assert list(grid.bits_of(grid.run(start, end))) == list(range(max(start, 0), end))


@given(bit_sets)
def test_bits_of_lists_exactly_the_set_bits_in_order(bits: int) -> None:
    assert list(grid.bits_of(bits)) == [place for place in range(151) if bits >> place & 1]


@given(bit_sets, st.sampled_from((60, 90, 120)))
def test_a_session_fits_where_all_its_half_hours_are_free(free: int, duration_min: int) -> None:
    half_hours = set(grid.bits_of(free))
    length = duration_min // 30
    expected = [start for start in half_hours if {start + ahead for ahead in range(length)} <= half_hours]

    assert list(grid.bits_of(grid.starts_that_fit(free, grid.steps_in(duration_min)))) == sorted(expected)


# --- days ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("day", "half_hours"), [(SPRING, 46), (ORDINARY, 48), (AUTUMN, 50)])
def test_a_day_has_23_24_or_25_hours(day: date, half_hours: int) -> None:
    assert grid.local_day(day).length == half_hours


@given(days)
def test_days_follow_one_another_without_a_gap(day: date) -> None:
    today, tomorrow = grid.local_day(day), grid.local_day(day + timedelta(days=1))

    assert today.first + today.length == tomorrow.first
    assert grid.instant_of(today.first).astimezone(TORONTO).strftime("%F %T") == f"{day} 00:00:00"


@pytest.mark.parametrize(
    ("day", "weekday"), [(SPRING, 0), (ORDINARY, 1), (date(2027, 1, 23), 6), (date(2027, 1, 24), 0)]
)
def test_weekdays_are_counted_from_sunday(day: date, weekday: int) -> None:
    assert grid.local_day(day).weekday == weekday


def test_a_session_in_the_evening_belongs_to_its_local_day_though_utc_is_a_day_ahead() -> None:
    assert grid.local_date(datetime(2027, 1, 19, 1, tzinfo=UTC)) == ORDINARY


def test_in_march_the_hour_from_two_to_three_does_not_exist() -> None:
    day = grid.local_day(SPRING)

    assert wall(day.elapsed(grid.run(2, 8)), SPRING) == ["01:00 EST", "01:30 EST", "03:00 EDT", "03:30 EDT"]
    assert wall(day.elapsed(grid.run(4, 6)), SPRING) == []
    assert wall(day.elapsed(grid.run(5, 7)), SPRING) == ["03:00 EDT"]


def test_in_november_the_hour_from_one_to_two_happens_twice() -> None:
    day = grid.local_day(AUTUMN)

    assert wall(day.elapsed(grid.run(1, 6)), AUTUMN) == [
        "00:30 EDT",
        "01:00 EDT",
        "01:30 EDT",
        "01:00 EST",
        "01:30 EST",
        "02:00 EST",
        "02:30 EST",
    ]


@given(days, st.integers(0, 90), st.lists(st.integers(0, 2**48 - 1), min_size=7, max_size=7))
def test_a_week_laid_over_a_horizon_is_each_of_its_days_laid_down_in_turn(
    first: date, more_days: int, week: list[int]
) -> None:
    horizon = grid.Horizon(first, first + timedelta(days=more_days))
    day_by_day = 0
    for day in horizon.days:
        day_by_day |= day.elapsed(week[day.weekday]) << (day.first - horizon.first)

    assert horizon.repeat(week) == day_by_day
    assert len(horizon.days) == more_days + 1
    assert horizon.end - horizon.first == sum(day.length for day in horizon.days)
