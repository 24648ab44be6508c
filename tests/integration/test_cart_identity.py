"""Whose cart it is: the guest of a cookie, the student of a session, and nobody else's (X-18, X-27)."""

import hashlib
import re
from collections.abc import Callable
from datetime import UTC, timedelta
from http.cookies import SimpleCookie
from typing import Any

import pytest

from functions.cart import app
from tests.support.browser import CONTEXT, Answer, Browser, http_event
from tests.support.shop import NINE, Shop
from tests.support.student import Student
from tests.support.tables import contents, nothing_written
from tests.support.world import World, toronto

NAME = "__Host-cart_session_id"


@pytest.fixture
def shop(world: World) -> Shop:
    shop = Shop(world)
    world.school.coupon("SAVE10")
    return shop


def look(shop: Shop, visitor: Browser) -> Answer:
    return visitor.get("/v1/cart")


def add(shop: Shop, visitor: Browser) -> Answer:
    return shop.add(visitor, shop.wanted(14))


def put_coupon(shop: Shop, visitor: Browser) -> Answer:
    return visitor.put("/v1/cart/coupon", {"code": "SAVE10"})


def drop_coupon(shop: Shop, visitor: Browser) -> Answer:
    return visitor.delete("/v1/cart/coupon")


def remove(shop: Shop, visitor: Browser) -> Answer:
    return visitor.delete(f"/v1/cart/items/{shop.course}")


ANSWERS_A_CART = [look, add, put_coupon, drop_coupon]
EVERY_ROUTE = [*ANSWERS_A_CART, remove]

type Call = Callable[[Shop, Browser], Answer]


# --- the guest's cookie ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("call", [add, put_coupon])
def test_a_guest_without_a_cookie_gets_one_with_what_is_put_in_the_cart(shop: Shop, call: Call) -> None:
    answer = call(shop, shop.guest())

    assert answer.status in (200, 201)
    [cookie] = answer.cookies
    attributes = {
        part.strip().partition("=")[0]: part.strip().partition("=")[2] for part in cookie.split(";")
    }
    assert re.fullmatch(r"[A-Za-z0-9_-]{43}", attributes.pop(NAME))  # 256 random bits
    assert attributes == {"Path": "/", "Max-Age": "2592000", "HttpOnly": "", "Secure": "", "SameSite": "Lax"}


NOTHING_YET: dict[str, Any] = {
    "id": None,
    "version": 0,
    "items": [],
    "coupon": None,
    "subtotal_cad": "0.00",
    "discount_cad": "0.00",
    "total_cad": "0.00",
    "credits_available_cad": "0.00",
    "currency": "CAD",
}


@pytest.mark.parametrize("value", [None, "", "undefined", "x" * 43])
def test_looking_leaves_neither_a_cart_nor_a_cookie(shop: Shop, value: str | None) -> None:
    visitor = Browser(shop.world.clock, {} if value is None else {NAME: value})

    with nothing_written(shop.world.connection):
        answers = [call(shop, visitor) for call in (look, drop_coupon)]
        assert remove(shop, visitor).code == "ITEM_NOT_FOUND"

    assert [(answer.status, answer.body, answer.cookies) for answer in answers] == [
        (200, NOTHING_YET, [])
    ] * 2


def test_a_student_who_looks_sees_their_credits_and_gets_no_cart(shop: Shop) -> None:
    student = Student(shop.world).has_credits("12.50")
    visitor = student.browser

    with nothing_written(shop.world.connection):
        cart = shop.cart(visitor)

    assert cart == NOTHING_YET | {"credits_available_cad": "12.50"}
    assert shop.added(student.browser, shop.wanted(9))["credits_available_cad"] == "12.50"


@pytest.mark.parametrize("call", [add, put_coupon])
def test_a_cookie_of_the_client_s_own_making_is_none(shop: Shop, call: Call) -> None:
    """A front end that sends `undefined` for everybody gives everybody a cart of their own."""
    one, other = (Browser(shop.world.clock, {NAME: "undefined"}) for _ in range(2))
    first = call(shop, one)
    second = put_coupon(shop, other)

    assert (first.status, second.status) == (201 if call is add else 200, 200)
    assert first.body["id"] != second.body["id"]
    assert len({one.cookies[NAME], other.cookies[NAME], "undefined"}) == 3
    assert shop.cart(one)["id"] == first.body["id"]
    known = {row["session_hash"] for row in shop.world.rows("SELECT session_hash FROM carts")}
    assert hashlib.sha256(b"undefined").digest() not in known
    assert shop.cart(Browser(shop.world.clock, {NAME: "undefined"})) == NOTHING_YET


