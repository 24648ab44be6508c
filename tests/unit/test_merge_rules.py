"""What two carts become when they are one (spec 2.6, 5.3), on Meeting alone."""

from dataclasses import replace
from decimal import Decimal
from types import SimpleNamespace
from typing import cast
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.accounts.callers import Buyer
from domain.cart.cart import Cart, CartItem, TutorSelection
from domain.cart.merge_carts import Meeting
from domain.checkout.checkout import Checkout
from domain.products.sign_in_buyer import _guests
from tests.support.world import toronto

ROY, CARON = uuid4(), uuid4()
COURSE = uuid4()
EXPIRY = toronto(18, 12, 15)


def item(
    hour: int,
    minute: int = 0,
    minutes: int = 60,
    tutor: UUID = ROY,
    selection: TutorSelection = "explicit",
    *,
    held: bool = True,
) -> CartItem:
    return CartItem(
        id=uuid4(),
        course_id=COURSE,
        course_title_fr="Français",
        tutor_id=tutor,
        tutor_display_name="Mme Roy",
        tutor_selection=selection,
        start=toronto(20, hour, minute),
        duration_min=minutes,
        price_cad=Decimal("45.00"),
        hold_expires_at=EXPIRY,
        held=held,
        lost=False,
    )


def lapsed(of: CartItem) -> CartItem:
    return replace(of, held=False)


def lost(of: CartItem) -> CartItem:
    return replace(of, held=False, lost=True)


def dropped(guest: list[CartItem], own: list[CartItem]) -> list[CartItem]:
    return list(Meeting(Cart(uuid4(), 1, items=guest), Cart(uuid4(), 1, items=own)).dropped)


def test_sessions_that_do_not_touch_all_stay() -> None:
    assert dropped([item(9), item(11)], [item(10), item(12)]) == []


def test_of_one_time_chosen_twice_the_held_choice_stays() -> None:
    guest, own = item(9), item(9)

    assert dropped([guest], [lapsed(own)]) == [lapsed(own)]
    assert dropped([lapsed(guest)], [own]) == [lapsed(guest)]


def test_of_one_time_chosen_twice_and_lapsed_twice_the_guest_s_choice_stays() -> None:
    guest, own = lapsed(item(9)), lapsed(item(9))

    assert dropped([guest], [own]) == [own]


def test_one_tutor_and_start_is_one_time_whatever_its_length() -> None:
    guest, own = item(9, minutes=90), lapsed(item(9, minutes=60))

    assert dropped([guest], [own]) == [own]


@pytest.mark.parametrize(
    ("guest", "own"),
    [
        (item(9, 30, tutor=CARON, selection="auto"), item(9)),
        (item(9, 30, tutor=CARON), item(9, selection="auto")),
        (item(9, tutor=CARON, selection="auto"), item(9, selection="auto")),
        (lapsed(item(9, 30)), item(9, selection="auto")),
        (item(9, 30), lapsed(item(9, minutes=120))),
    ],
    ids=["any tutor over a chosen one", "the reverse", "any tutor twice", "even lapsed", "one tutor"],
)
def test_of_two_that_may_not_overlap_the_guest_s_stays(guest: CartItem, own: CartItem) -> None:
    assert dropped([guest], [own]) == [own]


def test_a_lost_session_pushes_nothing_out_and_is_pushed_out_by_nothing() -> None:
    assert dropped([lost(item(9, 30))], [item(9)]) == []
    assert dropped([item(9, 30)], [lost(item(9))]) == []


def test_of_one_time_chosen_twice_the_lost_choice_goes() -> None:
    guest, own = lost(item(9, minutes=120)), lapsed(item(9))

    assert dropped([guest], [own]) == [guest]
    assert dropped([own], [guest]) == [guest]


def test_two_chosen_tutors_may_teach_at_once() -> None:
    """A parent books two children (UR-06)."""
    assert dropped([item(9, tutor=CARON)], [item(9)]) == []


def test_adjacent_sessions_do_not_overlap() -> None:
    assert dropped([item(10, tutor=CARON, selection="auto")], [item(9)]) == []


def test_one_long_session_takes_the_place_of_several() -> None:
    own = [item(9, tutor=CARON), item(10, tutor=CARON), item(11, tutor=CARON)]

    assert dropped([item(9, 30, 90, selection="auto")], own) == own[:2]


def test_what_is_dropped_itself_drives_nothing_away() -> None:
    """The guest's lapsed repetition of 9:00 is any tutor's, but gone: the account's 9:30 with M. Caron stays."""
    held, beside = item(9, selection="explicit"), item(9, 30, tutor=CARON)
    repetition = lapsed(item(9, selection="auto"))

    assert dropped([repetition], [held, beside]) == [repetition]


items = st.builds(
    item,
    st.integers(9, 12),
    st.sampled_from([0, 30]),
    st.sampled_from([60, 90, 120]),
    st.sampled_from([ROY, CARON]),
    st.sampled_from(["auto", "explicit"]),
    held=st.booleans(),
)


def a_cart(wishes: list[CartItem]) -> list[CartItem]:
    """Of the wishes, those that one cart could hold, in the order they came."""
    cart: list[CartItem] = []
    for wish in wishes:
        if not any(wish.collides_with(other) for other in cart):
            cart.append(wish)
    return cart


def both_hold_one_minute(one: CartItem, other: CartItem) -> bool:
    return one.held and other.held and one.tutor_id == other.tutor_id and one.overlaps(other)


@given(st.lists(items, max_size=5).map(a_cart), st.lists(items, max_size=5).map(a_cart))
def test_the_one_cart_is_a_cart(guest: list[CartItem], own: list[CartItem]) -> None:
    own = [mine for mine in own if not any(both_hold_one_minute(mine, theirs) for theirs in guest)]

    gone = dropped(guest, own)

    stay = [session for session in [*guest, *own] if session not in gone]
    assert len(gone) == len({session.id for session in gone})
    for session in stay:
        assert [other for other in stay if other is not session and session.collides_with(other)] == []
    for theirs in guest:
        assert theirs in stay or any((theirs.tutor_id, theirs.start) == (o.tutor_id, o.start) for o in stay)


def test_negative_control_two_carts_side_by_side_are_not_always_a_cart() -> None:
    guest, own = item(9, 30, tutor=CARON, selection="auto"), item(9)

    assert guest.collides_with(own)


def test_the_carts_of_several_cookies_are_taken_over_in_one_order_whoever_names_them() -> None:
    """So that two answers that name the same two do not wait for each other in a circle."""
    hashes = [bytes([place]) * 32 for place in range(16)]
    checkout = cast(Checkout, SimpleNamespace(session_hash=hashes[7]))
    callers = [Buyer(session_hash=one) for one in reversed(hashes)] + [Buyer(user_id=UUID(int=1))]

    assert [guest.session_hash for guest in _guests(checkout, callers)] == hashes
