"""What buying a training costs between the function and the database: round trips, however many there are."""

from collections.abc import Callable, Iterator

import psycopg
import pytest

from adapters.stripe_payments import stripe_payments
from domain.checkout.settle import settle
from tests.conftest import Database
from tests.support.browser import Answer
from tests.support.dojo import Dojo, Learner
from tests.support.selling import SHOP
from tests.support.wire import Wire, counted
from tests.support.world import World


@pytest.fixture
def dojo(world: World) -> Dojo:
    return Dojo(world)


@pytest.fixture
def wire(configured: Database, dojo: Dojo, monkeypatch: pytest.MonkeyPatch) -> Iterator[Wire]:
    """A counted way to the database on which somebody has been before. Preparing a statement is not counted."""
    monkeypatch.setenv("DATABASE_PREPARED_STATEMENTS", "off")
    with counted(configured) as wire:
        dojo.buyer().cart()
        yield wire


def several(dojo: Dojo, number: int) -> list[object]:
    return [dojo.training(f"cours-{at}", f"Cours {at}", "60.00") for at in range(number)]


def cost(wire: Wire, call: Callable[[], Answer], status: int) -> int:
    wire.reset()
    answer = call()
    assert answer.status == status, answer.text
    return wire.round_trips


def test_adding_a_training_is_two_round_trips_and_a_known_cookie_one_more_once(
    dojo: Dojo, wire: Wire
) -> None:
    one, two = several(dojo, 2)
    guest = dojo.buyer()

    assert cost(wire, lambda: guest.adds(str(one)), 201) == 2
    assert cost(wire, lambda: guest.adds(str(two)), 201) == 2
    assert cost(wire, lambda: guest.adds(str(two)), 409) == 1


def test_the_limit_on_adding_costs_one_more(dojo: Dojo, wire: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CART_ADDS_PER_HOUR", "100")

    assert cost(wire, lambda: dojo.buyer().adds(dojo.ccvm), 201) == 3


def test_looking_is_one_however_full_the_cart_is(dojo: Dojo, wire: Wire) -> None:
    full = dojo.buyer().chooses(*several(dojo, 20))  # type: ignore[arg-type]

    assert cost(wire, lambda: full.browser.get("/v1/trainings/cart"), 200) == 1


@pytest.mark.parametrize("lines", [1, 10])
def test_a_settlement_is_within_eight(dojo: Dojo, wire: Wire, lines: int) -> None:
    guest = dojo.buyer().chooses(*several(dojo, lines)).starts().pays()  # type: ignore[arg-type]
    payment = stripe_payments().find_intent(guest.intent_id)
    assert payment.checkout_id
    with psycopg.connect(wire.url, autocommit=True) as connection:
        wire.reset()
        assert settle(connection, payment.checkout_id, payment, SHOP, dojo.world.clock())
        assert wire.round_trips <= 8, wire.sql


def test_what_is_lost_costs_one_more_at_most_each(dojo: Dojo, wire: Wire) -> None:
    dojo.buyer().buys(dojo.ccvm).asks()
    again = dojo.buyer("autre@exemple.ca").chooses(dojo.ccvm, *several(dojo, 2)).starts().pays()  # type: ignore[arg-type]
    dojo.world.connection.execute(
        """UPDATE checkouts SET buyer = jsonb_set(buyer, '{email}', '"zoe@exemple.ca"') WHERE status = 'open'"""
    )
    payment = stripe_payments().find_intent(again.intent_id)
    assert payment.checkout_id
    with psycopg.connect(wire.url, autocommit=True) as connection:
        wire.reset()
        assert settle(connection, payment.checkout_id, payment, SHOP, dojo.world.clock())
        assert wire.round_trips <= 9, wire.sql


def test_a_student_who_starts_to_pay(dojo: Dojo, wire: Wire) -> None:
    zoe = dojo.buyer().buys(dojo.ccvm)
    zoe.asks()
    student = Learner(dojo.world, signed_in=zoe.browser).chooses(*several(dojo, 3))  # type: ignore[arg-type]

    assert cost(wire, student.sends_form, 201) <= 12
