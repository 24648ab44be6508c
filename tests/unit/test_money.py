"""Prices, earnings, margins, discounts and their allocation, to the cent (spec 3.1-3.5)."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from uuid import uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain import money
from domain.coupons.coupons import Coupon, CouponType
from domain.errors import Refused

NOW = datetime(2027, 1, 18, 17, tzinfo=UTC)
A_SECOND = timedelta(seconds=1)

cents = st.integers(0, 500_000)
amounts = cents.map(money.from_cents)
rates = st.integers(1, 50_000).map(money.from_cents)


def cad(*amounts: str) -> list[Decimal]:
    return [Decimal(amount) for amount in amounts]


def coupon(
    kind: CouponType = "percent",
    value: str = "10",
    *,
    starts_at: datetime | None = None,
    ends_at: datetime | None = None,
    limit: int | None = None,
    used: int = 0,
    active: bool = True,
) -> Coupon:
    return Coupon(uuid4(), "SAVE10", kind, Decimal(value), starts_at, ends_at, limit, used, active)


# --- what a session costs and earns (3.1, 3.2) ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("rate", "sixty", "ninety", "hundred_twenty"),
    [
        ("45.00", "45.00", "67.50", "90.00"),
        ("40.00", "40.00", "60.00", "80.00"),
        ("45.35", "45.35", "68.03", "90.70"),  # 68.025 rounds up
        ("33.33", "33.33", "50.00", "66.66"),  # 49.995 rounds up
        ("30.00", "30.00", "45.00", "60.00"),
        ("27.75", "27.75", "41.63", "55.50"),  # 41.625 rounds up
        ("0.01", "0.01", "0.02", "0.02"),
    ],
)
def test_a_rate_per_hour_becomes_the_price_of_a_session(
    rate: str, sixty: str, ninety: str, hundred_twenty: str
) -> None:
    priced = [str(money.prorate(Decimal(rate), minutes)) for minutes in (60, 90, 120)]

    assert priced == [sixty, ninety, hundred_twenty]


@given(rates, st.sampled_from((60, 90, 120)))
def test_a_price_is_the_whole_cent_nearest_to_the_exact_one_halves_going_up(
    rate: Decimal, minutes: int
) -> None:
    exact = Fraction(rate) * 100 * minutes / 60

    assert money.in_cents(money.prorate(rate, minutes)) == int(exact + Fraction(1, 2))


@pytest.mark.parametrize(
    ("amount", "rounded"), [("68.025", "68.03"), ("10.2045", "10.20"), ("0.005", "0.01"), ("0.0049", "0.00")]
)
def test_amounts_are_rounded_half_up_not_to_even(amount: str, rounded: str) -> None:
    assert str(money.to_cent(Decimal(amount))) == rounded


@given(cents)
def test_cents_and_dollars_say_the_same_amount(count: int) -> None:
    assert money.in_cents(money.from_cents(count)) == count


def test_a_fraction_of_a_cent_is_never_sent_to_a_card() -> None:
    with pytest.raises(ValueError, match=r"68\.025 CAD"):
        money.in_cents(Decimal("68.025"))


# --- coupons (3.4) -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("subtotal", "kind", "value", "discount", "total"),
    [
        ("180.00", "percent", "10", "18.00", "162.00"),
        ("135.00", "percent", "10", "13.50", "121.50"),
        ("68.03", "percent", "15", "10.20", "57.83"),  # 10.2045
        ("45.00", "fixed", "20", "20.00", "25.00"),
        ("45.00", "fixed", "50", "45.00", "0.00"),  # capped
        ("45.00", "percent", "100", "45.00", "0.00"),
        ("67.50", "percent", "33.33", "22.50", "45.00"),  # 22.49775
        ("0.00", "fixed", "20", "0.00", "0.00"),  # an empty cart
        ("0.00", "percent", "10", "0.00", "0.00"),
    ],
)
def test_a_coupon_takes_its_discount_off_the_subtotal(
    subtotal: str, kind: CouponType, value: str, discount: str, total: str
) -> None:
    taken_off = coupon(kind, value).discount_on(Decimal(subtotal))

    assert taken_off == Decimal(discount)
    assert Decimal(subtotal) - taken_off == Decimal(total)


@given(amounts, st.sampled_from(("percent", "fixed")), st.integers(1, 10_000).map(money.from_cents))
def test_a_discount_is_a_whole_number_of_cents_between_nothing_and_the_subtotal(
    subtotal: Decimal, kind: CouponType, value: Decimal
) -> None:
    discount = coupon(kind, str(value)).discount_on(subtotal)

    assert 0 <= money.in_cents(discount) <= money.in_cents(subtotal)


@pytest.mark.parametrize(
    ("offer", "reason"),
    [
        (coupon(active=False), "Ce code promo est inactif"),
        (coupon(starts_at=NOW + A_SECOND), "Ce code promo n'est pas encore valide"),
        (coupon(ends_at=NOW), "Ce code promo est expiré"),
        (coupon(limit=3, used=3), "Ce code promo a atteint sa limite d'utilisation"),
    ],
)
def test_a_coupon_that_cannot_be_used_says_why(offer: Coupon, reason: str) -> None:
    with pytest.raises(Refused) as refusal:
        offer.require_usable(NOW)

    assert (refusal.value.code, refusal.value.status, refusal.value.detail) == ("COUPON_INVALID", 422, reason)


@pytest.mark.parametrize(
    "offer",
    [
        coupon(),
        coupon(starts_at=NOW),
        coupon(ends_at=NOW + A_SECOND),
        coupon(starts_at=NOW, ends_at=NOW + A_SECOND, limit=3, used=2),
    ],
)
def test_a_coupon_can_be_used_from_its_start_until_just_before_its_end_and_to_its_last_redemption(
    offer: Coupon,
) -> None:
    offer.require_usable(NOW)


# --- the discount spread over the sessions (3.5) -------------------------------------------------------------


@pytest.mark.parametrize(
    ("discount", "lines", "shares"),
    [
        ("11.25", cad("45.00", "67.50"), cad("4.50", "6.75")),
        ("10.00", cad("45.00", "45.00", "45.00"), cad("3.34", "3.33", "3.33")),
        ("0.00", cad("45.00", "67.50"), cad("0.00", "0.00")),
        ("112.50", cad("45.00", "67.50"), cad("45.00", "67.50")),  # everything free
        ("0.01", cad("45.00", "90.00"), cad("0.00", "0.01")),  # the largest remainder
        ("0.02", cad("45.00", "45.00", "45.00"), cad("0.01", "0.01", "0.00")),  # ties: the earliest
        ("4.00", cad("20.00", "20.00", "80.00"), cad("0.67", "0.67", "2.66")),  # ties between unequal lines
        ("0.00", cad("0.00", "0.00"), cad("0.00", "0.00")),
        ("0.00", [], []),
    ],
)
def test_a_discount_is_spread_over_the_lines(
    discount: str, lines: list[Decimal], shares: list[Decimal]
) -> None:
    assert money.allocate(Decimal(discount), lines) == shares


def test_what_is_left_of_each_line_is_what_its_student_paid_for_it() -> None:
    lines = cad("45.00", "45.00", "45.00")
    shares = money.allocate(Decimal("10.00"), lines)

    assert [line - share for line, share in zip(lines, shares, strict=True)] == cad("41.66", "41.67", "41.67")


@st.composite
def discounted_orders(draw: st.DrawFn) -> tuple[Decimal, list[Decimal]]:
    """Line totals, many of them alike, and a discount of at most their sum."""
    of_one_course = st.sampled_from((2000, 3000, 4000, 4500, 6750, 8000, 9000))
    lines = draw(st.lists(of_one_course | st.integers(1, 50_000), min_size=1, max_size=12))
    discount = draw(st.integers(0, sum(lines)))
    return money.from_cents(discount), [money.from_cents(line) for line in lines]


@given(discounted_orders())
@settings(max_examples=500)
def test_shares_add_up_and_never_exceed_their_line(order: tuple[Decimal, list[Decimal]]) -> None:
    discount, lines = order
    shares = money.allocate(discount, lines)

    assert sum(shares) == discount
    assert all(0 <= share <= line for share, line in zip(shares, lines, strict=True))


@given(discounted_orders())
@settings(max_examples=500)
def test_shares_are_the_floors_and_the_cents_left_go_to_the_largest_remainders_then_the_earliest(
    order: tuple[Decimal, list[Decimal]],
) -> None:
    discount, lines = order
    total = sum(map(Fraction, lines))
    exact = [Fraction(discount) * 100 * Fraction(line) / total for line in lines]
    floors = [share.numerator // share.denominator for share in exact]
    left_over = money.in_cents(discount) - sum(floors)
    first_served = sorted(range(len(lines)), key=lambda place: (floors[place] - exact[place], place))
    expected = [floor + (place in first_served[:left_over]) for place, floor in enumerate(floors)]

    assert [money.in_cents(share) for share in money.allocate(discount, lines)] == expected


@given(discounted_orders())
def test_equal_lines_get_shares_within_a_cent_of_each_other(order: tuple[Decimal, list[Decimal]]) -> None:
    discount, lines = order
    shares = money.allocate(discount, lines)
    share_of = {line: [shares[n] for n, other in enumerate(lines) if other == line] for line in lines}

    assert all(max(alike) - min(alike) <= money.CENT for alike in share_of.values())


# --- margins (3.3) -------------------------------------------------------------------------------------------


def test_the_margin_of_a_line_is_what_the_student_paid_less_what_the_tutor_earns() -> None:
    price, earnings = money.prorate(Decimal("45.00"), 60), money.prorate(Decimal("30.00"), 60)
    [share] = money.allocate(coupon("percent", "10").discount_on(price), [price])

    assert price - earnings == Decimal("15.00")
    assert price - share - earnings == Decimal("10.50")
