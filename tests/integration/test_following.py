"""Asking how a payment went, over and over: Stripe is asked once in three seconds, whoever asks."""

from uuid import UUID

import psycopg
import pytest

from domain.checkout import follow, queries
from tests.conftest import Database
from tests.support.browser import Browser
from tests.support.guest import Guest
from tests.support.people import account, sign_in, signed_in
from tests.support.race import at_once
from tests.support.shop import Shop
from tests.support.tables import nothing_written
from tests.support.world import FORM, World


@pytest.fixture
def shop(world: World) -> Shop:
    return Shop(world)


@pytest.fixture
def guest(world: World, shop: Shop) -> Guest:
    return Guest(world).chooses(shop.wanted(9)).starts()


def questions(world: World) -> int:
    """How often Stripe was asked about a payment."""
    return sum(call.method == "GET" for call in world.stripe.calls)


def told(guest: Guest) -> tuple[str, str | None]:
    answer = guest.asks()
    assert answer.status == 200, answer.text
    return answer.body["status"], answer.headers.get("Retry-After")


def test_stripe_is_asked_once_in_three_seconds(world: World, guest: Guest) -> None:
    first = told(guest)
    world.clock.advance(seconds=2.5)
    second = told(guest)
    asked_in_between = questions(world)
    world.clock.advance(seconds=0.5)
    third = told(guest)

    assert [first, second, third] == [
        ("requires_payment", None),
        ("requires_payment", "1"),
        ("requires_payment", None),
    ]
    assert (asked_in_between, questions(world)) == (1, 2)


def test_whoever_asks_it_is_one_question(world: World, guest: Guest) -> None:
    """The cookie of the guest, the secret of the payment from anywhere, and 200 calls of either."""
    stranger = Browser(world.clock)
    path, secret = f"/v1/checkout/{guest.checkout_id}", {"x-client-secret": guest.client_secret}

    statuses = {guest.asks().status for _ in range(100)}
    statuses |= {stranger.request("GET", path, headers=secret).status for _ in range(100)}

    assert (statuses, questions(world)) == ({200}, 1)


def test_of_many_at_once_one_asks(world: World, guest: Guest, configured: Database) -> None:
    def claims() -> bool:
        with psycopg.connect(configured.url, autocommit=True) as connection:
            pause = follow.QUESTION_PAUSE
            claimed = queries.claim_question(connection, UUID(guest.checkout_id), world.clock(), pause)
            return claimed.fetchone() is not None

    assert sorted(one.result() for one in at_once(*[claims] * 8)) == [False] * 7 + [True]


def test_two_payments_are_two_questions(world: World, shop: Shop, guest: Guest) -> None:
    other = Guest(world, email="leo@exemple.ca").chooses(shop.wanted(14)).starts()

    assert [told(guest), told(other)] == [("requires_payment", None)] * 2
    assert questions(world) == 2


def test_what_stripe_said_last_is_what_is_answered_in_between(world: World, guest: Guest) -> None:
    world.stripe.dashboard.let_bank_answer("later")
    guest.pays()
    assert [told(guest), told(guest)] == [("processing", None), ("processing", "3")]

    world.stripe.dashboard.conclude(guest.intent_id, "fail")
    world.clock.advance(seconds=3)
    assert [told(guest), told(guest)] == [("requires_payment", None), ("requires_payment", "3")]

    world.stripe_client.v1.payment_intents.cancel(guest.intent_id)
    world.clock.advance(seconds=3)
    assert [told(guest), told(guest)] == [("failed", None), ("failed", None)]


def test_a_payment_that_was_withdrawn_has_failed_unless_it_is_on_its_way(
    world: World, shop: Shop, guest: Guest
) -> None:
    guest.chooses(shop.wanted(14))
    assert [told(guest), told(guest)] == [("failed", None), ("failed", None)]

    world.stripe.dashboard.let_bank_answer("later")
    guest.pays()
    world.clock.advance(seconds=3)
    assert [told(guest), told(guest)] == [("processing", None), ("processing", "3")]
    world.stripe.dashboard.conclude(guest.intent_id)
    world.clock.advance(seconds=3)
    assert told(guest) == ("settled", None)


def test_an_order_is_told_at_once_whoever_settled_it(world: World, guest: Guest) -> None:
    assert told(guest) == ("requires_payment", None)
    guest.pays()
    assert [answer.status for answer in world.webhooks()] == [200]

    assert told(guest) == ("settled", None)
    assert questions(world) == 1


