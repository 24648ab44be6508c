"""A cart that is paid, or being paid, and is sent to be paid again (decision 19)."""

from uuid import UUID

import pytest

from tests.support.audit import closing_audit
from tests.support.guest import Guest
from tests.support.student import Student
from tests.support.tables import nothing_written
from tests.support.world import World, toronto, wanted

TEN = toronto(20, 10)
TWO = toronto(20, 14)


@pytest.fixture
def course(world: World) -> UUID:
    """One course at 45.00 an hour with one tutor."""
    course = world.school.course()
    world.school.tutor(course)
    return course


def sound(world: World) -> None:
    """Every message delivered, every refund made: the books balance."""
    world.webhooks()
    world.reconcile()
    assert closing_audit(world.connection, world.stripe, world.clock()) == []


# --- Two tabs, and the first has bought ---------------------------------------------------------------------


def bought(world: World, course: UUID, how: str) -> Guest:
    """Somebody whose first tab has bought the cart."""
    if how == "with credits":
        return Student(world).has_credits("45").chooses(wanted(course, TEN)).starts(credits_cad="all")
    buyer = Guest(world).chooses(wanted(course, TEN))
    if how == "for nothing":
        world.school.coupon("CADEAU", "percent", "100")
        return buyer.uses_coupon("CADEAU").starts()
    buyer.starts().pays()
    world.webhooks()
    return buyer


@pytest.mark.parametrize("how", ["for nothing", "with credits", "by card"])
def test_the_second_tab_gets_the_order_that_the_first_has_made(world: World, course: UUID, how: str) -> None:
    buyer = bought(world, course, how)
    (order,) = world.rows("SELECT id FROM orders")

    with nothing_written(world.connection):
        second = buyer.sends_form()

    assert (second.status, second.body["status"], second.body["order_id"]) == (
        201,
        "settled",
        str(order["id"]),
    )
    assert second.body["checkout_id"] == buyer.checkout_id
    assert (second.body["total_cad"], second.body["payment_intent_id"]) == (buyer.started["total_cad"], None)
    sound(world)


def test_the_second_tab_gets_it_after_the_first_has_signed_the_buyer_in(world: World, course: UUID) -> None:
    buyer = bought(world, course, "for nothing")
    assert buyer.asks().body["status"] == "settled"
    assert "__Host-session" in "".join(buyer.browser.cookies)

    second = buyer.sends_form()

    assert (second.status, second.body["checkout_id"]) == (201, buyer.checkout_id)
    assert world.count("orders") == 1


def test_a_cart_that_was_changed_since_is_only_empty(world: World, course: UUID) -> None:
    buyer = bought(world, course, "for nothing")
    world.clock.advance(minutes=1)
    buyer.chooses(wanted(course, TWO)).drops(item=0)

    assert buyer.sends_form().code == "CART_EMPTY"


def test_what_was_bought_an_hour_ago_is_no_answer(world: World, course: UUID) -> None:
    buyer = bought(world, course, "with credits")
    world.clock.advance(minutes=59)
    assert buyer.sends_form().status == 201

    world.clock.advance(minutes=1)
    assert buyer.sends_form().code == "CART_EMPTY"


def test_nobody_gets_what_somebody_else_has_bought(world: World, course: UUID) -> None:
    bought(world, course, "for nothing")
    stranger = Guest(world)
    assert stranger.cart["items"] == []

    assert stranger.sends_form().code == "CART_EMPTY"
    assert Student(world, "lea@exemple.ca").sends_form().code == "CART_EMPTY"
