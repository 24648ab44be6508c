"""A function killed anywhere: the payment becomes one order or one refund, never neither, never both (P2).

Each test kills the same request before its first step, its second, and so on until it survives (tests/support/doomed).
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import count
from typing import Any
from uuid import UUID

import pytest

from tests.support.audit import closing_audit
from tests.support.doomed import Request, survives
from tests.support.guest import Guest
from tests.support.race import until_idle
from tests.support.world import World, form, toronto, wanted


@dataclass
class Town:
    """Buyers one after the other, each with times of their own."""

    world: World
    course: UUID = field(init=False)
    tutor: UUID = field(init=False)

    def __post_init__(self) -> None:
        self.course = self.world.school.course()
        self.tutor = self.world.school.tutor(self.course)

    def buyer(self, number: int, *, sessions: int = 1) -> Guest:
        # Time goes on while buyers come, so a session is counted from now.
        monday = (self.world.clock() + timedelta(days=5)).astimezone(toronto(20, 10).tzinfo)
        day = monday.replace(hour=9, minute=0, second=0, microsecond=0)
        starts = [day + timedelta(hours=2 * place) for place in range(sessions)]
        guest = Guest(self.world, f"zoe{number}@exemple.ca")
        return guest.chooses(*(wanted(self.course, start, tutor=self.tutor) for start in starts))


@pytest.fixture
def town(world: World) -> Town:
    return Town(world)


def kills(town: Town, one: Callable[[int, int], bool]) -> int:
    """Kill one buyer's request after 0, 1, 2… steps until it survives; answers how many were killed."""
    for steps in count():
        if one(steps, steps):
            assert closing_audit(town.world.connection, town.world.stripe, town.world.clock()) == []
            return steps
        town.world.clock.advance(days=2)
    raise AssertionError


def kill(world: World, request: Request, steps: int) -> bool:
    """Answers whether it survived. What the dead had begun is rolled back before anything else happens."""
    survived = survives(request, steps)
    until_idle(world.connection)
    return survived


def what_became_of(world: World, intent_id: str) -> dict[str, Any]:
    (row,) = world.rows(
        """
        SELECT (SELECT count(*) FROM orders WHERE stripe_payment_intent_id = %s) AS orders,
               (SELECT count(*) FROM refunds WHERE payment_intent_id = %s AND order_id IS NULL) AS returned
        """,
        intent_id,
        intent_id,
    )
    return row


@pytest.mark.parametrize("comes_back", [True, False])
def test_starting_to_pay(town: Town, comes_back: bool, capsys: pytest.CaptureFixture[str]) -> None:
    world = town.world

    def one(number: int, steps: int) -> bool:
        guest = town.buyer(number)
        request = Request(world.clock(), "/v1/checkout", form(guest.email), cookies=guest.browser.cookies)
        survived = kill(world, request, steps)
        if comes_back:
            guest.starts().pays()
            assert [answer.status for answer in world.webhooks()] == [200]
            assert what_became_of(world, guest.intent_id) == {"orders": 1, "returned": 0}
        else:
            world.clock.advance(hours=25)
            world.reconciliation()
            assert world.rows("SELECT 1 FROM checkouts WHERE status = 'open' OR buyer IS NOT NULL") == []
        return survived

    killed = kills(town, one)
    _say(capsys, f"starting to pay, {'comes' if comes_back else 'never comes'} back", killed)
    assert killed > 5
    paid = [intent for intent in world.stripe.all("payment_intent") if intent["status"] == "succeeded"]
    assert len(paid) == world.count("orders") == (killed + 1 if comes_back else 0)


@pytest.mark.parametrize("saved_by", ["redelivery", "reconciliation"])
@pytest.mark.parametrize("loses", [0, 1])
def test_settling(town: Town, loses: int, saved_by: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Of two paid sessions, `loses` were taken by somebody else while the buyer paid."""
    world = town.world

    def one(number: int, steps: int) -> bool:
        guest = town.buyer(number, sessions=2).starts()
        world.clock.advance(minutes=16)
        if loses:
            town.buyer(1000 + number, sessions=loses)
        guest.pays()
        (message,) = world.stripe.webhooks.take("payment_intent.succeeded")
        signature = {"stripe_signature": message.headers["Stripe-Signature"]}
        request = Request(world.clock(), "/v1/stripe/webhook", message.body.decode(), signature)
        survived = kill(world, request, steps)
        if saved_by == "redelivery":
            assert world.deliver(message).status == 200
        world.clock.advance(minutes=6)
        world.reconciliation()
        assert what_became_of(world, guest.intent_id) == {"orders": 1, "returned": 0}
        given_back = [
            r["amount"] for r in world.stripe.all("refund") if r["payment_intent"] == guest.intent_id
        ]
        assert given_back == [4500] * loses
        return survived

    killed = kills(town, one)
    _say(capsys, f"settling, {loses} of 2 lost, saved by {saved_by}", killed)
    assert killed > 5


@pytest.mark.parametrize("paid", [True, False])
def test_reconciling(town: Town, paid: bool, capsys: pytest.CaptureFixture[str]) -> None:
    world = town.world

    def one(number: int, steps: int) -> bool:
        guest = town.buyer(number).starts()
        world.stripe.webhooks.drop("payment_intent.succeeded")
        if paid:
            guest.pays()
        world.clock.advance(hours=25)
        survived = kill(world, Request(world.clock()), steps)
        world.clock.advance(minutes=6)
        world.reconciliation()
        assert what_became_of(world, guest.intent_id) == {"orders": int(paid), "returned": 0}
        status = {intent["id"]: intent["status"] for intent in world.stripe.all("payment_intent")}
        assert status[guest.intent_id] == ("succeeded" if paid else "canceled")
        return survived

    killed = kills(town, one)
    _say(capsys, f"reconciling, {'paid' if paid else 'not paid'}", killed)
    assert killed > 5


def test_giving_back_a_payment_that_bought_nothing(town: Town, capsys: pytest.CaptureFixture[str]) -> None:
    world = town.world

    def one(number: int, steps: int) -> bool:
        guest = town.buyer(number).starts()
        world.stripe_client.v1.payment_intents.update(guest.intent_id, {"amount": 100})
        guest.pays()
        (message,) = world.stripe.webhooks.take("payment_intent.succeeded")
        signature = {"stripe_signature": message.headers["Stripe-Signature"]}
        request = Request(world.clock(), "/v1/stripe/webhook", message.body.decode(), signature)
        survived = kill(world, request, steps)
        assert world.deliver(message).status == 200
        world.clock.advance(minutes=6)
        world.reconciliation()
        assert what_became_of(world, guest.intent_id) == {"orders": 0, "returned": 1}
        return survived

    killed = kills(town, one)
    _say(capsys, "giving back", killed)
    assert killed > 5


def _say(capsys: pytest.CaptureFixture[str], what: str, killed: int) -> None:
    with capsys.disabled():
        print(f"\n{what}: killed at {killed} points")  # noqa: T201
