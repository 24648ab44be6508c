"""When an EventBridge Scheduler expression fires: `rate(5 minutes)`, `cron(30 9 ? * MON-FRI *)`."""

import calendar
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Protocol
from zoneinfo import ZoneInfo

from local.cloudformation import TemplateError

_UNITS = {"minute": 60, "hour": 3600, "day": 86400}
_MONTHS = {name.upper(): number for number, name in enumerate(calendar.month_abbr) if name}
_WEEKDAYS = {name: number for number, name in enumerate(("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"), 1)}
_HORIZON_DAYS = 366 * 5


class Expression(Protocol):
    """Something that fires."""

    def next_after(self, instant: datetime) -> datetime | None:
        """The first time after an instant that it fires (UTC), `None` for never again."""


def parse(expression: str, timezone: str) -> Expression:
    """Read a schedule expression.

    Raises
    ------
    TemplateError
        The expression is malformed, or uses what is not imitated (`at(…)`, `W`).
    """
    kind, _, rest = expression.partition("(")
    fields = rest.removesuffix(")").split()
    try:
        if kind == "rate" and len(fields) == 2:
            return Rate(timedelta(seconds=int(fields[0]) * _UNITS[fields[1].removesuffix("s")]))
        if kind == "cron" and len(fields) == 6:
            return Cron(fields, ZoneInfo(timezone))
    except (KeyError, ValueError) as error:
        raise TemplateError(f"The schedule {expression!r} is not understood: {error}") from error
    raise TemplateError(f"The schedule {expression!r} is not understood.")


@dataclass(frozen=True)
class Rate:
    """Every so often."""

    interval: timedelta

    def next_after(self, instant: datetime) -> datetime:
        """One interval later."""
        return instant + self.interval


class Cron:
    """Minutes, hours, day of month, month, day of week, year; the clock is the timezone's.

    A time that the change to summer time skips does not fire; one that autumn repeats fires once.
    """

    def __init__(self, fields: list[str], timezone: ZoneInfo) -> None:
        minutes, hours, self._day_of_month, months, self._day_of_week, years = fields
        self._minutes = sorted(_numbers(minutes, 0, 59))
        self._hours = sorted(_numbers(hours, 0, 23))
        self._months = _numbers(months, 1, 12, _MONTHS)
        self._years = _numbers(years, 1970, 2199)
        self._timezone = timezone
        if (self._day_of_month == "?") == (self._day_of_week == "?"):
            raise ValueError("one of day of month and day of week must be ?")
        self._fires_on(date(2000, 1, 1))  # read the two day fields now rather than at midnight

    def next_after(self, instant: datetime) -> datetime | None:
        """The first matching minute."""
        return next((fires_at for fires_at in self._from(instant) if fires_at > instant), None)

    def _from(self, instant: datetime) -> Iterator[datetime]:
        first = instant.astimezone(self._timezone).date()
        for day in (first + timedelta(days=ahead) for ahead in range(_HORIZON_DAYS)):
            if day.month in self._months and day.year in self._years and self._fires_on(day):
                for hour in self._hours:
                    for minute in self._minutes:
                        local = datetime(day.year, day.month, day.day, hour, minute, tzinfo=self._timezone)
                        utc = local.astimezone(UTC)
                        if utc.astimezone(self._timezone).replace(tzinfo=None) == local.replace(tzinfo=None):
                            yield utc

    def _fires_on(self, day: date) -> bool:
        if self._day_of_week == "?":
            last = calendar.monthrange(day.year, day.month)[1]
            return day.day in ({last} if self._day_of_month == "L" else _numbers(self._day_of_month, 1, 31))
        weekday, _, occurrence = self._day_of_week.partition("#")
        if occurrence:
            return _weekday(day) in _weekdays(weekday) and (day.day + 6) // 7 == int(occurrence)
        if weekday != "L" and weekday.endswith("L"):
            return _weekday(day) in _weekdays(weekday[:-1]) and (day + timedelta(days=7)).month != day.month
        return _weekday(day) in _weekdays(weekday)


def _weekday(day: date) -> int:
    return day.isoweekday() % 7 + 1


def _weekdays(text: str) -> set[int]:
    return {7} if text == "L" else _numbers(text, 1, 7, _WEEKDAYS)


def _numbers(text: str, low: int, high: int, names: dict[str, int] | None = None) -> set[int]:
    chosen: set[int] = set()
    for part in text.split(","):
        values, _, step = part.partition("/")
        first, _, last = values.partition("-")
        if first == "*":
            start, end = low, high
        else:
            start = _number(first, names)
            end = _number(last, names) if last else high if step else start
        if not low <= start <= end <= high:
            raise ValueError(f"{part} is not within {low}-{high}")
        chosen.update(range(start, end + 1, int(step or 1)))
    return chosen


def _number(text: str, names: dict[str, int] | None) -> int:
    return (names or {}).get(text.upper()) or int(text)
