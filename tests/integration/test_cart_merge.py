"""A guest signs in: one cart is left, with every hold it should have (spec 5.3, X-51)."""

from typing import Any

import pytest

from tests.support.browser import Browser
from tests.support.people import EMAIL, account, sign_in, signed_in
from tests.support.rush import overlapping_claims, sessions_without_their_hold
from tests.support.shop import Shop
from tests.support.tables import contents
from tests.support.world import FORM, World

COOKIE = "__Host-cart_session_id"


@pytest.fixture
def shop(world: World) -> Shop:
    world.school.coupon("SAVE10")
    world.school.coupon("MOINS20", "fixed", "20")
    account(world)
    return Shop(world)


def entered(browser: Browser) -> Browser:
    """The same browser, signed in."""
    answer = sign_in(browser)
    assert answer.status == 200, answer.text
    return browser


def starts(cart: dict[str, Any]) -> list[str]:
    return [item["start"][11:16] for item in cart["items"]]


def is_sound(shop: Shop) -> bool:
    connection = shop.world.connection
    return (
        overlapping_claims(connection) == 0
        and sessions_without_their_hold(connection, shop.world.clock()) == 0
    )


# --- what comes along -----------------------------------------------------------------------------------------


def test_sessions_come_along_with_their_holds(shop: Shop) -> None:
    browser = shop.guest()
    before = shop.added(browser, shop.wanted(9), shop.wanted(11))
    claims = shop.claims()
    shop.world.clock.advance(minutes=5)

    after = shop.cart(entered(browser))

    assert after["items"] == before["items"]  # the ids, and the instants at which the holds end
    assert shop.claims() == claims
    assert is_sound(shop)


def test_the_moved_holds_end_when_they_would_have(shop: Shop) -> None:
    browser = shop.guest()
    shop.added(browser, shop.wanted(9))
    shop.world.clock.advance(minutes=14)
    entered(browser)

    shop.world.clock.advance(minutes=1)

    assert [item["hold_expired"] for item in shop.cart(browser)["items"]] == [True]


def test_the_account_s_sessions_stay_beside_the_guest_s(shop: Shop) -> None:
    shop.added(signed_in(shop.world), shop.wanted(13))
    browser = shop.guest()
    shop.added(browser, shop.wanted(9))

    assert starts(shop.cart(entered(browser))) == ["09:00", "13:00"]
    assert is_sound(shop)


def test_the_moved_sessions_are_the_student_s_to_take_out(shop: Shop) -> None:
    browser = shop.guest()
    [item] = shop.added(browser, shop.wanted(9))["items"]
    entered(browser)

    answers = [browser.delete(f"/v1/cart/items/{item['id']}") for _ in range(2)]

    assert [(answer.status, answer.body["items"]) for answer in answers] == [(200, []), (200, [])]
    assert shop.claims() == []


def test_what_the_guest_had_taken_out_may_be_taken_out_again(shop: Shop) -> None:
    browser = shop.guest()
    [item] = shop.added(browser, shop.wanted(9))["items"]
    browser.delete(f"/v1/cart/items/{item['id']}")

    assert entered(browser).delete(f"/v1/cart/items/{item['id']}").status == 200


@pytest.mark.parametrize("opened", [True, False], ids=["a cart", "no cart"])
def test_the_cart_is_one_version_further(shop: Shop, *, opened: bool) -> None:
    before = shop.cart(signed_in(shop.world))["version"] if opened else 0
    browser = shop.guest()
    shop.added(browser, shop.wanted(9))

    assert shop.cart(entered(browser))["version"] == before + 1


# --- what does not --------------------------------------------------------------------------------------------


def test_a_time_chosen_twice_is_in_the_cart_once(shop: Shop) -> None:
    student = signed_in(shop.world)
    shop.added(student, shop.wanted(9))
    shop.world.clock.advance(minutes=15)
    browser = shop.guest()
    guest_s = shop.added(browser, shop.wanted(9))

    after = shop.cart(entered(browser))

    assert after["items"] == guest_s["items"]
    assert len(shop.claims()) == 1
    assert is_sound(shop)


def test_a_time_the_account_still_holds_is_not_given_up_for_a_lapsed_one(shop: Shop) -> None:
    browser = shop.guest()
    shop.added(browser, shop.wanted(9))
    shop.world.clock.advance(minutes=15)
    account_s = shop.added(signed_in(shop.world), shop.wanted(9))

    after = shop.cart(entered(browser))

    assert after["items"] == account_s["items"]
    assert is_sound(shop)


