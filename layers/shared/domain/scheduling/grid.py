"""The 30-minute grid: absolute half hours counted from the Unix epoch, sets of them as bits of one integer.

Toronto's offsets are whole hours, so the local grid and the absolute grid are the same grid; only the wall
clock's reading of a half hour changes, twice a year.
"""

import sys
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from itertools import groupby
from typing import NamedTuple

from domain.clock import TORONTO

STEP_MIN = 30
STEP_SECONDS = STEP_MIN * 60
WALL_STEPS = 48


def step_at(instant: datetime) -> int:
    """The half hour that contains an instant."""
    return int(instant.timestamp()) // STEP_SECONDS


def step_from(instant: datetime) -> int:
    """The first half hour that begins at or after an instant."""
    return -(-int(-(-instant.timestamp() // 1)) // STEP_SECONDS)


def instant_of(step: int) -> datetime:
    """When a half hour begins, in UTC."""
    return datetime.fromtimestamp(step * STEP_SECONDS, UTC)


def on_grid(instant: datetime) -> bool:
    """Whether an instant begins a half hour."""
    return instant.microsecond == 0 and int(instant.timestamp()) % STEP_SECONDS == 0


def steps_in(duration_min: int) -> int:
    """How many half hours a duration in minutes takes."""
    return duration_min // STEP_MIN


def run(start: int, end: int) -> int:
    """Bits `start` up to but not including `end`; none when the run is empty or lies below bit 0."""
    start = max(start, 0)
    return ((1 << (end - start)) - 1) << start if end > start else 0


def read_half_hours(sent: bytes) -> Sequence[int]:
    """Half hours as PostgreSQL sends integers: 32 bits each, big-endian."""
    steps = array("i", sent)
    if sys.byteorder == "little":
        steps.byteswap()
    return steps


def bits_of(bits: int) -> Iterator[int]:
    """The positions of the set bits, lowest first."""
    while bits:
        lowest = bits & -bits
        yield lowest.bit_length() - 1
        bits ^= lowest


def starts_that_fit(free: int, steps: int) -> int:
    """The bits of `free` at which `steps` free half hours in a row begin."""
    fitting = free
    for ahead in range(1, steps):
        fitting &= free >> ahead
    return fitting


class Stretch(NamedTuple):
    """Half hours during which the wall clock goes on evenly."""

    place: int
    """The first, from the day's first."""
    reading: int
    """The wall half hour it shows."""
    length: int


@dataclass(frozen=True, slots=True)
class LocalDay:
    """One calendar day in Toronto: where it lies on the grid and what its wall clock shows."""

    date: date
    first: int
    length: int
    weekday: int  # 0 = Sunday
    stretches: tuple[Stretch, ...] = ()  # on a day the clocks change: what runs between the changes

    def elapsed(self, wall: int) -> int:
        """The half hours of this day whose wall-clock reading is in `wall`, as bits from the day's first."""
        if not self.stretches:
            return wall
        elapsed = 0
        for stretch in self.stretches:
            elapsed |= (wall >> stretch.reading & run(0, stretch.length)) << stretch.place
        return elapsed


@lru_cache(maxsize=1024)
def local_day(day: date) -> LocalDay:
    """The day as Toronto's clocks lived or will live it: 48 half hours, or 46 or 50 when they change."""
    first = step_at(datetime(day.year, day.month, day.day, tzinfo=TORONTO))
    following = day + timedelta(days=1)
    length = step_at(datetime(following.year, following.month, following.day, tzinfo=TORONTO)) - first
    stretches: tuple[Stretch, ...] = ()
    if length != WALL_STEPS:
        wall_clock = (instant_of(first + place).astimezone(TORONTO) for place in range(length))
        readings = [reading.hour * 2 + reading.minute // STEP_MIN for reading in wall_clock]
        stretches = tuple(_stretches(readings))
    return LocalDay(day, first, length, day.isoweekday() % 7, stretches)


def _stretches(readings: Sequence[int]) -> Iterator[Stretch]:
    """Where the wall clock goes on evenly, given what it reads at each elapsed half hour."""
    for _, together in groupby(enumerate(readings), lambda at: at[1] - at[0]):
        (place, reading), *more = together
        yield Stretch(place, reading, 1 + len(more))


def local_date(instant: datetime) -> date:
    """The calendar day an instant falls on in Toronto."""
    return instant.astimezone(TORONTO).date()


class Horizon:
    """Consecutive local days, as one stretch of the grid. Bit 0 is the first half hour of the first day."""

    def __init__(self, first: date, last: date) -> None:
        """Every day from `first` to `last`, both included."""
        self.days = tuple(local_day(first + timedelta(days=n)) for n in range((last - first).days + 1))
        self.first = self.days[0].first
        self.end = self.days[-1].first + self.days[-1].length
        self._ordinary = [0] * 7  # per weekday, a bit where each of its ordinary days begins
        self._changing: list[LocalDay] = []
        for day in self.days:
            if not day.stretches:
                self._ordinary[day.weekday] |= 1 << day.first - self.first
            else:
                self._changing.append(day)

    def repeat(self, week: Sequence[int]) -> int:
        """A week of wall-clock half hours, Sunday first, laid over every day of the horizon.

        Multiplying a day's bits by the places where such days begin sets them on all of those days at once.
        """
        bits = 0
        for wall, days in zip(week, self._ordinary, strict=True):
            bits |= wall * days
        for day in self._changing:
            bits |= day.elapsed(week[day.weekday]) << day.first - self.first
        return bits
