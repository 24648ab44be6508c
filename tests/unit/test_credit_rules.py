"""How much of a total credits pay, and how they are shared over its sessions (spec 3.6, 3.7)."""

from datetime import UTC, datetime
from decimal import Decimal
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain import money
from domain.checkout.quote import MINIMUM_CHARGE, WantedCredits, apply_credits, quote
from domain.coupons.coupons import Coupon
from domain.errors import Refused

NOW = datetime(2027, 1, 18, 17, tzinfo=UTC)

amounts = st.integers(0, 200).map(money.from_cents) | st.integers(0, 50_000).map(money.from_cents)
wishes: st.SearchStrategy[WantedCredits] = st.one_of(st.none(), st.just("all"), amounts)


def applied(total: Decimal, wanted: WantedCredits, available: Decimal) -> Decimal | str:
    """What credits pay, or the code of the refusal."""
    try:
        return apply_credits(total, wanted, available)
    except Refused as refused:
        return refused.code


@given(total=amounts, wanted=wishes, available=amounts)
def test_the_card_pays_nothing_or_what_it_can_be_charged(
    total: Decimal, wanted: WantedCredits, available: Decimal
) -> None:
    credits = applied(total, wanted, available)
    most = available if wanted == "all" else wanted or money.ZERO
    if most > available:
        assert credits == "INSUFFICIENT_CREDITS"
        return
    if most < total < MINIMUM_CHARGE:
        assert credits == "AMOUNT_TOO_SMALL"
        return
    assert isinstance(credits, Decimal)
    card = total - credits
    assert 0 <= credits <= min(most, total)
    assert card == 0 or card >= MINIMUM_CHARGE
    assert credits == min(most, total) or card == MINIMUM_CHARGE  # no less than was wanted, but for the card


@given(
    prices=st.lists(st.integers(1, 20_000).map(money.from_cents), min_size=1, max_size=6),
    percent=st.none() | st.integers(1, 10_000).map(money.from_cents),
    wanted=wishes,
    available=amounts,
)
def test_both_parts_of_every_session_add_up(
    prices: list[Decimal], percent: Decimal | None, wanted: WantedCredits, available: Decimal
) -> None:
    coupon = Coupon(uuid4(), "X", "percent", percent, None, None, None, 0, True) if percent else None
    discount = coupon.discount_on(sum(prices, money.ZERO)) if coupon else money.ZERO
    try:
        priced = quote(prices, money.allocate(discount, prices), wanted, available)
    except Refused:
        return

    assert priced.subtotal_cad == sum(prices)
    assert priced.discount_cad == discount == sum(line.discount_share_cad for line in priced.lines)
    assert sum(line.credit_share_cad for line in priced.lines) == priced.credits_applied_cad
    assert sum(line.card_share_cad for line in priced.lines) == priced.card_cad
    assert money.from_cents(priced.amount_cents) == priced.card_cad
    for line in priced.lines:
        assert line.credit_share_cad >= 0
        assert line.card_share_cad >= 0
        if priced.total_cad:  # in proportion, to the cent
            fair = priced.credits_applied_cad * line.net_cad / priced.total_cad
            assert abs(line.credit_share_cad - fair) < money.CENT


@pytest.mark.parametrize(
    ("prices", "credits", "shares"),
    [
        (["45.00", "45.00"], "25.01", ["12.51", "12.50"]),
        (["45.00", "67.50"], "11.25", ["4.50", "6.75"]),
        (["45.00", "45.00", "45.00"], "10.00", ["3.34", "3.33", "3.33"]),
        (["45.00", "90.00"], "135.00", ["45.00", "90.00"]),
    ],
)
def test_credits_are_shared_like_a_discount(prices: list[str], credits: str, shares: list[str]) -> None:
    free = [money.ZERO] * len(prices)
    priced = quote([Decimal(price) for price in prices], free, Decimal(credits), Decimal("500.00"))

    assert [str(line.credit_share_cad) for line in priced.lines] == shares