def test_of_overlapping_sessions_the_guest_s_stays_and_the_other_s_time_is_free_at_once(shop: Shop) -> None:
    caron = shop.m_caron()
    shop.added(signed_in(shop.world), shop.wanted(9, tutor=caron), shop.wanted(13, tutor=caron))
    browser = shop.guest()
    shop.added(browser, shop.wanted(9, 30))

    after = shop.cart(entered(browser))

    assert starts(after) == ["09:30", "13:00"]
    assert len(shop.claims()) == 2
    assert is_sound(shop)
    assert shop.add(shop.guest(), shop.wanted(9, tutor=caron)).status == 201


# --- the coupon -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("guest_s", "own", "left"),
    [
        ("SAVE10", None, "SAVE10"),
        (None, "MOINS20", "MOINS20"),
        ("SAVE10", "MOINS20", "MOINS20"),
        (None, None, None),
    ],
)
def test_the_guest_s_coupon_is_used_when_the_account_s_cart_has_none(
    shop: Shop, guest_s: str | None, own: str | None, left: str | None
) -> None:
    student, browser = signed_in(shop.world), shop.guest()
    for visitor, code in ((student, own), (browser, guest_s)):
        shop.cart(visitor)
        if code:
            assert visitor.put("/v1/cart/coupon", {"code": code}).status == 200

    coupon = shop.cart(entered(browser))["coupon"]

    assert (coupon and coupon["code"]) == left


# --- what is left of the guest --------------------------------------------------------------------------------


def test_the_guest_s_cart_and_cookie_are_gone(shop: Shop) -> None:
    browser = shop.guest()
    shop.added(browser, shop.wanted(9))
    old = browser.cookies[COOKIE]

    answer = sign_in(browser)

    assert [cookie for cookie in answer.cookies if cookie.startswith(f"{COOKIE}=;")] != []
    assert COOKIE not in browser.cookies
    assert shop.world.rows("SELECT session_hash FROM carts") == [{"session_hash": None}]
    assert shop.cart(Browser(shop.world.clock, {COOKIE: old}))["items"] == []


def test_signing_in_without_a_cart_opens_none(shop: Shop) -> None:
    answer = sign_in(shop.guest())

    assert len(answer.cookies) == 1
    assert shop.world.count("carts") == 0


def test_an_empty_guest_cart_changes_nothing_of_the_account_s(shop: Shop) -> None:
    student = signed_in(shop.world)
    before = shop.added(student, shop.wanted(9))
    assert student.post("/v1/checkout", {"billing": FORM["billing"]}).status == 201
    browser = shop.guest()
    shop.cart(browser)

    assert shop.cart(entered(browser)) == before
    assert shop.world.rows("SELECT status::text FROM checkouts") == [{"status": "open"}]
    assert shop.world.count("carts") == 1


def test_a_second_sign_in_of_the_same_browser_merges_nothing_more(shop: Shop) -> None:
    browser = shop.guest()
    shop.added(browser, shop.wanted(9))
    cookie = {COOKIE: browser.cookies[COOKIE]}
    before = shop.cart(entered(browser))

    again = Browser(shop.world.clock, cookie)

    assert shop.cart(entered(again)) == before


@pytest.mark.parametrize(
    ("role", "status"), [("tutor", "active"), ("admin", "active"), ("student", "suspended")]
)
def test_the_cart_of_who_may_not_book_stays_the_guest_s(world: World, role: str, status: str) -> None:
    account(world, EMAIL, role, status=status)
    shop = Shop(world)
    browser = shop.guest()
    before = shop.added(browser, shop.wanted(9))

    entered(browser)

    assert browser.get("/v1/cart").code == "BOOKING_NOT_ALLOWED"
    browser.post("/v1/auth/sign-out", None)
    assert shop.cart(browser) == before


def test_a_refused_sign_in_merges_nothing(shop: Shop) -> None:
    browser = shop.guest()
    shop.added(browser, shop.wanted(9))
    before = contents(shop.world.connection)

    assert sign_in(browser, password="Phrase-de-passe-13").status == 401

    assert contents(shop.world.connection) == before
    assert COOKIE in browser.cookies


