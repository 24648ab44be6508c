"""The same request with the same Idempotency-Key: one effect, the same answer (decision 9)."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest

from adapters.idempotency import KeyedRequest
from adapters.stripe_payments import stripe_payments
from domain import idempotency
from domain.accounts.callers import Buyer
from domain.idempotency import LEASE
from domain.tutoring.models import StartCheckout
from tests.conftest import Database
from tests.support.booked_student import BookedStudent
from tests.support.browser import Answer, Browser
from tests.support.guest import Guest
from tests.support.selling import start_checkout
from tests.support.shop import Shop
from tests.support.world import World, form

KEY = "5b8f7f0e-1a57-4b0e-8f5d-6b1f7c1f0a11"


@pytest.fixture
def shop(world: World) -> Shop:
    return Shop(world)


@pytest.fixture
def guest(shop: Shop) -> Browser:
    """A guest who has a cart, and so a cookie."""
    shop.world.school.coupon("SAVE10")
    guest = shop.guest()
    assert guest.put("/v1/cart/coupon", {"code": "SAVE10"}).status == 200
    return guest


def add(browser: Browser, *sessions: object, key: str = KEY) -> Answer:
    return browser.post("/v1/cart/items", {"items": list(sessions)}, idempotency_key=key)


def same(one: Answer, other: Answer) -> bool:
    return (one.status, one.body, one.cookies) == (other.status, other.body, other.cookies)


@contextmanager
def somebody_answering(database: Database, request: idempotency.Keyed, world: World) -> Iterator[None]:
    """Another container with the same request in hand."""
    with psycopg.connect(database.url) as rival:
        assert idempotency.claim(rival, request, world.clock()) is None
        yield
        rival.rollback()


def keyed(browser: Browser, body: object, path: str = "/v1/cart/items", key: str = KEY) -> idempotency.Keyed:
    return KeyedRequest(key, path, json.dumps(body).encode()).of(browser.cookies["__Host-cart_session_id"])


def test_adding_again_with_the_same_key_answers_the_same_and_adds_nothing(shop: Shop, guest: Browser) -> None:
    first = add(guest, shop.wanted(9))
    before = shop.claims()

    assert first.status == 201
    assert same(add(guest, shop.wanted(9)), first)
    assert shop.claims() == before
    assert shop.world.count("cart_sessions") == 1


def test_without_a_key_the_same_session_again_is_already_in_the_cart(shop: Shop, guest: Browser) -> None:
    shop.added(guest, shop.wanted(9))

    assert shop.add(guest, shop.wanted(9)).code == "ALREADY_IN_CART"


def test_a_newcomer_who_kept_the_cookie_is_answered_the_same_again(shop: Shop) -> None:
    newcomer = shop.guest()

    first = add(newcomer, shop.wanted(9))

    assert len(first.cookies) == 1
    assert same(add(newcomer, shop.wanted(9)), first)


def test_a_stranger_with_the_same_key_and_body_never_sees_the_other_cart(shop: Shop) -> None:
    first = add(shop.guest(), shop.wanted(9))

    other = add(shop.guest(), shop.wanted(9))

    assert first.status == 201
    assert other.code == "SLOT_UNAVAILABLE"
    assert first.body["id"] not in other.text


def test_a_key_sent_with_a_session_and_a_cart_s_cookie_is_the_session_s(shop: Shop) -> None:
    zoe, cookie = shop.signed_in(), shop.guest()
    shop.added(cookie, shop.wanted(11))
    zoe.cookies |= cookie.cookies
    first = add(zoe, shop.wanted(9))
    assert first.status == 201

    del zoe.cookies["__Host-cart_session_id"]
    assert same(add(zoe, shop.wanted(9)), first)
    assert add(cookie, shop.wanted(9)).code == "SLOT_UNAVAILABLE"


def test_another_body_under_the_same_key_is_refused(shop: Shop, guest: Browser) -> None:
    add(guest, shop.wanted(9))

    assert add(guest, shop.wanted(10)).code == "IDEMPOTENCY_KEY_REUSED"
    assert shop.world.count("cart_sessions") == 1


def test_another_key_is_another_request(shop: Shop, guest: Browser) -> None:
    add(guest, shop.wanted(9))

    assert add(guest, shop.wanted(9), key=str(uuid4())).code == "ALREADY_IN_CART"


def test_while_it_is_being_answered_it_is_refused_for_a_moment(
    shop: Shop, guest: Browser, database: Database
) -> None:
    body = {"items": [shop.wanted(9)]}

    with somebody_answering(database, keyed(guest, body), shop.world):
        refused = add(guest, shop.wanted(9))

    assert (refused.status, refused.code, refused.headers["Retry-After"]) == (
        409,
        "IDEMPOTENCY_IN_FLIGHT",
        "1",
    )
    assert shop.claims() == []
    assert add(guest, shop.wanted(9)).status == 201


def test_a_refusal_is_not_kept(shop: Shop, guest: Browser) -> None:
    rival = shop.guest()
    cart = shop.added(rival, shop.wanted(9))

    assert add(guest, shop.wanted(9)).code == "SLOT_UNAVAILABLE"
    assert shop.world.count("idempotency_keys") == 0
    rival.delete(f"/v1/cart/items/{cart['items'][0]['id']}")
    assert add(guest, shop.wanted(9)).status == 201


def test_a_key_is_good_for_a_day(shop: Shop, guest: Browser) -> None:
    add(guest, shop.wanted(9))

    shop.world.clock.advance(hours=24, seconds=-1)
    assert add(guest, shop.wanted(9)).status == 201
    assert shop.world.count("cart_sessions") == 1

    shop.world.clock.advance(seconds=1)
    add(guest, shop.wanted(9))
    assert shop.world.count("cart_sessions") == 2  # its hold had lapsed: it was put in the cart anew


def test_expired_keys_are_deleted(shop: Shop, guest: Browser) -> None:
    add(guest, shop.wanted(9))
    now = shop.world.clock()

    with shop.world.connection.transaction():
        assert idempotency.delete_expired(shop.world.connection, now + timedelta(hours=23), 10) == 0
        assert idempotency.delete_expired(shop.world.connection, now + timedelta(hours=24), 10) == 1


@pytest.mark.parametrize("key", ["", "é", "k" * 256, "a\tb"])
def test_a_key_that_is_none_is_refused(shop: Shop, guest: Browser, key: str) -> None:
    refused = add(guest, shop.wanted(9), key=key)

    assert (refused.status, refused.code) == (422, "VALIDATION_FAILED")
    assert refused.body["errors"][0]["field"] == "Idempotency-Key"
    assert shop.claims() == []


def test_what_is_stored_tells_nothing(shop: Shop, guest: Browser) -> None:
    cart = add(guest, shop.wanted(9)).body

    (row,) = shop.world.rows("SELECT * FROM idempotency_keys")

    stored = b"".join(bytes(value) for value in row.values() if isinstance(value, bytes))
    for secret in (KEY, guest.cookies["__Host-cart_session_id"], cart["id"], "Mme Roy"):
        assert secret.encode() not in stored


def test_cancelling_again_gives_the_credit_once(shop: Shop) -> None:
    student = BookedStudent.of(shop.world, shop.wanted(9))
    path = f"/v1/appointments/{student.appointment_id}/cancel"

    first = student.browser.post(path, {}, idempotency_key=KEY)
    again = student.browser.post(path, {}, idempotency_key=KEY)

    assert first.status == 200, first.text
    assert same(again, first)
    assert shop.world.count("credit_transactions") == 1
    assert student.browser.post(path, {}).status == 409 or student.browser.post(path, {}).status == 422


class TestCheckout:
    @pytest.fixture
    def buyer(self, shop: Shop) -> Guest:
        return Guest(shop.world).chooses(shop.wanted(9))

    def starts(self, buyer: Guest, key: str = KEY, **changes: object) -> Answer:
        return buyer.browser.post("/v1/checkout", form(buyer.email) | changes, idempotency_key=key)

    def test_starting_again_answers_the_same_payment(self, shop: Shop, buyer: Guest) -> None:
        first = self.starts(buyer)

        assert first.status == 201, first.text
        assert same(self.starts(buyer), first)
        assert shop.world.count("checkouts") == 1

    def test_it_is_the_same_answer_even_after_the_order(self, shop: Shop, buyer: Guest) -> None:
        first = self.starts(buyer)
        buyer.started = first.body
        buyer.pays()
        shop.world.webhooks()

        assert same(self.starts(buyer), first)
        assert shop.world.count("orders") == 1

    def test_another_form_under_the_same_key_is_refused(self, shop: Shop, buyer: Guest) -> None:
        self.starts(buyer)

        other = self.starts(
            buyer, billing={"address": "1, rue Un", "city": "Laval", "province": "QC", "country": "CA"}
        )

        assert other.code == "IDEMPOTENCY_KEY_REUSED"
        assert shop.world.count("checkouts") == 1

    def test_a_refused_form_can_be_sent_again(self, buyer: Guest) -> None:
        empty = Guest(buyer.world)
        empty.browser.get("/v1/cart")

        assert self.starts(empty).code == "CART_EMPTY"
        assert buyer.world.count("idempotency_keys") == 0

    def test_while_it_is_being_answered_it_is_refused_and_after_the_lease_it_is_not(
        self, shop: Shop, buyer: Guest
    ) -> None:
        request = keyed(buyer.browser, form(buyer.email), "/v1/checkout")
        with shop.world.connection.transaction():
            idempotency.lease(shop.world.connection, request, shop.world.clock())

        refused = self.starts(buyer)
        assert (refused.code, refused.headers["Retry-After"]) == ("IDEMPOTENCY_IN_FLIGHT", "1")
        assert shop.world.count("checkouts") == 0

        shop.world.clock.advance(seconds=LEASE.total_seconds())
        assert self.starts(buyer).status == 201

    def test_an_order_made_by_somebody_who_died_before_answering_is_answered(
        self, shop: Shop, buyer: Guest, database: Database
    ) -> None:
        shop.world.school.coupon("GRATUIT", "percent", "100")
        buyer.uses_coupon("GRATUIT")
        request = keyed(buyer.browser, form(buyer.email), "/v1/checkout")
        with psycopg.connect(database.url, autocommit=True) as dying:
            assert idempotency.lease(dying, request, shop.world.clock()) is not None
            start_checkout(
                dying,
                stripe_payments(),
                Buyer.guest(buyer.browser.cookies["__Host-cart_session_id"]),
                StartCheckout.model_validate(form(buyer.email)),
                "pk_test",
                shop.world.clock(),
                request,
            )
        shop.world.clock.advance(seconds=LEASE.total_seconds())

        answer = self.starts(buyer)

        (order,) = shop.world.rows("SELECT id FROM orders")
        assert (answer.status, answer.body["status"], answer.body["order_id"]) == (
            201,
            "settled",
            str(order["id"]),
        )


def test_every_post_but_stripes_takes_a_key() -> None:
    paths = json.loads(Path("functions/system/openapi.json").read_text())["paths"]

    without = [
        path
        for path, operations in paths.items()
        if "post" in operations
        and "IDEMPOTENCY_KEY_REUSED"
        not in operations["post"]["responses"].get("409", {}).get("description", "")
    ]

    assert sorted(without) == ["/v1/checkout/email-check", "/v1/stripe/webhook"]


def test_one_key_for_two_operations_masks_their_answers_differently() -> None:
    """One stream for both would give away the difference of the two answers, and with one of them the other."""
    nothing = bytes(64)
    adding = KeyedRequest(KEY, "/v1/cart/items", b"{}")
    paying = KeyedRequest(KEY, "/v1/checkout", b"{}")

    assert adding.mask("guest", nothing) != paying.mask("guest", nothing)
    assert adding.mask("guest", adding.mask("guest", b"answer")) == b"answer"
