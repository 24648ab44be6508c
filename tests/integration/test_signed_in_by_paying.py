"""The first settled answer signs the buyer in: what they chose meanwhile is in their cart (spec 5.3, decision 8)."""

from datetime import timedelta
from typing import Any

import pytest

from tests.support.browser import Browser
from tests.support.guest import Guest
from tests.support.people import account, sign_in, signed_in
from tests.support.rush import overlapping_claims, sessions_without_their_hold
from tests.support.shop import Shop
from tests.support.tables import nothing_written
from tests.support.world import FORM, World

CART_COOKIE = "__Host-cart_session_id"
BILLING = {"billing": FORM["billing"]}


@pytest.fixture
def shop(world: World) -> Shop:
    world.school.coupon("SAVE10")
    return Shop(world)


def paid(shop: Shop) -> Guest:
    """A guest who has paid for nine o'clock, and has not asked yet how it went."""
    guest = Guest(shop.world).chooses(shop.wanted(9)).starts().pays()
    assert [answer.status for answer in shop.world.webhooks()] == [200]
    return guest


def starts(cart: dict[str, Any]) -> list[str]:
    return [item["start"][11:16] for item in cart["items"]]


def is_sound(shop: Shop) -> bool:
    connection, now = shop.world.connection, shop.world.clock()
    return overlapping_claims(connection) == 0 and sessions_without_their_hold(connection, now) == 0


def test_what_was_added_meanwhile_is_in_the_account_s_cart(shop: Shop) -> None:
    guest = paid(shop).chooses(shop.wanted(11)).uses_coupon("SAVE10")
    before = guest.cart

    settled = guest.asks()

    assert (settled.body["status"], bool(settled.body["session_token"])) == ("settled", True)
    cart = guest.cart
    assert (starts(cart), cart["items"]) == (["11:00"], before["items"])
    assert (cart["coupon"]["code"], cart["total_cad"]) == ("SAVE10", "40.50")
    assert shop.world.rows("SELECT user_id IS NULL AS guest FROM carts") == [{"guest": False}]
    assert is_sound(shop)


def test_its_hold_is_the_buyer_s_own(shop: Shop) -> None:
    guest = paid(shop).chooses(shop.wanted(11))
    guest.asks()

    assert shop.add(guest.browser, shop.wanted(11)).code == "ALREADY_IN_CART"
    started = guest.browser.post("/v1/checkout", BILLING)
    assert (started.status, started.body["amount_cad"]) == (201, "45.00")


def test_the_guest_s_cookie_has_served(shop: Shop) -> None:
    guest = paid(shop).chooses(shop.wanted(11))
    old = guest.browser.cookies[CART_COOKIE]

    answer = guest.asks()

    assert [cookie for cookie in answer.cookies if cookie.startswith(f"{CART_COOKIE}=;")] != []
    assert CART_COOKIE not in guest.browser.cookies
    assert shop.cart(Browser(shop.world.clock, {CART_COOKIE: old}))["items"] == []
    assert guest.asks().body["status"] == "settled"


def test_the_call_that_settles_merges_as_well(shop: Shop) -> None:
    guest = Guest(shop.world).chooses(shop.wanted(9)).starts().pays().chooses(shop.wanted(11))

    assert guest.asks().body["status"] == "settled"

    assert starts(guest.cart) == ["11:00"]
    assert [answer.status for answer in shop.world.webhooks()] == [200]
    assert starts(guest.cart) == ["11:00"]
    assert is_sound(shop)


def test_who_proves_it_by_the_client_secret_gets_the_cart_of_the_checkout(shop: Shop) -> None:
    guest = paid(shop).chooses(shop.wanted(11))
    elsewhere = shop.world.browser()

    answer = elsewhere.request(
        "GET", f"/v1/checkout/{guest.checkout_id}", headers={"x-client-secret": guest.client_secret}
    )

    assert answer.body["status"] == "settled"
    assert starts(shop.cart(elsewhere)) == ["11:00"]


def test_the_cart_of_the_caller_s_own_cookie_comes_along_too(shop: Shop) -> None:
    guest = paid(shop).chooses(shop.wanted(11))
    elsewhere = shop.world.browser()
    shop.added(elsewhere, shop.wanted(14))

    elsewhere.request(
        "GET", f"/v1/checkout/{guest.checkout_id}", headers={"x-client-secret": guest.client_secret}
    )

    assert CART_COOKIE not in elsewhere.cookies
    assert starts(shop.cart(elsewhere)) == ["11:00", "14:00"]
    assert shop.world.count("carts") == 1
    assert is_sound(shop)


