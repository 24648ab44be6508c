"""A kept answer is for whoever could read it now: a session that is open, a guest who is still one (decision 22)."""

from typing import Any

import pytest

from tests.support.booked_student import BookedStudent
from tests.support.browser import Answer, Browser
from tests.support.guest import Guest
from tests.support.people import EMAIL, PASSWORD, account, sign_in, signed_in
from tests.support.shop import Shop
from tests.support.tables import nothing_written
from tests.support.world import FORM, World

KEY = "5b8f7f0e-1a57-4b0e-8f5d-6b1f7c1f0a11"
CHOSEN = FORM["account"]["password"]
NEW = {"password": "Autre-phrase-de-passe-34", "password_confirmation": "Autre-phrase-de-passe-34"}
BILLING = {"billing": FORM["billing"]}


@pytest.fixture
def shop(world: World) -> Shop:
    world.school.coupon("GRATUIT", "percent", "100")
    return Shop(world)


@pytest.fixture
def zoe(shop: Shop) -> Browser:
    account(shop.world)
    return signed_in(shop.world)


def again(browser: Browser) -> Browser:
    """Whoever has the same cookies."""
    return Browser(browser.clock, dict(browser.cookies))


def end_session(shop: Shop, browser: Browser, how: str) -> None:
    match how:
        case "signed out":
            assert again(browser).post("/v1/auth/sign-out", None).status == 204
        case "another password":
            body = NEW | {"current_password": PASSWORD}
            assert again(browser).post("/v1/me/password", body).status == 200
        case "expired":
            shop.world.clock.advance(milliseconds=1)
            now = shop.world.clock()
            shop.world.connection.execute("UPDATE auth_sessions SET expires_at = %s", (now,))


ENDS = ["signed out", "another password", "expired"]


# --- sessions -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ENDS)
def test_a_session_that_ended_gets_no_kept_cart(shop: Shop, zoe: Browser, how: str) -> None:
    body = {"items": [shop.wanted(9)]}
    kept = zoe.post("/v1/cart/items", body, idempotency_key=KEY)
    assert kept.status == 201
    end_session(shop, zoe, how)

    by_cookie = again(zoe).post("/v1/cart/items", body, idempotency_key=KEY)

    assert kept.body["id"] not in by_cookie.text
    assert by_cookie.code == "SLOT_UNAVAILABLE"  # a guest like any other: the account holds it


@pytest.mark.parametrize("how", ENDS)
def test_nor_does_it_in_a_header(shop: Shop, zoe: Browser, how: str) -> None:
    bearer = {"authorization": f"Bearer {zoe.cookies['__Host-session']}", "idempotency_key": KEY}
    body = {"items": [shop.wanted(9)]}
    assert shop.world.browser().post("/v1/cart/items", body, **bearer).status == 201
    end_session(shop, zoe, how)

    with nothing_written(shop.world.connection):
        answer = shop.world.browser().post("/v1/cart/items", body, **bearer)

    assert (answer.status, answer.code) == (401, "UNAUTHENTICATED")


@pytest.mark.parametrize("how", ENDS)
def test_a_session_that_ended_gets_no_kept_checkout(shop: Shop, zoe: Browser, how: str) -> None:
    shop.added(zoe, shop.wanted(9))
    kept = zoe.post("/v1/checkout", BILLING, idempotency_key=KEY)
    assert kept.status == 201
    end_session(shop, zoe, how)

    answer = again(zoe).post("/v1/checkout", BILLING, idempotency_key=KEY)

    assert answer.status == 422
    assert kept.body["client_secret"] not in answer.text


@pytest.mark.parametrize("how", ENDS)
def test_a_session_that_ended_gets_no_kept_cancellation(shop: Shop, how: str) -> None:
    student = BookedStudent.of(shop.world, shop.wanted(9))
    browser = signed_in(shop.world, EMAIL, CHOSEN)
    path = f"/v1/appointments/{student.appointment_id}/cancel"
    assert browser.post(path, {}, idempotency_key=KEY).status == 200
    if how == "another password":
        assert again(browser).post("/v1/me/password", NEW | {"current_password": CHOSEN}).status == 200
    else:
        end_session(shop, browser, how)

    with nothing_written(shop.world.connection):
        answer = again(browser).post(path, {}, idempotency_key=KEY)

    assert (answer.status, answer.code) == (401, "UNAUTHENTICATED")


