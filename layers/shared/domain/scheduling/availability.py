"""What tutors offer: weekly hours, exceptions, and what is already taken, as arithmetic on bits (spec 2.2-2.5)."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import lru_cache
from uuid import UUID

from domain.scheduling.grid import (
    Horizon,
    LocalDay,
    bits_of,
    instant_of,
    local_date,
    local_day,
    run,
    starts_that_fit,
    step_at,
    step_from,
    steps_in,
)

DURATIONS_MIN = (60, 90, 120)
LEAD_TIME = timedelta(hours=12)
BOOKING_HORIZON = timedelta(days=60)

type WeeklyRule = Sequence[int]
"""Weekday (0 = Sunday), first wall half hour, end wall half hour (48 = midnight)."""
type DayException = Sequence[int]
"""First day, last day (proleptic ordinals, both included), 1 open or 0 closed, first and end wall half hour."""
type Taken = Sequence[int]
"""First and end half hour on the absolute grid, already rounded outward."""


@dataclass(frozen=True, slots=True)
class TutorCalendar:
    """Everything that decides when one tutor can be booked, within the horizon it was read for."""

    tutor_id: UUID
    weekly: Sequence[WeeklyRule]
    exceptions: Sequence[DayException]
    taken: Sequence[Taken]

    def free(self, horizon: Horizon) -> int:
        """The half hours of the horizon this tutor can be booked in, bit 0 being the horizon's first."""
        week = [0] * 7
        for weekday, start, end in self.weekly:
            week[weekday] |= (1 << end) - (1 << start)
        free = horizon.repeat(week)
        for day, opened, closed in self._exceptional_days(horizon):
            wall = (week[day.weekday] | opened) & ~closed
            place = day.first - horizon.first
            free = free & ~(run(0, day.length) << place) | day.elapsed(wall) << place
        return free & ~self._taken(horizon)

    def _taken(self, horizon: Horizon) -> int:
        origin = horizon.first
        taken = 0
        for start, end in self.taken:
            if start >= origin:
                taken |= ((1 << end - start) - 1) << start - origin
            else:
                taken |= run(start - origin, end - origin)
        return taken

    def _exceptional_days(self, horizon: Horizon) -> Iterator[tuple[LocalDay, int, int]]:
        """Each day of the horizon with exceptions: what they open and what they close. Closed wins (spec 2.3)."""
        first_day = horizon.days[0].date.toordinal()
        walls: dict[
            int, list[int]
        ] = {}  # by place among the horizon's days: closed half hours, opened half hours
        for first, last, opens, start, end in self.exceptions:
            wall = run(start, end)
            for place in range(max(first - first_day, 0), min(last - first_day + 1, len(horizon.days))):
                walls.setdefault(place, [0, 0])[opens] |= wall
        for place, (closed, opened) in walls.items():
            yield horizon.days[place], opened, closed


def bookable_window(now: datetime, horizon: Horizon) -> int:
    """The starts that respect the lead time and the booking horizon, both ends allowed."""
    earliest = step_from(now + LEAD_TIME)
    latest = step_at(now + BOOKING_HORIZON)
    return run(earliest - horizon.first, latest + 1 - horizon.first)


def bookable_days(now: datetime) -> tuple[date, date]:
    """The first and last local day a session can begin on."""
    return local_date(now + LEAD_TIME), local_date(now + BOOKING_HORIZON)


def offered_starts(free: Iterable[int], horizon: Horizon, duration_min: int, now: datetime) -> int:
    """The starts at which at least one tutor can give a session of that many minutes.

    `free` is one integer per tutor, as `TutorCalendar.free` answers it for the same horizon.
    """
    steps = steps_in(duration_min)
    anyone = 0
    for half_hours in free:
        anyone |= starts_that_fit(half_hours, steps)
    return anyone & bookable_window(now, horizon)


def day_starts(
    calendars: Iterable[TutorCalendar], day: date, duration_min: int, now: datetime
) -> list[datetime]:
    """The offered starts whose local date is `day`, in order. Calendars must reach into the next day."""
    horizon = horizon_of(day, day)
    free = [calendar.free(horizon) for calendar in calendars]
    starts = offered_starts(free, horizon, duration_min, now) & run(0, horizon.days[0].length)
    return [instant_of(horizon.first + place) for place in bits_of(starts)]


def days_with_starts(
    calendars: Iterable[TutorCalendar], first: date, last: date, duration_min: int, now: datetime
) -> dict[date, bool]:
    """For each day from `first` to `last`, both included, whether any start is offered on it."""
    horizon = horizon_of(first, last)
    free = [calendar.free(horizon) for calendar in calendars]
    starts = offered_starts(free, horizon, duration_min, now)
    return {
        day.date: bool(starts >> (day.first - horizon.first) & run(0, day.length))
        for day in horizon.days[:-1]
    }


def tutors_free_at(calendars: Iterable[TutorCalendar], start: datetime, duration_min: int) -> list[UUID]:
    """The tutors who can give that session, in the order the calendars come in."""
    day = local_date(start)
    horizon = horizon_of(day, day)
    place = step_at(start) - horizon.first
    steps = steps_in(duration_min)
    return [
        calendar.tutor_id
        for calendar in calendars
        if starts_that_fit(calendar.free(horizon), steps) >> place & 1
    ]


@lru_cache(maxsize=256)
def horizon_of(first: date, last: date) -> Horizon:
    """The grid needed to judge starts from `first` to `last`: a session may run into the next day."""
    return Horizon(first, last + timedelta(days=1))


def reach_of(first: date, last: date) -> tuple[datetime, datetime]:
    """The instants between which calendars must be read to judge starts from `first` to `last`."""
    horizon = horizon_of(first, last)
    return instant_of(local_day(first).first), instant_of(horizon.end)
