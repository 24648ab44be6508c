"""The availability engine alone, beside the loop over datetimes that anyone would write first."""

import random
from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta
from uuid import UUID

from bench.table import Row
from bench.timing import median, time_ms
from domain.clock import TORONTO
from domain.scheduling.availability import (
    DURATIONS_MIN,
    TutorCalendar,
    days_with_starts,
    horizon_of,
    offered_starts,
)
from domain.scheduling.grid import bits_of, instant_of, run, step_at

TUTORS, DAYS, BUSY = 50, 60, 100
NOW = datetime(2027, 1, 18, 17, tzinfo=UTC)  # sixty days on, the clocks have changed
FIRST, LAST = date(2027, 1, 18), date(2027, 1, 18) + timedelta(days=DAYS - 1)
HALF_HOUR = timedelta(minutes=30)
WEEKLY = [(weekday, start, end) for weekday in range(1, 6) for start, end in ((18, 24), (26, 40))]


def rows() -> Iterable[Row]:
    """The engine, the loop, and how many times faster the engine is."""
    busy = draw_busy()
    calendars = [
        TutorCalendar(UUID(int=number), WEEKLY, (), [(step_at(start), step_at(end)) for start, end in taken])
        for number, taken in enumerate(busy)
    ]
    assert by_engine(calendars) == by_datetimes(busy)
    engine = median(time_ms(lambda: answer(calendars), runs=200))
    loop = median(time_ms(lambda: by_datetimes(busy), runs=5, warm_up=1))
    one_range = median(time_ms(lambda: days_with_starts(calendars, FIRST, LAST, 60, NOW), runs=200))
    work = f"{TUTORS} tutors × {DAYS} days × {len(DURATIONS_MIN)} durations, {BUSY} busy intervals each"
    return [
        Row(f"engine alone: {work} (median)", engine, at_most=5),
        Row("  the same by a loop over datetimes", loop),
        Row("  the loop takes", loop / engine, "× as long"),
        Row("  one duration, a yes or no for each of the days", one_range),
    ]


def draw_busy() -> list[list[tuple[datetime, datetime]]]:
    """Per tutor, busy intervals of one to two hours that do not overlap, anywhere on the horizon."""
    draw = random.Random(1)
    midnight = datetime(FIRST.year, FIRST.month, FIRST.day, tzinfo=TORONTO).astimezone(UTC)
    return [
        [
            (
                start := midnight + place * timedelta(hours=2),
                start + draw.choice(DURATIONS_MIN) * timedelta(minutes=1),
            )
            for place in draw.sample(range(DAYS * 12), BUSY)
        ]
        for _ in range(TUTORS)
    ]


def answer(calendars: list[TutorCalendar]) -> list[int]:
    """What is measured: the offered starts of each duration, as bits."""
    horizon = horizon_of(FIRST, LAST)
    free = [calendar.free(horizon) for calendar in calendars]
    until = run(0, horizon.days[-1].first - horizon.first)
    return [offered_starts(free, horizon, duration, NOW) & until for duration in DURATIONS_MIN]


def by_engine(calendars: list[TutorCalendar]) -> list[set[datetime]]:
    """The offered starts of each duration, as instants."""
    first = horizon_of(FIRST, LAST).first
    return [{instant_of(first + place) for place in bits_of(bits)} for bits in answer(calendars)]


def by_datetimes(busy: list[list[tuple[datetime, datetime]]]) -> list[set[datetime]]:
    """The same, window by window and start by start, looking only at what is busy on the day."""
    offered: list[set[datetime]] = [set() for _ in DURATIONS_MIN]
    for taken in busy:
        taken_on = defaultdict(list)
        for start, end in taken:
            for day in {start.astimezone(TORONTO).date(), end.astimezone(TORONTO).date()}:
                taken_on[day].append((start, end))
        for day in (FIRST + timedelta(days=n) for n in range(DAYS)):
            for weekday, opens, closes in WEEKLY:
                if weekday != day.isoweekday() % 7:
                    continue
                window_start = datetime.combine(day, time(opens // 2), TORONTO).astimezone(UTC)
                window_end = datetime.combine(day, time(closes // 2), TORONTO).astimezone(UTC)
                for starts, duration in zip(offered, DURATIONS_MIN, strict=True):
                    length = timedelta(minutes=duration)
                    start = window_start
                    while start + length <= window_end:
                        bookable = NOW + timedelta(hours=12) <= start <= NOW + timedelta(days=60)
                        if bookable and not any(a < start + length and start < b for a, b in taken_on[day]):
                            starts.add(start)
                        start += HALF_HOUR
    return offered