def test_the_hold_ends_when_it_would_have(shop: Shop) -> None:
    guest = paid(shop).chooses(shop.wanted(11))
    [before] = guest.cart["items"]
    shop.world.clock.advance(minutes=14)
    guest.asks()
    shop.world.clock.advance(minutes=1)

    [after] = guest.cart["items"]
    assert after == before | {"hold_expired": True}


def test_at_most_twenty_are_held_in_the_one_cart(shop: Shop) -> None:
    guest = paid(shop).chooses(*[shop.wanted(9 + n % 8, day=20 + n // 8) for n in range(1, 16)])
    elsewhere = shop.world.browser()
    shop.added(elsewhere, *[shop.wanted(9 + n % 8, day=25 + n // 8) for n in range(15)])
    secret = {"x-client-secret": guest.client_secret}

    assert (
        elsewhere.request("GET", f"/v1/checkout/{guest.checkout_id}", headers=secret).body["status"]
        == "settled"
    )

    items = shop.cart(elsewhere)["items"]
    assert (len(items), [item["hold_expired"] for item in items].count(False)) == (30, 20)
    assert is_sound(shop)


def test_without_anything_added_there_is_nothing_to_merge(shop: Shop) -> None:
    guest = paid(shop)
    guest.asks()

    assert guest.cart["items"] == []
    assert guest.cart["coupon"] is None


def test_the_second_answer_merges_nothing(shop: Shop) -> None:
    guest = paid(shop)
    guest.asks()
    session = guest.browser.cookies.pop("__Host-session")
    again = shop.world.browser()
    shop.added(again, shop.wanted(11))
    secret = {"x-client-secret": guest.client_secret}

    with nothing_written(shop.world.connection):
        answer = again.request("GET", f"/v1/checkout/{guest.checkout_id}", headers=secret)

    assert (answer.body["status"], answer.body["session_token"]) == ("settled", None)
    assert CART_COOKIE in again.cookies
    assert starts(shop.cart(again)) == ["11:00"]
    assert shop.cart(Browser(shop.world.clock, {"__Host-session": session}))["items"] == []


def test_an_answer_that_comes_too_late_to_sign_in_leaves_the_guest_s_cart(shop: Shop) -> None:
    guest = paid(shop)
    shop.world.clock.now += timedelta(minutes=60)
    guest.chooses(shop.wanted(11))

    assert guest.asks().body["session_token"] is None

    assert (starts(guest.cart), CART_COOKIE in guest.browser.cookies) == (["11:00"], True)


def test_the_cart_of_who_may_not_book_any_more_stays_the_guest_s(shop: Shop) -> None:
    guest = paid(shop).chooses(shop.wanted(11))
    shop.world.connection.execute("UPDATE users SET status = 'suspended' WHERE role = 'student'")

    assert guest.asks().body["status"] == "settled"

    assert CART_COOKIE in guest.browser.cookies
    guest.browser.post("/v1/auth/sign-out", None)
    assert starts(guest.cart) == ["11:00"]


def test_of_two_answers_the_first_signs_in_and_the_cart_is_merged_once(shop: Shop) -> None:
    guest = paid(shop).chooses(shop.wanted(11))
    cookies = dict(guest.browser.cookies)

    def ask() -> str | None:
        browser = Browser(shop.world.clock, dict(cookies))
        token: str | None = browser.get(f"/v1/checkout/{guest.checkout_id}").body["session_token"]
        return token

    tokens = [ask(), ask()]

    assert [token is not None for token in tokens] == [True, False]
    assert starts(shop.cart(Browser(shop.world.clock, {"__Host-session": str(tokens[0])}))) == ["11:00"]


def test_an_order_that_needed_no_card_signs_in_and_merges_alike(shop: Shop) -> None:
    shop.world.school.coupon("GRATUIT", "percent", "100")
    guest = Guest(shop.world).chooses(shop.wanted(9)).uses_coupon("GRATUIT").starts()
    assert guest.started["status"] == "settled"
    guest.chooses(shop.wanted(11))

    assert guest.asks().body["status"] == "settled"

    cart = guest.cart
    assert (starts(cart), cart["coupon"], cart["total_cad"]) == (["11:00"], None, "45.00")
    assert guest.browser.get("/v1/me").body["email"] == guest.email
    assert shop.add(guest.browser, shop.wanted(11)).code == "ALREADY_IN_CART"


# --- what was being paid --------------------------------------------------------------------------------------


def test_what_the_guest_was_paying_with_meanwhile_is_withdrawn_and_asked_anew(shop: Shop) -> None:
    first = paid(shop).chooses(shop.wanted(11))
    other = FORM | {"account": FORM["account"] | {"email": "autre@exemple.ca"}}
    assert first.browser.post("/v1/checkout", other).status == 201

    first.asks()

    assert shop.world.rows("SELECT status::text FROM checkouts ORDER BY created_at, status DESC") == [
        {"status": "settled"},
        {"status": "cancelled"},
    ]
    started = first.browser.post("/v1/checkout", BILLING)
    assert (started.status, started.body["amount_cad"]) == (201, "45.00")


def test_a_second_payment_that_went_through_meanwhile_is_the_account_s_order(shop: Shop) -> None:
    """The e-mail has an account by then. Who is signed in to it is not asked to sign in."""
    first = paid(shop).chooses(shop.wanted(11))
    other = FORM | {"account": FORM["account"] | {"email": "autre@exemple.ca"}}
    second = first.browser.post("/v1/checkout", other).body
    account(shop.world, "autre@exemple.ca")
    browser = signed_in(shop.world, "autre@exemple.ca")
    first.asks()
    shop.world.pay(second["payment_intent_id"])
    assert [answer.status for answer in shop.world.webhooks()] == [200]

    secret = {"x-client-secret": second["client_secret"]}
    path = f"/v1/checkout/{second['checkout_id']}"
    theirs = browser.request("GET", path, headers=secret).body
    strangers = shop.world.browser().request("GET", path, headers=secret).body

    assert (theirs["status"], theirs["order"]["total_cad"]) == ("settled", "45.00")
    assert (strangers["status"], strangers["order"]) == ("sign_in_required", None)
    assert first.cart["items"] == []
    assert is_sound(shop)


# --- the coupon of two carts ----------------------------------------------------------------------------------


@pytest.fixture
def two_carts(shop: Shop) -> tuple[Browser, Browser]:
    """A guest and a student, and codes of which two have ended since and are on whoever used them."""
    shop.world.school.coupon("MOINS20", "fixed", "20")
    shop.world.school.coupon("PASSE", ends_at=shop.world.clock() + timedelta(minutes=1))
    shop.world.school.coupon("EPUISE", max_redemptions=1)
    account(shop.world)
    return shop.guest(), signed_in(shop.world)


def use(shop: Shop, *codes: tuple[Browser, str | None]) -> None:
    """Every visitor uses their code; then PASSE ends and somebody has the last use of EPUISE."""
    for visitor, code in codes:
        assert code is None or visitor.put("/v1/cart/coupon", {"code": code}).status == 200
    shop.world.connection.execute("UPDATE coupons SET redemption_count = 1 WHERE code = 'EPUISE'")
    shop.world.clock.advance(minutes=2)


@pytest.mark.parametrize(
    ("guest_s", "own", "left", "asked"),
    [
        ("SAVE10", "PASSE", "SAVE10", "40.50"),
        ("SAVE10", "EPUISE", "SAVE10", "40.50"),
        ("PASSE", "SAVE10", "SAVE10", "40.50"),
        ("MOINS20", "SAVE10", "SAVE10", "40.50"),
        ("SAVE10", "MOINS20", "MOINS20", "25.00"),
        ("PASSE", "EPUISE", None, "45.00"),
        ("PASSE", None, None, "45.00"),
        (None, "PASSE", None, "45.00"),
        (None, None, None, "45.00"),
    ],
)
def test_at_a_merge_the_coupon_that_is_valid_wins(
    shop: Shop,
    two_carts: tuple[Browser, Browser],
    guest_s: str | None,
    own: str | None,
    left: str | None,
    asked: str,
) -> None:
    guest, student = two_carts
    use(shop, (guest, guest_s), (student, own))
    shop.added(guest, shop.wanted(9))

    assert sign_in(guest).status == 200

    coupon = shop.cart(guest)["coupon"]
    assert (coupon and coupon["code"]) == left
    started = guest.post("/v1/checkout", BILLING)
    assert (started.status, started.body["amount_cad"]) == (201, asked)


def test_a_guest_who_brings_nothing_leaves_the_account_s_coupon_alone(
    shop: Shop, two_carts: tuple[Browser, Browser]
) -> None:
    guest, student = two_carts
    item = shop.added(guest, shop.wanted(9))["items"][0]
    guest.delete(f"/v1/cart/items/{item['id']}")
    use(shop, (student, "PASSE"))

    assert sign_in(guest).status == 200

    coupon = shop.cart(guest)["coupon"]
    assert (coupon["code"], coupon["valid"]) == ("PASSE", False)