def test_a_guest_with_a_cookie_keeps_it(shop: Shop) -> None:
    guest = shop.guest()
    shop.added(guest, shop.wanted(9))

    assert [call(shop, guest).cookies for call in EVERY_ROUTE] == [[]] * 5


def test_every_guest_gets_another_cookie_and_another_cart(shop: Shop) -> None:
    guests = [shop.guest() for _ in range(5)]

    assert len({put_coupon(shop, guest).body["id"] for guest in guests}) == 5
    assert len({guest.cookies[NAME] for guest in guests}) == 5


def test_the_cookie_alone_opens_the_cart_again(shop: Shop) -> None:
    guest = shop.guest()
    cart = shop.added(guest, shop.wanted(9))

    assert shop.cart(Browser(shop.world.clock, {NAME: guest.cookies[NAME]})) == cart


def test_the_database_knows_the_cookie_only_by_its_hash(shop: Shop) -> None:
    guest = shop.guest()
    shop.added(guest, shop.wanted(9))
    cookie = guest.cookies[NAME]

    assert shop.world.rows("SELECT user_id, session_hash FROM carts") == [
        {"user_id": None, "session_hash": hashlib.sha256(cookie.encode()).digest()}
    ]
    assert cookie not in str(contents(shop.world.connection))


HOSTILE = {
    "sql": "'; DROP TABLE carts; --",
    "a path": "../../etc/passwd",
    "a script": "<script>alert(1)</script>",
    "NUL": "a\x00b",
    "another line": "a\r\nSet-Cookie: __Host-session=x",
    "as long as allowed": "x" * 200,
    "not ASCII": "é\u2028\U0001f600",
    "an id": "00000000-0000-0000-0000-000000000000",
    "percent": "%00%ff",
    "quoted": '"quoted"',
    "half a surrogate pair": "\ud800",
}


