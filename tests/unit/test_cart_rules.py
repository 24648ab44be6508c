"""The rules of a cart, without any database: overlaps, repeats, collisions, totals, the cap on holds."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from uuid import UUID, uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain import money
from domain.cart.cart import MAX_HOLDS, Cart, CartItem
from domain.coupons.coupons import Coupon, CouponType
from domain.errors import Refused

NOW = datetime(2027, 1, 18, 17, tzinfo=UTC)
DAY = datetime(2027, 1, 20, tzinfo=UTC)
MME_ROY, M_CARON = UUID(int=1), UUID(int=2)
FRENCH, MATHS = UUID(int=11), UUID(int=12)


def at(hour_and_minute: str) -> datetime:
    hour, minute = map(int, hour_and_minute.split(":"))
    return DAY + timedelta(hours=hour, minutes=minute)


def item(
    start: str = "09:00",
    minutes: int = 60,
    tutor: UUID | None = None,
    *,
    course: UUID = FRENCH,
    price: str = "45.00",
    held: bool = True,
    expires_at: datetime = NOW + timedelta(minutes=15),
) -> CartItem:
    """A session given by a chosen tutor, or by anyone (Mme Roy, as it happens) when none is named."""
    return CartItem(
        id=uuid4(),
        course_id=course,
        course_title_fr="Français",
        tutor_id=tutor or MME_ROY,
        tutor_display_name="Mme Roy",
        tutor_selection="explicit" if tutor else "auto",
        start=at(start),
        duration_min=minutes,
        price_cad=Decimal(price),
        hold_expires_at=expires_at,
        held=held,
        lost=False,
    )


def cart_of(*items: CartItem, coupon: Coupon | None = None) -> Cart:
    return Cart(UUID(int=99), 1, coupon, items)


def coupon(kind: CouponType = "percent", value: str = "10", *, active: bool = True) -> Coupon:
    return Coupon(UUID(int=77), "SAVE10", kind, Decimal(value), None, None, None, 0, active)


def refusal(cart: Cart, newcomer: CartItem) -> str:
    with pytest.raises(Refused) as refused:
        cart.receive(newcomer)
    return refused.value.code


# --- what overlaps (spec 2.6) ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("start", "end", "overlaps"),
    [
        ("09:30", "10:30", True),
        ("10:00", "11:00", False),
        ("08:30", "09:30", True),
        ("09:15", "09:45", True),
        ("10:30", "11:30", False),
        ("08:00", "09:00", False),
        ("09:00", "10:00", True),
        ("08:00", "11:00", True),
    ],
)
def test_sessions_overlap_when_each_starts_before_the_other_ends(
    start: str, end: str, *, overlaps: bool
) -> None:
    nine_to_ten = item("09:00", 60)
    other = item(start, int((at(end) - at(start)).total_seconds()) // 60)

    assert nine_to_ten.overlaps(other) is overlaps
    assert other.overlaps(nine_to_ten) is overlaps


def test_a_session_ends_its_duration_after_its_start_in_elapsed_time() -> None:
    assert item("09:00", 90).end == at("10:30")


any_item = st.builds(
    item,
    st.integers(0, 47).map(lambda step: f"{step // 2}:{step % 2 * 30:02}"),
    st.sampled_from((60, 90, 120)),
    st.sampled_from((None, MME_ROY, M_CARON)),
    course=st.sampled_from((FRENCH, MATHS)),
    held=st.booleans(),
)


def minutes_of(session: CartItem) -> set[int]:
    first = int((session.start - DAY).total_seconds()) // 60
    return set(range(first, first + session.duration_min))


@settings(max_examples=200, deadline=None)
@given(any_item, any_item)
def test_sessions_overlap_exactly_when_they_share_a_minute(one: CartItem, other: CartItem) -> None:
    assert one.overlaps(other) is bool(minutes_of(one) & minutes_of(other))


# --- what was chosen before -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("new", "old", "repeats"),
    [
        (item(tutor=MME_ROY), item(tutor=MME_ROY), True),
        (item(tutor=MME_ROY), item(), True),  # anyone turned out to be Mme Roy
        (item(tutor=MME_ROY), item(tutor=MME_ROY, course=MATHS), True),  # a tutor has one nine o'clock
        (item(), item(), True),
        (item(), item(tutor=MME_ROY), False),
        (item(), item(course=MATHS), False),
        (item(tutor=M_CARON), item(tutor=MME_ROY), False),
        (item(tutor=M_CARON), item(), False),
        (item("09:30", tutor=MME_ROY), item("09:00", tutor=MME_ROY), False),
        (item(minutes=90, tutor=MME_ROY), item(minutes=60, tutor=MME_ROY), False),
        (item("09:30"), item("09:00"), False),
        (item(minutes=90), item(minutes=60), False),
    ],
)
def test_a_choice_repeats_another_with_the_same_start_length_and_giver(
    new: CartItem, old: CartItem, *, repeats: bool
) -> None:
    assert new.repeats(old) is repeats


# --- what may stand beside what (UR-06, X-54) -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("one", "other", "collide"),
    [
        (item(tutor=MME_ROY), item("09:30", tutor=M_CARON), False),  # two children, two tutors
        (item(tutor=MME_ROY), item("09:30", tutor=MME_ROY), True),
        (item(), item("09:30", tutor=M_CARON), True),
        (item(), item("09:30"), True),
        (item(), item("10:00"), False),
        (item(tutor=MME_ROY), item("10:00", tutor=MME_ROY), False),
    ],
)
def test_sessions_of_one_cart_may_overlap_only_with_two_different_chosen_tutors(
    one: CartItem, other: CartItem, *, collide: bool
) -> None:
    assert one.collides_with(other) is collide
    assert other.collides_with(one) is collide


def test_a_cart_keeps_its_sessions_by_start_whatever_the_order_they_came_in() -> None:
    late, early, middle = item("14:00"), item("09:00"), item("10:00")

    assert cart_of().receive(late).receive(early).receive(middle).items == (early, middle, late)


def test_the_same_session_again_is_already_in_the_cart() -> None:
    assert refusal(cart_of(item("09:00")), item("09:00")) == "ALREADY_IN_CART"


def test_a_session_that_collides_is_an_overlap() -> None:
    assert refusal(cart_of(item("09:00")), item("09:30")) == "OVERLAP"


def test_one_of_two_tutors_chosen_apart_does_not_hide_a_collision_with_the_other() -> None:
    both = cart_of(item("09:00", tutor=MME_ROY), item("09:00", tutor=M_CARON))

    assert refusal(both, item("09:30", tutor=M_CARON)) == "OVERLAP"


def test_a_lapsed_session_collides_like_any_other() -> None:
    assert refusal(cart_of(item("09:00", held=False)), item("09:30")) == "OVERLAP"


def test_a_lost_session_is_in_nobody_s_way() -> None:
    lost, new = replace(item("09:00", held=False), lost=True), item("09:30")

    assert cart_of(lost).receive(new).items == (lost, new)


def test_a_lost_session_is_not_counted() -> None:
    lost, kept = replace(item("09:00", price="45.00", held=False), lost=True), item("10:00", price="90.00")
    cart = cart_of(lost, kept, coupon=coupon())

    assert (cart.subtotal, cart.discount(NOW)) == (Decimal("90.00"), Decimal("9.00"))


def test_the_same_session_again_takes_the_place_of_the_lapsed_one() -> None:
    lapsed, kept, anew = item("09:00", held=False), item("10:00"), item("09:00")

    assert cart_of(lapsed, kept).receive(anew).items == (anew, kept)


def test_receiving_leaves_the_cart_it_was_called_on_as_it_was() -> None:
    cart = cart_of(item("09:00"))
    cart.receive(item("10:00"))

    assert len(cart.items) == 1


def received(cart: Cart, session: CartItem) -> Cart | str:
    """The cart with one more session, or why not."""
    try:
        return cart.receive(session)
    except Refused as refused:
        return refused.code


@settings(max_examples=200, deadline=None)
@given(st.lists(any_item, max_size=12))
def test_whatever_is_received_no_two_sessions_of_a_cart_collide(wanted: Sequence[CartItem]) -> None:
    cart = cart_of()
    for session in wanted:
        in_the_way = [old for old in cart.items if session.repeats(old) or session.collides_with(old)]
        match received(cart, session):
            case "ALREADY_IN_CART":
                assert any(session.repeats(old) and old.held for old in in_the_way)
            case "OVERLAP":
                assert not any(session.repeats(old) and old.held for old in in_the_way)
                assert any(session.collides_with(old) for old in in_the_way)
            case Cart() as after:
                assert set(after.items) == {*cart.items, session} - set(in_the_way)
                assert all(session.repeats(old) and not old.held for old in in_the_way)
                cart = after

    assert not any(one.collides_with(two) for one in cart.items for two in cart.items if one is not two)
    assert all(earlier.start <= later.start for earlier, later in pairwise(cart.items))


# --- totals (spec 3.4) ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("prices", "kind", "value", "subtotal", "discount"),
    [
        (["90.00", "90.00"], "percent", "10", "180.00", "18.00"),
        (["45.00", "45.00", "45.00"], "percent", "10", "135.00", "13.50"),
        (["68.03"], "percent", "15", "68.03", "10.20"),
        (["45.00"], "fixed", "20", "45.00", "20.00"),
        (["45.00"], "fixed", "50", "45.00", "45.00"),
        (["45.00"], "percent", "100", "45.00", "45.00"),
        (["67.50"], "percent", "33.33", "67.50", "22.50"),
        (["0.05"], "percent", "10", "0.05", "0.01"),  # half a cent goes up
        (["22.55", "22.55"], "percent", "10", "45.10", "4.51"),  # once on the subtotal, not per session
        ([], "percent", "10", "0.00", "0.00"),
        ([], "fixed", "20", "0.00", "0.00"),
    ],
)
def test_the_discount_is_taken_once_from_the_subtotal(
    prices: list[str], kind: CouponType, value: str, subtotal: str, discount: str
) -> None:
    cart = cart_of(*(item(price=price) for price in prices), coupon=coupon(kind, value))

    assert (str(cart.subtotal), str(money.to_cent(cart.discount(NOW)))) == (subtotal, discount)


def test_without_a_coupon_nothing_is_taken_off() -> None:
    cart = cart_of(item(), item("10:00"))

    assert (cart.subtotal, cart.discount(NOW), cart.usable_coupon(NOW)) == (Decimal(90), Decimal(0), None)


def test_a_coupon_that_cannot_be_used_any_more_takes_nothing_off() -> None:
    cart = cart_of(item(), coupon=coupon(active=False))

    assert (cart.discount(NOW), cart.usable_coupon(NOW)) == (Decimal(0), None)


def test_a_coupon_counts_from_its_first_instant_until_just_before_its_last() -> None:
    an_hour = replace(coupon(), starts_at=NOW, ends_at=NOW + timedelta(hours=1))
    cart = cart_of(item(), coupon=an_hour)
    instants = (
        NOW - timedelta.resolution,
        NOW,
        NOW + timedelta(hours=1) - timedelta.resolution,
        NOW + timedelta(hours=1),
    )

    assert [cart.usable_coupon(instant) is not None for instant in instants] == [False, True, True, False]


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.decimals("0.01", "500.00", places=2).map(str), max_size=5),
    st.sampled_from(("percent", "fixed")),
    st.decimals("0.01", "100.00", places=2).map(str),
)
def test_a_discount_is_whole_cents_between_nothing_and_the_subtotal(
    prices: list[str], kind: CouponType, value: str
) -> None:
    cart = cart_of(*(item(price=price) for price in prices), coupon=coupon(kind, value))
    discount = cart.discount(NOW)

    assert 0 <= discount <= cart.subtotal
    assert discount == money.to_cent(discount)


# --- the cap on holds (X-73) ----------------------------------------------------------------------------------


def test_a_cart_may_hold_twenty_times_at_once() -> None:
    cart_of(*[item() for _ in range(MAX_HOLDS)]).require_room(MAX_HOLDS, NOW)

    assert MAX_HOLDS == 20


def test_one_hold_more_is_refused_until_the_first_one_lapses() -> None:
    soonest = item(expires_at=NOW + timedelta(seconds=61))
    cart = cart_of(*[item() for _ in range(MAX_HOLDS)], soonest)

    with pytest.raises(Refused) as refused:
        cart.require_room(MAX_HOLDS, NOW)

    assert (refused.value.code, refused.value.retry_after) == ("HOLD_LIMIT", 61)


def test_coming_back_when_told_to_is_never_too_early() -> None:
    soonest = item(expires_at=NOW + timedelta(seconds=10, milliseconds=1))
    cart = cart_of(*[item() for _ in range(MAX_HOLDS)], soonest)

    with pytest.raises(Refused) as refused:
        cart.require_room(MAX_HOLDS, NOW)

    assert refused.value.retry_after == 11


def test_lapsed_sessions_take_no_room() -> None:
    cart_of(*[item() for _ in range(MAX_HOLDS)], item(held=False)).require_room(MAX_HOLDS, NOW)