def test_a_suspended_administrator_gets_no_kept_answer(world: World) -> None:
    account(world, role="admin")
    admin = signed_in(world)
    path = "/v1/admin/webhooks/endpoints/BOOKING/resume"
    assert admin.post(path, {}, idempotency_key=KEY).status == 200
    world.connection.execute("UPDATE users SET status = 'suspended'")

    with nothing_written(world.connection):
        assert admin.post(path, {}, idempotency_key=KEY).code == "UNAUTHENTICATED"


def test_another_open_session_of_the_same_person_is_another_owner(shop: Shop, zoe: Browser) -> None:
    body = {"items": [shop.wanted(9)]}
    assert zoe.post("/v1/cart/items", body, idempotency_key=KEY).status == 201

    assert signed_in(shop.world).post("/v1/cart/items", body, idempotency_key=KEY).code == "ALREADY_IN_CART"
    assert again(zoe).post("/v1/cart/items", body, idempotency_key=KEY).status == 201


def test_signing_out_again_is_done_again(shop: Shop, zoe: Browser) -> None:
    first, second = (again(zoe).post("/v1/auth/sign-out", None, idempotency_key=KEY) for _ in range(2))

    assert (first.status, first.cookies) == (second.status, second.cookies)
    assert second.status == 204


def test_the_token_that_another_password_brought_is_answered_once(shop: Shop, zoe: Browser) -> None:
    """The same call again comes with a token that has ended."""
    body = NEW | {"current_password": PASSWORD}
    before = again(zoe)
    assert zoe.post("/v1/me/password", body, idempotency_key=KEY).status == 200

    assert before.post("/v1/me/password", body, idempotency_key=KEY).code == "UNAUTHENTICATED"
    assert zoe.get("/v1/me").status == 200


# --- a sign-in ------------------------------------------------------------------------------------------------


def enters(browser: Browser) -> Answer:
    return browser.post("/v1/auth/sign-in", {"email": EMAIL, "password": PASSWORD}, idempotency_key=KEY)


def test_a_sign_in_is_answered_the_same_while_its_session_is_open(shop: Shop) -> None:
    account(shop.world)
    guest = shop.guest()
    shop.added(guest, shop.wanted(9))
    before = again(guest)

    first, second = enters(guest), enters(before)

    assert (first.status, first.body, first.cookies) == (second.status, second.body, second.cookies)
    assert shop.world.count("auth_sessions") == 1


def test_once_it_ended_the_sign_in_is_made_again(shop: Shop) -> None:
    account(shop.world)
    guest = shop.guest()
    shop.added(guest, shop.wanted(9))
    before = again(guest)
    first = enters(guest)
    assert guest.post("/v1/auth/sign-out", None).status == 204

    second = enters(before)

    assert second.status == 200
    assert second.body["session_token"] != first.body["session_token"]
    assert before.get("/v1/me").status == 200


def test_after_another_password_the_old_one_s_answer_is_not_given(shop: Shop, zoe: Browser) -> None:
    guest = shop.guest()
    shop.added(guest, shop.wanted(9))
    before = again(guest)
    assert enters(guest).status == 200
    assert zoe.post("/v1/me/password", NEW | {"current_password": PASSWORD}).status == 200

    assert enters(before).code == "INVALID_CREDENTIALS"


# --- guests ---------------------------------------------------------------------------------------------------


def starts(browser: Browser) -> Answer:
    return browser.post("/v1/checkout", FORM, idempotency_key=KEY)


