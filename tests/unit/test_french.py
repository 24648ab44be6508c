"""Money and time as they are read in Québec (spec 3.10)."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from domain import french


@pytest.mark.parametrize(
    ("amount", "read"),
    [
        ("45.00", "45,00 $"),
        ("0", "0,00 $"),
        ("-4.5", "-4,50 $"),
        ("1234.56", "1 234,56 $"),
        ("1234567.8", "1 234 567,80 $"),
    ],
)
def test_dollars(amount: str, read: str) -> None:
    assert french.dollars(Decimal(amount)) == read.replace(" ", "\u00a0")


@pytest.mark.parametrize(
    ("instant", "read"),
    [
        (datetime(2027, 1, 18, 14, 0, tzinfo=UTC), "lundi 18 janvier 2027 à 9 h 00"),
        (datetime(2027, 8, 1, 22, 30, tzinfo=UTC), "dimanche 1er août 2027 à 18 h 30"),
        (datetime(2027, 2, 1, 4, 30, tzinfo=UTC), "dimanche 31 janvier 2027 à 23 h 30"),
    ],
)
def test_moments_are_on_toronto_s_clock(instant: datetime, read: str) -> None:
    assert french.moment(instant).replace("\u00a0", " ") == read


@pytest.mark.parametrize(
    ("instant", "printed"),
    [
        (datetime(2026, 12, 10, 14, tzinfo=UTC), "jeudi 10 décembre 2026 à 9 h"),
        (datetime(2026, 12, 10, 14, 30, tzinfo=UTC), "jeudi 10 décembre 2026 à 9 h 30"),
        (datetime(2027, 6, 1, 20, 5, tzinfo=UTC), "mardi 1er juin 2027 à 16 h 05"),
        (datetime(2027, 3, 14, 4, 59, tzinfo=UTC), "samedi 13 mars 2027 à 23 h 59"),  # the day is Toronto's
        (datetime(2027, 3, 14, 5, tzinfo=UTC), "dimanche 14 mars 2027 à 0 h"),
    ],
)
def test_a_moment_in_a_message_has_ordinary_spaces_and_no_idle_minutes(
    instant: datetime, printed: str
) -> None:
    assert french.plain_moment(instant) == printed


@pytest.mark.parametrize(
    ("start", "end", "printed"),
    [
        ((10, 14, 0), (10, 15, 30), "jeudi 10 décembre 2026, de 9 h à 10 h 30"),
        ((1, 14, 30), (1, 15, 30), "mardi 1er décembre 2026, de 9 h 30 à 10 h 30"),
        ((11, 3, 0), (11, 5, 0), "jeudi 10 décembre 2026, de 22 h à minuit"),  # the day is Toronto's
        ((11, 4, 0), (11, 5, 30), "du jeudi 10 décembre 2026 à 23 h au vendredi 11 décembre 2026 à 0 h 30"),
        ((10, 14, 0), (14, 22, 0), "du jeudi 10 décembre 2026 à 9 h au lundi 14 décembre 2026 à 17 h"),
    ],
)
def test_a_span_says_its_day_once(
    start: tuple[int, int, int], end: tuple[int, int, int], printed: str
) -> None:
    first, last = (datetime(2026, 12, day, hour, minute, tzinfo=UTC) for day, hour, minute in (start, end))
    assert french.plain_span(first, last) == printed


@pytest.mark.parametrize(
    ("amount", "printed"),
    [("60.75", "60,75 $"), ("0", "0,00 $"), ("1234.5", "1 234,50 $"), ("1234567.89", "1 234 567,89 $")],
)
def test_an_amount_in_a_message_has_ordinary_spaces(amount: str, printed: str) -> None:
    assert french.plain_dollars(Decimal(amount)) == printed


@pytest.mark.parametrize(
    ("number", "printed"), [("4.75", "4,75"), ("5.00", "5"), ("4.50", "4,5"), ("10", "10")]
)
def test_a_score_is_printed_with_a_comma(number: str, printed: str) -> None:
    assert french.plain_number(Decimal(number)) == printed
