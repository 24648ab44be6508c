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