def bought(shop: Shop, coupon: str | None) -> tuple[Guest, Browser, dict[str, Any]]:
    """A guest who has bought, whoever has their cookie, and the answer that is kept."""
    guest = Guest(shop.world).chooses(shop.wanted(9))
    if coupon:
        guest.uses_coupon(coupon)
    guest.started = starts(guest.browser).body
    if not coupon:
        guest.pays()
        shop.world.webhooks()
    return guest, again(guest.browser), guest.started


@pytest.mark.parametrize("coupon", [None, "GRATUIT"], ids=["card", "free"])
@pytest.mark.parametrize("enters_by", ["paying", "password elsewhere"])
def test_after_sign_out_the_guest_s_cookie_gets_no_kept_checkout(
    shop: Shop, coupon: str | None, enters_by: str
) -> None:
    guest, left_behind, kept = bought(shop, coupon)
    assert starts(again(left_behind)).body == kept  # the negative control
    if enters_by == "paying":
        assert guest.asks().body["session_token"]
        browser = guest.browser
    else:
        browser = signed_in(shop.world, guest.email, CHOSEN)
    assert browser.post("/v1/auth/sign-out", None).status == 204

    answer = starts(left_behind)

    assert answer.code == "CART_EMPTY"
    assert kept["checkout_id"] not in answer.text


def test_after_a_merge_the_guest_s_cookie_gets_no_kept_cart(shop: Shop) -> None:
    account(shop.world)
    guest, body = shop.guest(), {"items": [shop.wanted(9)]}
    kept = guest.post("/v1/cart/items", body, idempotency_key=KEY)
    left_behind = again(guest)
    assert sign_in(guest).status == 200
    assert guest.post("/v1/auth/sign-out", None).status == 204

    answer = left_behind.post("/v1/cart/items", body, idempotency_key=KEY)

    assert answer.code == "SLOT_UNAVAILABLE"
    assert kept.body["id"] not in answer.text


def test_an_order_begun_under_the_key_is_not_told_after_sign_out(shop: Shop) -> None:
    """Somebody died before answering; the order was made, its buyer signed in and out."""
    guest, left_behind, kept = bought(shop, "GRATUIT")
    shop.world.connection.execute("UPDATE idempotency_keys SET answer = NULL, leased_until = NULL")
    assert starts(again(left_behind)).body["order_id"] == kept["order_id"]
    shop.world.connection.execute("UPDATE idempotency_keys SET answer = NULL, leased_until = NULL")
    browser = signed_in(shop.world, guest.email, CHOSEN)
    assert browser.post("/v1/auth/sign-out", None).status == 204

    assert starts(left_behind).code == "CART_EMPTY"


# --- nobody ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "cookies", [{"__Host-session": "x"}, {"__Host-cart_session_id": "undefined"}, {}], ids=str
)
def test_answers_are_kept_for_nobody_who_is_nobody_here(shop: Shop, cookies: dict[str, str]) -> None:
    """A stranger has no row of the database for the asking."""
    with nothing_written(shop.world.connection):
        for number in range(5):
            stranger = Browser(shop.world.clock, dict(cookies))
            assert stranger.post("/v1/auth/sign-out", None, idempotency_key=f"cle-{number}").status == 204
            bearer = {"authorization": "Bearer personne", "idempotency_key": f"cle-{number}"}
            assert stranger.post("/v1/auth/sign-out", None, **bearer).status == 204


def test_a_first_answer_is_kept_under_the_cookie_that_it_gives(shop: Shop) -> None:
    """Not under the one of the client's own making, which others may send as well."""
    body = {"items": [shop.wanted(9)]}
    first = Browser(shop.world.clock, {"__Host-cart_session_id": "undefined"})
    kept = first.post("/v1/cart/items", body, idempotency_key=KEY)
    other = Browser(shop.world.clock, {"__Host-cart_session_id": "undefined"})

    assert (kept.status, shop.world.count("idempotency_keys")) == (201, 1)
    assert first.post("/v1/cart/items", body, idempotency_key=KEY).body == kept.body
    assert other.post("/v1/cart/items", body, idempotency_key=KEY).code == "SLOT_UNAVAILABLE"