# --- what was being paid --------------------------------------------------------------------------------------


def test_what_either_cart_was_being_paid_with_is_withdrawn(shop: Shop) -> None:
    student = signed_in(shop.world)
    shop.added(student, shop.wanted(13))
    assert student.post("/v1/checkout", {"billing": FORM["billing"]}).status == 201
    browser = shop.guest()
    shop.added(browser, shop.wanted(9))
    other = FORM | {"account": FORM["account"] | {"email": "autre@exemple.ca"}}
    assert browser.post("/v1/checkout", other).status == 201

    entered(browser)

    assert shop.world.rows("SELECT status::text FROM checkouts") == [{"status": "cancelled"}] * 2
    started = browser.post("/v1/checkout", {"billing": FORM["billing"]})
    assert (started.status, started.body["amount_cad"]) == (201, "90.00")


def test_a_guest_s_payment_that_went_through_books_its_snapshot_and_leaves_the_merged_cart(
    shop: Shop,
) -> None:
    """Spec 5.8: settlement attaches to who the snapshot names."""
    browser = shop.guest()
    shop.added(browser, shop.wanted(9))
    other = FORM | {"account": FORM["account"] | {"email": "autre@exemple.ca"}}
    intent = browser.post("/v1/checkout", other).body["payment_intent_id"]
    shop.added(browser, shop.wanted(11))
    entered(browser)
    shop.world.pay(intent)

    assert [answer.status for answer in shop.world.webhooks()] == [200]

    assert starts(shop.cart(browser)) == ["11:00"]
    assert shop.world.rows(
        "SELECT email::text, extract(hour FROM start_datetime AT TIME ZONE 'America/Toronto')::int AS hour"
        "  FROM appointments JOIN users ON users.id = user_id"
    ) == [{"email": "autre@exemple.ca", "hour": 9}]
    assert is_sound(shop)


# --- the whole story (UR-12, UR-13) ---------------------------------------------------------------------------


def test_who_types_an_existing_e_mail_signs_in_and_pays_for_the_same_cart(shop: Shop) -> None:
    world = shop.world
    browser = shop.guest()
    filled = shop.added(browser, shop.wanted(9), shop.wanted(11))
    form = FORM | {"account": FORM["account"] | {"email": "ZOE@exemple.ca"}}
    accounts_before = world.count("users")

    assert browser.post("/v1/checkout/email-check", {"email": "Zoe@Exemple.ca"}).body == {"exists": True}
    refused = browser.post("/v1/checkout", form)
    assert (refused.status, refused.code) == (409, "USER_ALREADY_EXISTS")
    assert world.stripe.all("payment_intent") == []
    assert shop.cart(browser) == filled

    assert shop.cart(entered(browser))["items"] == filled["items"]
    started = browser.post("/v1/checkout", {"billing": FORM["billing"]}).body
    world.pay(started["payment_intent_id"])
    followed = browser.get(f"/v1/checkout/{started['checkout_id']}").body

    assert (followed["status"], followed["order"]["total_cad"]) == ("settled", "90.00")
    assert [answer.status for answer in world.webhooks()] == [200]
    assert world.rows(
        "SELECT email::text, total_cad::text AS total FROM orders JOIN users ON users.id = user_id"
    ) == [{"email": EMAIL, "total": "90.00"}]
    assert world.count("users") == accounts_before
    assert world.rows("SELECT type FROM outbox") == [{"type": "booking.created"}]
    assert shop.cart(browser)["items"] == []
    assert world.rows("SELECT count(*) AS n FROM appointments WHERE status = 'scheduled'") == [{"n": 2}]


@pytest.mark.parametrize("role", ["tutor", "admin"])
def test_the_e_mail_of_who_may_not_book_leads_to_a_403_before_any_charge(world: World, role: str) -> None:
    account(world, EMAIL, role)
    shop = Shop(world)
    browser = shop.guest()
    shop.added(browser, shop.wanted(9))
    assert browser.post("/v1/checkout", FORM).code == "USER_ALREADY_EXISTS"

    answer = entered(browser).post("/v1/checkout", {"billing": FORM["billing"]})

    assert (answer.status, answer.code) == (403, "BOOKING_NOT_ALLOWED")
    assert answer.body["detail"] == "Ce compte ne peut pas effectuer de réservation"
    assert world.stripe.all("payment_intent") == []
