"""A slow, independent judge of availability: half hour by half hour, by the wall clock and elapsed time (spec 2.2-2.3).

It shares nothing with the engine but the words. A half hour is inside a rule when Toronto's clock, read at that
instant, shows a time in [start, end) on the rule's weekday; exceptions of that date then open and close (closed
wins); whatever is busy for any part of it takes it. A start is offered when every half hour of the session is free,
between twelve hours and sixty days from now.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

TORONTO = ZoneInfo("America/Toronto")
HALF_HOUR = timedelta(minutes=30)
DAY_MIN = 24 * 60

type Busy = tuple[datetime, datetime]
"""From when to when, in UTC: a time off, an appointment, somebody's hold."""


@lru_cache(maxsize=65536)
def on_the_wall(instant: datetime) -> tuple[date, int, int]:
    """What Toronto's calendar and clock show at an instant: date, weekday (0 = Sunday), minutes since midnight."""
    local = instant.astimezone(TORONTO)
    return local.date(), local.isoweekday() % 7, local.hour * 60 + local.minute


@dataclass(frozen=True)
class Rule:
    """Weekly hours: weekday (0 = Sunday), from and to in minutes on the wall clock."""

    weekday: int
    start: int
    end: int


@dataclass(frozen=True)
class Exceptional:
    """An open or closed stretch of the wall clock, on each day from `first` to `last`."""

    first: date
    last: date
    opens: bool
    start: int = 0
    end: int = DAY_MIN


@dataclass(frozen=True)
class Schedule:
    """One tutor's."""

    rules: Sequence[Rule] = ()
    exceptions: Sequence[Exceptional] = ()
    busy: Sequence[Busy] = ()

    def is_free(self, half_hour: datetime) -> bool:
        day, weekday, minute = on_the_wall(half_hour)
        free = any(rule.weekday == weekday and rule.start <= minute < rule.end for rule in self.rules)
        today = [
            exception
            for exception in self.exceptions
            if exception.first <= day <= exception.last and exception.start <= minute < exception.end
        ]
        if today:
            free = all(exception.opens for exception in today)
        return free and not any(start < half_hour + HALF_HOUR and half_hour < end for start, end in self.busy)

    def can_give(self, start: datetime, duration_min: int) -> bool:
        """Whether this tutor is free for the whole of that session."""
        return all(self.is_free(start + n * HALF_HOUR) for n in range(duration_min // 30))


@lru_cache(maxsize=4096)
def half_hours_of(day: date) -> tuple[datetime, ...]:
    """The half hours that begin on that local day, in UTC and in order."""
    midnight_in_utc = datetime.combine(day, time(), UTC)  # some hours before Toronto's
    following = (midnight_in_utc + n * HALF_HOUR for n in range(2 * 48))
    return tuple(half_hour for half_hour in following if on_the_wall(half_hour)[0] == day)


def offered_on(schedules: Iterable[Schedule], day: date, duration_min: int, now: datetime) -> list[datetime]:
    """The starts on that local day at which at least one tutor can give the session."""
    tutors = list(schedules)
    return [
        start
        for start in half_hours_of(day)
        if now + timedelta(hours=12) <= start <= now + timedelta(days=60)
        and any(tutor.can_give(start, duration_min) for tutor in tutors)
    ]
