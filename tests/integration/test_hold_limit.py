"""One cart holds at most so many times at once, whatever makes it hold (X-73)."""

from datetime import timedelta
from typing import Any

import pytest

from adapters.http import CART_COOKIE
from domain.accounts.callers import Buyer
from domain.cart import purchase
from domain.cart.add_items import add_items
from domain.cart.models import WantedSession
from tests.conftest import Database
from tests.support.browser import Browser
from tests.support.changes import DONE, one_behind_the_other
from tests.support.people import account, sign_in, signed_in
from tests.support.rush import overlapping_claims, sessions_without_their_hold
from tests.support.shop import Shop
from tests.support.tables import nothing_written
from tests.support.wire import counted
from tests.support.world import FORM, World

TTL = timedelta(minutes=15)


@pytest.fixture
def shop(world: World) -> Shop:
    return Shop(world)


def sessions(shop: Shop, count: int, day: int = 20) -> list[dict[str, Any]]:
    return [shop.wanted(9 + n % 8, day=day + n // 8) for n in range(count)]


def held(shop: Shop) -> int:
    """Live holds, of everybody."""
    now = shop.world.clock()
    return len([claim for claim in shop.claims() if claim["expires_at"] > now])


def lapsed(shop: Shop, browser: Browser, count: int) -> Browser:
    """The browser whose cart has that many sessions, none of them held any more."""
    for first in range(0, count, 20):
        shop.added(browser, *sessions(shop, count)[first : first + 20])
        shop.world.clock.now += TTL
    return browser


def test_a_checkout_holds_twenty_at_once(shop: Shop) -> None:
    guest = lapsed(shop, shop.guest(), 20)

    assert guest.post("/v1/checkout", FORM).body["amount_cad"] == "900.00"
    assert held(shop) == 20


@pytest.mark.parametrize("count", [21, 60])
def test_a_checkout_of_more_is_refused_with_the_number_and_holds_nothing(shop: Shop, count: int) -> None:
    guest = lapsed(shop, shop.guest(), count)

    with nothing_written(shop.world.connection):
        answer = guest.post("/v1/checkout", FORM)

    assert (answer.status, answer.code, answer.body["max_holds"]) == (429, "HOLD_LIMIT", 20)
    assert answer.body["detail"] == (
        "Un panier peut réserver au plus 20 créneaux à la fois. Retirez-en avant de payer."
    )
    assert held(shop) == 0
    assert {item["unavailable"] for item in shop.cart(guest)["items"]} == {False}


def test_what_still_stands_is_counted_with_what_would_be_held_again(shop: Shop) -> None:
    guest = lapsed(shop, shop.guest(), 18)
    shop.added(guest, *sessions(shop, 3, day=25))

    with nothing_written(shop.world.connection):
        assert guest.post("/v1/checkout", FORM).code == "HOLD_LIMIT"

    guest.delete(f"/v1/cart/items/{shop.cart(guest)['items'][0]['id']}")
    assert guest.post("/v1/checkout", FORM).body["amount_cad"] == "900.00"
    assert held(shop) == 20


def test_what_is_unavailable_is_named_first_and_takes_no_room(shop: Shop) -> None:
    guest = lapsed(shop, shop.guest(), 21)
    item = shop.cart(guest)["items"][3]
    shop.added(shop.guest(), shop.wanted(12))

    with nothing_written(shop.world.connection):
        answer = guest.post("/v1/checkout", FORM)
    assert (answer.code, [lost["id"] for lost in answer.body["items"]]) == ("SLOTS_UNAVAILABLE", [item["id"]])

    guest.delete(f"/v1/cart/items/{item['id']}")
    assert guest.post("/v1/checkout", FORM).status == 201


def test_the_number_is_a_setting(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAX_HOLDS", "2")
    guest = shop.guest()
    with nothing_written(shop.world.connection):
        added = shop.add(guest, *sessions(shop, 3))
    assert (added.status, added.code, added.body["max_holds"]) == (429, "HOLD_LIMIT", 2)

    shop.added(guest, *sessions(shop, 2))
    shop.world.clock.now += TTL
    shop.added(guest, shop.wanted(9, day=25))
    answer = guest.post("/v1/checkout", FORM)
    assert (answer.status, answer.code, answer.body["max_holds"]) == (429, "HOLD_LIMIT", 2)

    account(shop.world)
    shop.added(signed_in(shop.world), *sessions(shop, 2, day=26))
    assert sign_in(guest).status == 200
    assert held(shop) == 2


def test_adding_when_twenty_stand_says_the_number(shop: Shop) -> None:
    guest = shop.guest()
    shop.added(guest, *sessions(shop, 20))

    with nothing_written(shop.world.connection):
        answer = shop.add(guest, shop.wanted(9, day=25))

    assert (answer.status, answer.code, answer.body["max_holds"]) == (429, "HOLD_LIMIT", 20)
    assert answer.headers["Retry-After"] == "900"


def test_a_merge_leaves_what_is_beyond_twenty_lapsed(shop: Shop) -> None:
    """The guest's holds are the more recent: they stay."""
    account(shop.world)
    student, guest = signed_in(shop.world), shop.guest()
    own = shop.added(student, *sessions(shop, 15))
    guest_s = shop.added(guest, *sessions(shop, 15, day=25))
    assert held(shop) == 30

    assert sign_in(guest).status == 200

    cart = shop.cart(guest)
    assert held(shop) == 20
    assert [item["id"] for item in cart["items"]] == [
        item["id"] for item in (*own["items"], *guest_s["items"])
    ]
    assert [item["hold_expired"] for item in cart["items"]] == [False] * 5 + [True] * 10 + [False] * 15
    assert {item["unavailable"] for item in cart["items"]} == {False}
    assert cart["total_cad"] == "1350.00"
    assert overlapping_claims(shop.world.connection) == 0
    assert sessions_without_their_hold(shop.world.connection, shop.world.clock()) == 0


def test_the_time_that_a_merge_let_go_is_free_at_once(shop: Shop) -> None:
    account(shop.world)
    student, guest = signed_in(shop.world), shop.guest()
    shop.added(student, *sessions(shop, 20))
    shop.added(guest, shop.wanted(9, day=25))
    assert sign_in(guest).status == 200

    [lapsed_one] = [item for item in shop.cart(guest)["items"] if item["hold_expired"]]

    stranger = shop.world.browser()
    wanted = {"course_id": lapsed_one["course_id"], "start": lapsed_one["start"], "duration_min": 60}
    shop.added(stranger, wanted)
    assert [item["unavailable"] for item in shop.cart(guest)["items"] if item["hold_expired"]] == [True]


def test_a_session_that_is_dropped_by_the_merge_takes_no_room(shop: Shop) -> None:
    account(shop.world)
    shop.m_caron()
    student, guest = signed_in(shop.world), shop.guest()
    shop.added(student, *sessions(shop, 20))
    shop.added(guest, shop.wanted(9))  # any tutor, at a time the account has too

    assert sign_in(guest).status == 200

    cart = shop.cart(guest)
    assert (len(cart["items"]), held(shop)) == (20, 20)
    assert {item["hold_expired"] for item in cart["items"]} == {False}


def test_adding_while_a_checkout_holds_again_is_counted_with_it(shop: Shop, database: Database) -> None:
    """The addition has looked at a cart that holds nothing; meanwhile a checkout in another tab holds twenty again."""
    guest = lapsed(shop, shop.guest(), 20)
    buyer, now = Buyer.guest(guest.cookies[CART_COOKIE]), shop.world.clock()
    more = [WantedSession.model_validate(session) for session in sessions(shop, 3, day=25)]

    outcomes = one_behind_the_other(
        database.url,
        lambda tab: purchase.hold_again(tab, purchase.lock_cart(tab, buyer, now), now, 20),
        lambda tab: add_items(tab, buyer, lambda: buyer, more, now),
    )

    assert outcomes == (DONE, "HOLD_LIMIT")
    assert held(shop) == 20


def test_what_a_checkout_holds_again_counts_for_the_address(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else one address could hold the whole school's times by asking three carts to be paid again and again."""
    first, second = lapsed(shop, shop.guest(), 12), shop.guest()
    shop.added(second, *sessions(shop, 8, day=25))
    shop.world.clock.now += TTL
    monkeypatch.setenv("CART_ADDS_PER_HOUR", "15")

    assert first.post("/v1/checkout", FORM).status == 201
    with nothing_written(shop.world.connection):
        answer = second.post(
            "/v1/checkout", FORM | {"account": FORM["account"] | {"email": "lea@exemple.ca"}}
        )
    assert (answer.status, answer.code) == (429, "RATE_LIMITED")
    assert held(shop) == 12


def test_a_checkout_whose_holds_stand_counts_nothing(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CART_ADDS_PER_HOUR", "3")
    guest = shop.guest()
    shop.added(guest, *sessions(shop, 3))

    assert guest.post("/v1/checkout", FORM).status == 201


def test_holds_are_counted_before_the_cart_is_locked(
    shop: Shop, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A counter's row locked beside a cart's is a circle with whoever counts first and wants the cart then."""
    monkeypatch.setenv("CART_ADDS_PER_HOUR", "100")
    guest = lapsed(shop, shop.guest(), 2)

    with counted(database) as wire:
        assert guest.post("/v1/checkout", FORM).status == 201
        counting = [place for place, text in enumerate(wire.sql) if "spend_allowance" in text]
        begun = next(place for place, text in enumerate(wire.sql) if text.startswith("BEGIN"))

    assert counting
    assert max(counting) < begun
