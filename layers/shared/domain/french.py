"""Money and time as people in Québec read them (spec 3.10). Spaces that must not break are no-break spaces."""

from datetime import date, datetime, time, timedelta
from decimal import Decimal

from domain.clock import on_toronto_clock

WEEKDAYS = ("lundi", "mardi", "mercredi", "jeudi", "vendredi", "samedi", "dimanche")
MONTHS = (
    "janvier",
    "février",
    "mars",
    "avril",
    "mai",
    "juin",
    "juillet",
    "août",
    "septembre",
    "octobre",
    "novembre",
    "décembre",
)


def dollars(amount: Decimal) -> str:
    """`1 234,50 $`; what is taken off has a minus sign."""
    whole, cents = f"{abs(amount):,.2f}".split(".")
    sign = "-" if amount < 0 else ""
    return f"{sign}{whole.replace(',', '\u00a0')},{cents}\u00a0$"


def day(instant: datetime) -> str:
    """`18 janvier 2027`, the first of a month being `1er`."""
    return _day(on_toronto_clock(instant).date())


def _day(local: date) -> str:
    number = "1er" if local.day == 1 else str(local.day)
    return f"{number}\u00a0{MONTHS[local.month - 1]}\u00a0{local.year}"


def moment(instant: datetime) -> str:
    """`lundi 18 janvier 2027 à 9 h 00`."""
    local = on_toronto_clock(instant)
    return f"{WEEKDAYS[local.weekday()]} {day(instant)} à {clock(instant)}"


def clock(instant: datetime) -> str:
    """`9 h 00`, on Toronto's clock."""
    local = on_toronto_clock(instant)
    return f"{local.hour}\u00a0h\u00a0{local:%M}"


def plain_moment(instant: datetime) -> str:
    """`lundi 18 janvier 2027 à 9 h`, or `à 9 h 30`: ordinary spaces alone, as a text message wants them."""
    local = on_toronto_clock(instant)
    return f"{plain_date(local.date())} à {plain_time(local.time())}"


def plain_span(start: datetime, end: datetime) -> str:
    """`lundi 18 janvier 2027, de 9 h à 10 h 30`; over several days `du lundi … à 9 h au mardi … à 12 h`."""
    first, last = on_toronto_clock(start), on_toronto_clock(end)
    if (last - timedelta.resolution).date() == first.date():  # midnight ends a day
        return f"{plain_date(first.date())}, {plain_times(first.time(), last.time())}"
    return f"du {plain_moment(start)} au {plain_moment(end)}"


def plain_date(local: date) -> str:
    """`lundi 18 janvier 2027`, with ordinary spaces."""
    return f"{WEEKDAYS[local.weekday()]} {_day(local)}".replace("\u00a0", " ")


def plain_times(start: time, end: time) -> str:
    """`de 9 h à 10 h 30`, `de 22 h à minuit`."""
    return f"de {plain_time(start)} à {plain_time(end) if end != time() else 'minuit'}"


def plain_time(local: time) -> str:
    """`9 h`, `9 h 30`, with ordinary spaces."""
    return f"{local.hour} h {local:%M}" if local.minute else f"{local.hour} h"


def plain_dollars(amount: Decimal) -> str:
    """`1 234,50 $` with ordinary spaces."""
    return dollars(amount).replace("\u00a0", " ")


def plain_number(number: Decimal) -> str:
    """`4,75`, `5`."""
    return f"{number.normalize():f}".replace(".", ",")


def duration(minutes: int) -> str:
    """`60 min`."""
    return f"{minutes}\u00a0min"
