"""A cart that is changed, paid for and asked for again at the same time: one order or one refund, nothing twice."""

from collections.abc import Callable
from functools import partial
from itertools import combinations_with_replacement
from typing import Any
from uuid import UUID

import psycopg
import pytest

from adapters import database
from adapters.stripe_payments import stripe_payments
from domain.accounts.callers import Buyer
from domain.cart.change_cart import remove_item
from domain.checkout.reconcile import reconcile
from domain.checkout.settle import settle
from domain.errors import Refused
from domain.tutoring.models import StartCheckout
from tests.support.audit import closing_audit
from tests.support.guest import Guest
from tests.support.race import at_once, while_locked
from tests.support.selling import SHOP, start_checkout
from tests.support.world import World, form, toronto, wanted

TEN = toronto(20, 10)
TWO = toronto(20, 14)


class Race:
    """A guest with two sessions in an open payment of 90.00, and what may happen to it, each with its connection."""

    def __init__(self, world: World) -> None:
        self.world = world
        course = world.school.course()
        world.school.tutor(course)
        self.guest = Guest(world).chooses(wanted(course, TEN), wanted(course, TWO)).starts()
        self.item_id = UUID(self.guest.cart["items"][1]["id"])
        self.url = str(world.connection.info.dsn)

    @property
    def buyer(self) -> Buyer:
        return Buyer.guest(self.guest.browser.cookies["__Host-cart_session_id"])

    def _alone(self, action: Callable[[psycopg.Connection[Any]], Any]) -> str:
        with psycopg.connect(self.url, autocommit=True) as connection:
            try:
                return str(action(connection))
            except Refused as refusal:
                return refusal.code

    def changes(self) -> str:
        return self._alone(lambda connection: remove_item(connection, self.buyer, self.item_id, self.now))

    def sends(self) -> str:
        filled = StartCheckout.model_validate(form(self.guest.email))
        start = partial(start_checkout, payments=stripe_payments(), buyer=self.buyer, form=filled)
        return self._alone(
            lambda connection: start(connection, publishable_key="pk", now=self.now).payment_intent_id
        )

    def settles(self) -> str:
        """What the webhook does."""
        payment = stripe_payments().find_intent(self.guest.intent_id)
        checkout_id = UUID(self.guest.checkout_id)
        return self._alone(lambda connection: settle(connection, checkout_id, payment, SHOP, self.now))

    def reconciles(self) -> str:
        return self._alone(
            lambda connection: reconcile(connection, stripe_payments(), SHOP, self.now, lambda: True).failures
        )

    @property
    def now(self) -> Any:
        return self.world.clock()

    def payable(self) -> list[tuple[str, int]]:
        return [
            (intent["id"], intent["amount"])
            for intent in self.world.stripe.all("payment_intent")
            if intent["status"] not in ("canceled", "succeeded")
        ]

    def ends(self) -> None:
        """A minute later everything that was told is done, and the books fit together."""
        for _ in range(2):
            self.world.webhooks()
            self.world.clock.advance(minutes=2)
            self.world.reconcile()
        assert closing_audit(self.world.connection, self.world.stripe, self.world.clock()) == []


@pytest.fixture
def race(world: World) -> Race:
    return Race(world)


UNPAID = ("changes", "sends", "reconciles")
PAID = ("changes", "sends", "reconciles", "settles")


@pytest.mark.parametrize("two", list(combinations_with_replacement(UNPAID, 2)), ids=" and ".join)
def test_of_an_unpaid_cart_one_payment_at_most_is_left(race: Race, two: tuple[str, str]) -> None:
    race.world.clock.advance(minutes=2)
    waiting = len(two) - two.count("reconciles")  # which has nothing to write
    with while_locked(race.url, "SELECT FROM carts FOR UPDATE", waiting) as let_go:
        futures = at_once(*(getattr(race, name) for name in two), let_go)

    assert [future.exception() for future in futures] == [None] * 3
    assert (race.world.count("orders"), race.world.count("refunds")) == (0, 0)
    race.world.clock.advance(minutes=1)
    race.world.reconcile()
    amount = 4500 if "changes" in two else 9000
    assert [left for _, left in race.payable()] in ([[amount], []] if "changes" in two else [[9000]])
    race.guest.starts()
    assert race.payable() == [(race.guest.intent_id, amount)]
    race.guest.pays()
    race.ends()
    assert race.world.rows("SELECT status::text, total_cad::text FROM orders") == [
        {"status": "paid", "total_cad": f"{amount // 100}.00"}
    ]


