"""What the cart's routes cost between the function and the database: round trips, whatever the number of sessions."""

from collections.abc import Callable, Iterator

import pytest

from tests.conftest import Database
from tests.support.browser import Answer, Browser
from tests.support.shop import Shop
from tests.support.wire import Wire, counted
from tests.support.world import World


@pytest.fixture
def shop(world: World) -> Shop:
    shop = Shop(world)
    shop.m_caron()
    world.school.coupon("SAVE10")
    return shop


@pytest.fixture
def wire(configured: Database, shop: Shop, monkeypatch: pytest.MonkeyPatch) -> Iterator[Wire]:
    """A counted way to the database on which somebody has been before. Preparing a statement is not counted."""
    monkeypatch.setenv("DATABASE_PREPARED_STATEMENTS", "off")
    with counted(configured) as wire:
        shop.cart(shop.guest())
        yield wire


def cost(wire: Wire, call: Callable[[], Answer], status: int) -> int:
    """The round trips of one call."""
    wire.reset()
    answer = call()
    assert answer.status == status, answer.text
    return wire.round_trips


def a_week(shop: Shop, sessions: int) -> list[dict[str, object]]:
    return [shop.wanted(9 + n % 5, day=20 + n // 5) for n in range(sessions)]


def regular(shop: Shop, sessions: int = 0) -> Browser:
    """A guest who has a cart."""
    guest = shop.guest()
    assert guest.put("/v1/cart/coupon", {"code": "SAVE10"}).status == 200
    if sessions:
        shop.added(guest, *a_week(shop, sessions))
    return guest


def test_looking_at_a_cart_is_one_round_trip_however_full_it_is(shop: Shop, wire: Wire) -> None:
    empty, full = regular(shop), regular(shop, sessions=20)

    assert [cost(wire, lambda guest=guest: guest.get("/v1/cart"), 200) for guest in (empty, full)] == [1, 1]  # type: ignore[misc]


def test_a_first_look_is_one_round_trip_too(shop: Shop, wire: Wire) -> None:
    assert cost(wire, lambda: shop.guest().get("/v1/cart"), 200) == 1


@pytest.mark.parametrize("newcomer", [True, False])
def test_adding_a_session_is_two_round_trips(shop: Shop, wire: Wire, *, newcomer: bool) -> None:
    guest = shop.guest() if newcomer else regular(shop)

    assert cost(wire, lambda: shop.add(guest, shop.wanted(9)), 201) == 2


def test_a_session_token_costs_one_round_trip_more(shop: Shop, wire: Wire) -> None:
    student, guest = shop.signed_in(), regular(shop)
    assert student.put("/v1/cart/coupon", {"code": "SAVE10"}).status == 200

    as_student = cost(wire, lambda: shop.add(student, shop.wanted(9)), 201)
    as_guest = cost(wire, lambda: shop.add(guest, shop.wanted(10)), 201)

    assert as_student == as_guest + 1


def test_adding_ten_sessions_costs_no_more_than_adding_one(shop: Shop, wire: Wire) -> None:
    three, ten = regular(shop), regular(shop)

    costs = [
        cost(wire, lambda: shop.add(three, *a_week(shop, 3)), 201),
        cost(wire, lambda: shop.add(ten, *[shop.wanted(14, day=20 + n) for n in range(10)]), 201),
    ]

    assert costs == [2, 2]


def test_a_time_that_is_taken_is_refused_in_one(shop: Shop, wire: Wire) -> None:
    shop.added(shop.guest(), shop.wanted(9, tutor=shop.mme_roy))
    guest = regular(shop)

    assert cost(wire, lambda: shop.add(guest, shop.wanted(9, tutor=shop.mme_roy)), 409) == 1


def test_an_expired_hold_in_the_way_costs_nothing_more(shop: Shop, wire: Wire) -> None:
    guest = regular(shop)
    shop.added(shop.guest(), shop.wanted(9))
    shop.world.clock.advance(minutes=15)

    assert cost(wire, lambda: shop.add(guest, shop.wanted(9)), 201) == 2


def test_taking_a_session_out_is_six_round_trips_however_full_the_cart_is(shop: Shop, wire: Wire) -> None:
    guest = regular(shop, sessions=20)
    item_id = shop.cart(guest)["items"][0]["id"]

    for _ in range(2):
        assert cost(wire, lambda: guest.delete(f"/v1/cart/items/{item_id}"), 200) <= 6


def test_coupons_cost_no_more_than_six(shop: Shop, wire: Wire) -> None:
    guest = regular(shop, sessions=3)

    assert cost(wire, lambda: guest.put("/v1/cart/coupon", {"code": "SAVE10"}), 200) <= 6
    assert cost(wire, lambda: guest.delete("/v1/cart/coupon"), 200) <= 5
    assert cost(wire, lambda: guest.put("/v1/cart/coupon", {"code": "PERDU"}), 422) == 1


def test_what_is_wrong_by_itself_never_reaches_the_database(shop: Shop, wire: Wire) -> None:
    guest = regular(shop)

    assert cost(wire, lambda: shop.add(guest, shop.wanted(9, minutes=45)), 422) == 0
    assert cost(wire, lambda: shop.add(guest, shop.wanted(9, 15)), 422) == 0
    assert cost(wire, lambda: shop.add(guest, shop.wanted(9, day=18)), 422) == 0
    assert cost(wire, lambda: guest.delete("/v1/cart/items/x"), 422) == 0