def test_while_stripe_does_not_answer_it_is_asked_no_more_often(world: World, guest: Guest) -> None:
    world.stripe.faults.add("rate_limit", method="GET", times=99)

    first, second = guest.asks(), guest.asks()

    assert (first.status, first.code) == (503, "PAYMENT_UNAVAILABLE")
    asked = questions(world)
    assert (second.status, second.body["status"], second.headers["Retry-After"]) == (
        200,
        "requires_payment",
        "3",
    )
    assert questions(world) == asked
    world.stripe.faults.clear()
    guest.pays()
    world.clock.advance(seconds=3)
    assert told(guest) == ("settled", None)


def test_a_stranger_learns_nothing_and_asks_nothing_of_stripe(world: World, guest: Guest) -> None:
    with nothing_written(world.connection):
        answers = [world.browser().get(f"/v1/checkout/{guest.checkout_id}") for _ in range(3)]

    assert [answer.code for answer in answers] == ["CHECKOUT_NOT_FOUND"] * 3
    assert questions(world) == 0
    assert told(guest) == ("requires_payment", None)


def test_a_clock_that_is_a_little_behind_asks_nothing_more(world: World, guest: Guest) -> None:
    told(guest)
    world.clock.advance(seconds=-2)

    assert told(guest) == ("requires_payment", "5")
    assert questions(world) == 1
    world.clock.advance(seconds=-1)
    assert told(guest) == ("requires_payment", None)


def test_an_address_asks_only_so_often(world: World, guest: Guest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHECKOUT_READS_PER_MINUTE", "2")
    statuses = [guest.asks().status for _ in range(3)]

    assert statuses == [200, 200, 429]


def test_who_has_just_paid_a_payment_that_was_withdrawn_is_not_told_that_it_failed(
    world: World, shop: Shop, guest: Guest
) -> None:
    """Another tab changed the cart within the three seconds: nobody has asked Stripe since."""
    assert told(guest)[0] == "requires_payment"
    guest.pays()
    guest.chooses(shop.wanted(11))
    world.clock.advance(seconds=1)

    assert told(guest) == ("processing", "2")
    world.clock.advance(seconds=2)
    assert told(guest)[0] == "settled"


def test_a_payment_that_came_along_at_sign_in_can_be_followed(world: World, shop: Shop) -> None:
    """409 names the checkout to follow; the guest's cookie is gone."""
    account(world, "lea@exemple.ca")
    world.stripe.dashboard.let_bank_answer("later")
    guest = Guest(world).chooses(shop.wanted(9)).starts().pays()
    assert sign_in(guest.browser, "lea@exemple.ca").status == 200
    guest.chooses(shop.wanted(11))
    refusal = guest.browser.post("/v1/checkout", {"billing": FORM["billing"]})
    assert (refusal.code, refusal.body["checkout_id"]) == ("PAYMENT_IN_PROGRESS", guest.checkout_id)

    assert told(guest)[0] == "processing"
    world.stripe.dashboard.conclude(guest.intent_id, "succeed")
    world.clock.advance(seconds=3)
    last = guest.asks()

    # It opened an account of its own, which is somebody else's to sign in to.
    assert (last.body["status"], last.body["order"], last.cookies) == ("sign_in_required", None, [])
    assert guest.asks().code == "CHECKOUT_NOT_FOUND"


def test_who_had_to_sign_in_reads_the_order_once_they_have(world: World, shop: Shop) -> None:
    guest = Guest(world, "lea@exemple.ca").chooses(shop.wanted(9)).starts()
    account(world, "lea@exemple.ca")
    guest.pays()
    world.webhooks()
    assert told(guest)[0] == "sign_in_required"

    assert sign_in(guest.browser, "lea@exemple.ca").status == 200

    answer = guest.asks()
    assert (answer.body["status"], answer.body["order"]["number"]) == ("settled", "4AS-000001")
    assert answer.body["session_token"] is None


def test_a_signed_in_stranger_still_learns_nothing(world: World, shop: Shop, guest: Guest) -> None:
    account(world, "lea@exemple.ca")
    stranger = signed_in(world, "lea@exemple.ca")

    assert stranger.get(f"/v1/checkout/{guest.checkout_id}").code == "CHECKOUT_NOT_FOUND"