@pytest.mark.parametrize("two", list(combinations_with_replacement(PAID, 2)), ids=" and ".join)
def test_of_a_paid_cart_there_is_one_order_and_nothing_else_to_pay(race: Race, two: tuple[str, str]) -> None:
    """The webhook at the same time as a change, the form, the reconciliation, or itself; and each of them too."""
    race.guest.pays()
    race.world.clock.advance(minutes=2)
    waiting = 1 if two == ("reconciles", "reconciles") else 2  # of whom one has nothing to do
    with while_locked(race.url, "SELECT FROM carts FOR UPDATE", waiting) as let_go:
        futures = at_once(*(getattr(race, name) for name in two), let_go)

    assert [future.exception() for future in futures] == [None] * 3
    race.ends()
    assert race.world.rows("SELECT status::text, total_cad::text FROM orders") == [
        {"status": "paid", "total_cad": "90.00"}
    ]
    assert (race.world.count("appointments"), race.world.count("refunds"), race.payable()) == (2, 0, [])


def test_everything_at_once_is_one_order(race: Race) -> None:
    race.guest.pays()
    race.world.clock.advance(minutes=2)
    with while_locked(race.url, "SELECT FROM carts FOR UPDATE", 3) as let_go:
        futures = at_once(
            race.changes, race.sends, race.sends, race.settles, race.settles, race.reconciles, let_go
        )

    assert [future.exception() for future in futures] == [None] * 7
    race.ends()
    assert (race.world.count("orders"), race.world.count("refunds"), race.payable()) == (1, 0, [])


@pytest.mark.parametrize("asked_by", ["sends", "reconciles"])
def test_whoever_pays_while_a_withdrawn_payment_is_being_cancelled_has_an_order(
    race: Race, asked_by: str
) -> None:
    """The buyer's other tab pays after we have asked Stripe to cancel, and before Stripe does."""
    race.changes()
    cancelling = race.world.stripe.faults.add("stall", method="POST", path="/v1/payment_intents/*/cancel")

    def pays() -> None:
        assert cancelling.reached.wait(20)
        race.guest.pays()
        race.world.stripe.webhooks.take()  # and the webhook is lost
        cancelling.release()

    done, paid = at_once(getattr(race, asked_by), pays)
    assert (done.exception(), paid.exception()) == (None, None)
    race.ends()
    assert race.world.rows("SELECT status::text, total_cad::text FROM orders") == [
        {"status": "paid", "total_cad": "90.00"}
    ]
    assert (race.world.count("refunds"), race.payable()) == (0, [])


def test_what_is_added_while_the_form_is_sent_is_not_paid_by_it(race: Race) -> None:
    """The cart changes while Stripe thinks about the new intent: the answer is for the cart as it is then."""
    race.changes()
    thinking = race.world.stripe.faults.add("stall", method="POST", path="/v1/payment_intents")
    course = race.world.rows("SELECT id FROM courses")[0]["id"]

    def adds() -> None:
        assert thinking.reached.wait(20)
        race.guest.chooses(wanted(course, TWO))
        database.disconnect()  # this thread's
        thinking.release()

    answer, added = at_once(race.sends, adds)
    assert added.exception() is None
    assert race.payable() == [(answer.result(), 9000)]
    race.world.pay(str(answer.result()))
    race.ends()
    assert (race.world.count("orders"), race.world.count("refunds")) == (1, 0)