@pytest.mark.parametrize("value", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_cookie_is_just_somebody_without_a_cart(shop: Shop, value: str) -> None:
    mine = shop.guest()
    cart = shop.added(mine, shop.wanted(9))

    hostile = Browser(shop.world.clock, {NAME: value})
    answers = [call(shop, hostile) for call in EVERY_ROUTE]

    assert [answer.status for answer in answers] == [200, 201, 200, 200, 404]
    assert [len(answer.body["items"]) for answer in answers[:4]] == [0, 1, 1, 1]
    assert all(answer.text.encode() for answer in answers)
    assert shop.cart(mine) == cart


@pytest.mark.parametrize("value", ["", "x" * 201, "x" * 10_000])
def test_a_cookie_that_cannot_be_ours_is_replaced(shop: Shop, value: str) -> None:
    visitor = Browser(shop.world.clock, {NAME: value})
    answer = add(shop, visitor)

    assert (answer.status, len(answer.cookies)) == (201, 1)
    assert len(visitor.cookies[NAME]) == 43
    assert shop.cart(visitor)["id"] == answer.body["id"]


@pytest.mark.parametrize("cookies", [[NAME], [f"{NAME}="], ["=x"], [""], [";;;"], ["other=1"], None], ids=str)
def test_what_is_not_a_cookie_at_all_is_no_cookie(shop: Shop, cookies: list[str] | None) -> None:
    event = http_event("PUT", "/v1/cart/coupon", shop.world.clock(), {"code": "SAVE10"}) | {
        "cookies": cookies
    }
    if cookies is None:
        del event["cookies"]

    answer = app.lambda_handler(event, CONTEXT)

    assert answer["statusCode"] == 200
    [cookie] = answer["cookies"]
    assert len(SimpleCookie(cookie)[NAME].value) == 43


def test_an_outsider_s_own_cookie_opens_an_empty_cart_and_no_other(shop: Shop) -> None:
    shop.added(shop.guest(), shop.wanted(9))

    assert shop.cart(Browser(shop.world.clock, {NAME: "a"}))["items"] == []


# --- the student's session ------------------------------------------------------------------------------------


def look_with_token(shop: Shop, owner: Browser) -> Answer:
    """The same session, sent as an application would."""
    return shop.guest().get("/v1/cart", authorization=f"Bearer {owner.cookies['__Host-session']}")


def test_a_student_needs_no_guests_cookie(shop: Shop) -> None:
    student = shop.signed_in()

    assert [call(shop, student).cookies for call in EVERY_ROUTE] == [[]] * 5


def test_cookie_and_bearer_open_the_same_cart(shop: Shop) -> None:
    student = shop.signed_in()
    cart = shop.added(student, shop.wanted(9))

    assert look_with_token(shop, student).body == cart
    assert shop.world.rows("SELECT session_hash FROM carts") == [{"session_hash": None}]


def test_the_scheme_of_a_bearer_token_has_no_case(shop: Shop) -> None:
    token = shop.signed_in().cookies["__Host-session"]

    assert shop.guest().get("/v1/cart", authorization=f"bearer {token}").status == 200


def test_a_student_sees_the_account_s_cart_and_not_the_browser_s(shop: Shop) -> None:
    visitor = shop.guest()
    shop.added(visitor, shop.wanted(9))
    visitor.cookies |= shop.signed_in().cookies

    assert shop.cart(visitor)["items"] == []
    assert (
        shop.add(visitor, shop.wanted(9)).code == "SLOT_UNAVAILABLE"
    )  # the browser's hold is not the account's


def test_two_students_have_two_carts(shop: Shop) -> None:
    one, other = shop.signed_in("a@exemple.ca"), shop.signed_in("b@exemple.ca")
    cart = shop.added(one, shop.wanted(9))

    assert shop.cart(other)["items"] == []
    assert other.delete(f"/v1/cart/items/{cart['items'][0]['id']}").code == "ITEM_NOT_FOUND"
    assert shop.cart(one) == cart


@pytest.mark.parametrize("first", ["guest", "student"])
@pytest.mark.parametrize("second", ["guest", "student"])
def test_whoever_holds_a_time_blocks_everybody_else(shop: Shop, first: str, second: str) -> None:
    """X-18."""
    visitors = {"guest": [shop.guest(), shop.guest()]}
    visitors["student"] = [shop.signed_in("a@exemple.ca"), shop.signed_in("b@exemple.ca")]
    holder, other = visitors[first][0], visitors[second][1]
    cart = shop.added(holder, shop.wanted(9))

    with nothing_written(shop.world.connection):
        answer = shop.add(other, shop.wanted(9, 30))

    assert (answer.status, answer.code) == (409, "SLOT_UNAVAILABLE")
    assert shop.cart(holder) == cart
    holder.delete(f"/v1/cart/items/{cart['items'][0]['id']}")
    shop.added(other, shop.wanted(9, 30))


@pytest.mark.parametrize("first", ["guest", "student"])
@pytest.mark.parametrize("second", ["guest", "student"])
def test_an_expired_hold_is_taken_over_with_its_owner_rewritten(shop: Shop, first: str, second: str) -> None:
    """X-18: the first owner's later removal must not touch the second's hold."""
    visitors = {"guest": [shop.guest(), shop.guest()]}
    visitors["student"] = [shop.signed_in("a@exemple.ca"), shop.signed_in("b@exemple.ca")]
    loser, winner = visitors[first][0], visitors[second][1]
    [lost] = shop.added(loser, shop.wanted(9))["items"]
    shop.world.clock.advance(minutes=15)

    theirs = shop.added(winner, shop.wanted(9))
    loser.delete(f"/v1/cart/items/{lost['id']}")

    assert shop.cart(winner) == theirs
    assert [(str(claim["id"]), claim["expires_at"]) for claim in shop.claims()] == [
        (theirs["items"][0]["id"], toronto(18, 12, 30))
    ]
    assert not shop.offers(NINE)


# --- sessions that open nothing -------------------------------------------------------------------------------


class Caller(Browser):
    """Sends an Authorization header with every request."""

    authorization: str

    def request(
        self,
        method: str,
        path: str,
        body: Any = None,
        query: dict[str, str] | None = None,
        headers: dict[str, str] | None = None,
    ) -> Answer:
        named = (headers or {}) | {"authorization": self.authorization}
        return super().request(method, path, body, query, named)


@pytest.mark.parametrize(
    "authorization", ["Bearer nobody", "Bearer", "Bearer ", "Basic bm9ib2R5", "nobody", " ", "Bearer \ud800"]
)
def test_a_bearer_token_that_opens_nothing_is_refused(shop: Shop, authorization: str) -> None:
    """Even when a cart's cookie comes along: who says who they are must be who they say."""
    guest = shop.guest()
    shop.added(guest, shop.wanted(9))
    caller = Caller(guest.clock, guest.cookies)
    caller.authorization = authorization

    with nothing_written(shop.world.connection):
        answers = [call(shop, caller) for call in EVERY_ROUTE]

    assert [(answer.status, answer.code, answer.body["detail"], answer.cookies) for answer in answers] == [
        (401, "UNAUTHENTICATED", "Non autorisé", [])
    ] * 5


def ended(shop: Shop, how: str) -> Browser:
    now = shop.world.clock()
    match how:
        case "expired":
            return shop.signed_in(expires_at=now)
        case "revoked":
            return shop.signed_in(revoked_at=now - timedelta(minutes=1))
        case _:
            tutor = shop.signed_in(role="tutor")
            shop.world.connection.execute("UPDATE users SET status = 'suspended' WHERE role = 'tutor'")
            return tutor


@pytest.mark.parametrize("how", ["expired", "revoked", "a suspended tutor's"])
def test_a_session_that_has_ended_is_refused_as_a_token_and_ignored_as_a_cookie(shop: Shop, how: str) -> None:
    visitor = ended(shop, how)

    assert look_with_token(shop, visitor).status == 401
    answer = put_coupon(shop, visitor)
    assert (answer.status, len(answer.cookies)) == (200, 1)
    assert [row["user_id"] for row in shop.world.rows("SELECT user_id FROM carts")] == [None]


def test_a_session_is_good_until_just_before_it_expires(shop: Shop) -> None:
    student = shop.signed_in(expires_at=NINE.astimezone(UTC))
    shop.world.clock.now = (NINE - timedelta(milliseconds=1)).astimezone(UTC)
    assert look_with_token(shop, student).status == 200

    shop.world.clock.advance(milliseconds=1)
    assert look_with_token(shop, student).status == 401


# --- accounts that do not buy ---------------------------------------------------------------------------------


@pytest.mark.parametrize("role", ["tutor", "admin"])
def test_tutors_and_administrators_have_no_cart(shop: Shop, role: str) -> None:
    visitor = shop.signed_in(role=role)

    with nothing_written(shop.world.connection):
        answers = [call(shop, visitor) for call in EVERY_ROUTE]

    assert [(answer.status, answer.code, answer.body["detail"], answer.cookies) for answer in answers] == [
        (403, "BOOKING_NOT_ALLOWED", "Ce compte ne peut pas effectuer de réservation", [])
    ] * 5


def test_a_suspended_student_does_not_buy(shop: Shop) -> None:
    """Spec B.14: they may still sign in, see and cancel."""
    student = shop.signed_in()
    shop.world.connection.execute("UPDATE users SET status = 'suspended' WHERE role = 'student'")

    with nothing_written(shop.world.connection):
        answers = [call(shop, student) for call in EVERY_ROUTE]

    assert [(answer.status, answer.code) for answer in answers] == [(403, "BOOKING_NOT_ALLOWED")] * 5
    assert student.get("/v1/me").body["status"] == "suspended"


def test_the_role_is_read_from_the_database_at_every_request(shop: Shop) -> None:
    student = shop.signed_in()
    assert student.get("/v1/cart").status == 200

    shop.world.connection.execute("UPDATE users SET role = 'admin' WHERE role = 'student'")

    assert student.get("/v1/cart").code == "BOOKING_NOT_ALLOWED"
