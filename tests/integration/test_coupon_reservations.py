"""An open payment keeps one use of its coupon; the last goes to one buyer; who paid is never refused (spec 3.4)."""

from collections.abc import Callable
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest

from adapters.stripe_payments import stripe_payments
from domain.accounts.callers import Buyer
from domain.errors import Refused
from domain.tutoring.models import StartCheckout
from tests.conftest import Database
from tests.support.audit import closing_audit
from tests.support.guest import Guest
from tests.support.race import at_once, while_locked
from tests.support.selling import start_checkout
from tests.support.student import Student
from tests.support.tables import contents
from tests.support.world import World, form, toronto, wanted

USED_UP = "Ce code promo a atteint sa limite d'utilisation"
HOURS = (9, 10, 11, 13, 14, 15)


@pytest.fixture
def course(world: World) -> UUID:
    """One course at 45.00 an hour with one tutor."""
    course = world.school.course()
    world.school.tutor(course)
    return course


@pytest.fixture
def comes(world: World, course: UUID) -> Callable[..., Guest]:
    """A new guest with one session in the cart, and the coupon on it if the cart takes it."""
    hours = iter(HOURS)

    def comes(code: str = "SAVE10", kind: type[Guest] = Guest) -> Guest:
        hour = next(hours)
        guest = kind(world, f"g{hour}@exemple.ca").chooses(wanted(course, toronto(20, hour)))
        return guest.uses_coupon(code)

    return comes


def counts(world: World) -> tuple[int, int]:
    """How often the coupon was redeemed, and is reserved."""
    (row,) = world.rows("SELECT redemption_count, reserved_count FROM coupons")
    return row["redemption_count"], row["reserved_count"]


def sound(world: World) -> None:
    world.webhooks()
    world.reconcile()
    assert closing_audit(world.connection, world.stripe, world.clock()) == []


@pytest.mark.parametrize("kind", [Guest, Student])
def test_it_is_reserved_from_the_form_and_redeemed_by_the_payment(
    world: World, comes: Callable[..., Guest], kind: type[Guest]
) -> None:
    world.school.coupon(max_redemptions=1)
    buyer = comes(kind=kind).starts()
    assert counts(world) == (0, 1)

    buyer.pays()
    sound(world)
    assert counts(world) == (1, 0)
    assert world.rows("SELECT over_limit, discount_cad FROM coupon_redemptions") == [
        {"over_limit": False, "discount_cad": Decimal("4.50")}
    ]


def test_the_last_use_is_somebody_elses_while_they_may_pay(world: World, comes: Callable[..., Guest]) -> None:
    world.school.coupon(max_redemptions=1)
    first, second, third = comes(), comes(), comes()
    first.starts()

    before, calls = contents(world.connection), len(world.stripe.calls)
    answer = second.sends_form()
    assert (answer.status, answer.code, answer.body["detail"]) == (422, "COUPON_INVALID", USED_UP)
    assert third.browser.put("/v1/cart/coupon", {"code": "SAVE10"}).body["detail"] == USED_UP
    assert second.cart["coupon"]["valid"] is False
    assert second.cart["discount_cad"] == "0.00"
    assert contents(world.connection) == before
    assert len(world.stripe.calls) == calls


def test_ones_own_reservation_is_in_nobodys_way(world: World, comes: Callable[..., Guest]) -> None:
    world.school.coupon(max_redemptions=1)
    guest = comes()
    first = guest.starts().started

    assert guest.cart["coupon"]["valid"] is True
    assert guest.cart["discount_cad"] == "4.50"
    assert guest.starts().started == first
    assert counts(world) == (0, 1)
    guest.browser.delete("/v1/cart/coupon")
    guest.uses_coupon(
        "SAVE10"
    ).starts()  # the cart is two versions further: another payment, the same one use
    assert guest.intent_id != first["payment_intent_id"]
    assert counts(world) == (0, 1)


def test_a_cart_that_loses_its_coupon_gives_the_use_up(world: World, comes: Callable[..., Guest]) -> None:
    world.school.coupon(max_redemptions=1)
    guest, next_one = comes(), comes()
    guest.starts()
    guest.browser.delete("/v1/cart/coupon")
    guest.starts()

    assert counts(world) == (0, 0)
    next_one.starts()
    assert counts(world) == (0, 1)


@pytest.mark.parametrize("status", ["cancelled", "failed"])
def test_whoever_ends_a_checkout_frees_its_use(
    world: World, comes: Callable[..., Guest], status: str
) -> None:
    world.school.coupon(max_redemptions=1)
    comes().starts()

    world.connection.execute("UPDATE checkouts SET status = %s", (status,))

    assert counts(world) == (0, 0)


def test_a_payment_of_another_amount_frees_its_use(world: World, comes: Callable[..., Guest]) -> None:
    world.school.coupon(max_redemptions=1)
    guest = comes().starts()
    world.stripe_client.v1.payment_intents.update(guest.intent_id, {"amount": 4500})
    guest.pays()
    sound(world)

    assert counts(world) == (0, 0)
    assert world.count("orders") == 0


def test_a_free_order_reserves_and_redeems_in_one_call(world: World, comes: Callable[..., Guest]) -> None:
    world.school.coupon("CADEAU", "percent", "100", max_redemptions=1)
    comes("CADEAU").starts()

    assert counts(world) == (1, 0)
    sound(world)


# --- A session that could not be booked ---------------------------------------------------------------------


def loses(world: World, course: UUID, *, all_of_them: bool, kind: type[Guest], limit: int | None) -> Guest:
    """Somebody with two sessions and the coupon, whose times others take while they pay."""
    world.school.coupon(max_redemptions=limit)
    times = [toronto(21, 10), toronto(21, 11)]
    buyer = kind(world, "zoe@exemple.ca").chooses(*(wanted(course, time) for time in times))
    buyer.uses_coupon("SAVE10").starts()
    world.clock.advance(minutes=16)
    for time in times if all_of_them else times[:1]:
        Guest(world, f"rival{time.hour}@exemple.ca").chooses(wanted(course, time))
    return buyer.pays()


@pytest.mark.parametrize("limit", [1, None])
@pytest.mark.parametrize("kind", [Guest, Student])
def test_a_conflict_that_refunds_an_order_whole_gives_the_use_back(
    world: World, course: UUID, comes: Callable[..., Guest], kind: type[Guest], limit: int | None
) -> None:
    loses(world, course, all_of_them=True, kind=kind, limit=limit)
    sound(world)

    assert (counts(world), world.count("coupon_redemptions")) == ((0, 0), 0)
    assert world.rows("SELECT status::text, coupon_code, discount_cad, refunded_cad FROM orders") == [
        {
            "status": "refunded",
            "coupon_code": "SAVE10",
            "discount_cad": Decimal("9.00"),
            "refunded_cad": Decimal("81.00"),
        }
    ]
    comes().starts().pays()
    sound(world)
    assert counts(world) == (1, 0)


def test_it_is_given_back_as_well_when_another_payment_has_the_last_use(
    world: World, course: UUID, comes: Callable[..., Guest]
) -> None:
    loses(world, course, all_of_them=True, kind=Guest, limit=1)
    world.connection.execute("UPDATE checkouts SET status = 'cancelled'")
    rival = comes().starts()
    late = world.stripe.webhooks.take("payment_intent.succeeded")
    for message in late:
        assert world.deliver(message).status == 200

    assert (counts(world), world.count("coupon_redemptions")) == ((0, 1), 0)
    rival.pays()
    sound(world)
    assert world.rows("SELECT over_limit FROM coupon_redemptions") == [{"over_limit": False}]


def test_a_use_that_was_taken_by_a_whole_conflict_before_is_given_back_by_the_migration(
    world: World, course: UUID, comes: Callable[..., Guest]
) -> None:
    loses(world, course, all_of_them=True, kind=Guest, limit=2)
    world.webhooks()
    comes().starts().pays()
    world.webhooks()
    world.connection.execute(
        "INSERT INTO coupon_redemptions SELECT id, coupon_id, user_id, coupon_code, discount_cad, false, created_at"
        "  FROM orders WHERE status = 'refunded'"
    )
    world.connection.execute("UPDATE coupons SET redemption_count = 2")

    _, _, mending = Path("migrations/0021_withdrawn_payments.sql").read_text().partition("WITH given_back")
    world.connection.execute("WITH given_back" + mending)

    assert (counts(world), world.count("coupon_redemptions")) == ((1, 0), 1)
    sound(world)


def test_a_session_that_is_booked_uses_it_whatever_becomes_of_the_others(world: World, course: UUID) -> None:
    loses(world, course, all_of_them=False, kind=Guest, limit=1)
    sound(world)

    assert (counts(world), world.count("coupon_redemptions")) == ((1, 0), 1)


def test_what_is_given_back_after_it_was_booked_stays_used(world: World, comes: Callable[..., Guest]) -> None:
    world.school.coupon(max_redemptions=1)
    guest = comes().starts().pays()
    world.webhooks()
    world.stripe.dashboard.refund(guest.intent_id)
    world.webhooks("charge.refunded")

    assert world.rows("SELECT status::text FROM orders") == [{"status": "refunded"}]
    assert (counts(world), world.count("coupon_redemptions")) == ((1, 0), 1)


# --- A reservation that lapsed ------------------------------------------------------------------------------


def lapsed(world: World, comes: Callable[..., Guest]) -> Guest:
    """Somebody whose checkout ended here, and who has paid it all the same."""
    guest = comes().starts().pays()
    world.connection.execute("UPDATE checkouts SET status = 'cancelled'")
    return guest


@pytest.mark.parametrize("rival_pays", [True, False])
def test_it_is_honoured_over_the_limit_when_another_has_the_last_use(
    world: World, comes: Callable[..., Guest], rival_pays: bool
) -> None:
    world.school.coupon(max_redemptions=1)
    guest = lapsed(world, comes)
    late = world.stripe.webhooks.take("payment_intent.succeeded")
    rival = comes().starts()
    if rival_pays:
        rival.pays()
        world.webhooks()
    for message in late:
        assert world.deliver(message).status == 200

    assert counts(world) == ((1, 0) if rival_pays else (0, 1))
    (order,) = world.rows(
        "SELECT total_cad, over_limit FROM orders JOIN coupon_redemptions ON order_id = orders.id"
        " WHERE stripe_payment_intent_id = %s",
        guest.intent_id,
    )
    assert order == {"total_cad": Decimal("40.50"), "over_limit": True}
    if not rival_pays:
        rival.pays()
    sound(world)
    assert counts(world) == (1, 0)


def test_it_is_an_ordinary_use_while_one_is_left(world: World, comes: Callable[..., Guest]) -> None:
    world.school.coupon(max_redemptions=1)
    lapsed(world, comes)
    sound(world)

    assert counts(world) == (1, 0)
    assert world.rows("SELECT over_limit FROM coupon_redemptions") == [{"over_limit": False}]


def test_a_limit_lowered_while_paying_honours_who_pays(world: World, comes: Callable[..., Guest]) -> None:
    world.school.coupon(max_redemptions=2)
    for guest in (comes().starts(), comes().starts()):
        guest.pays()
    world.connection.execute("UPDATE coupons SET max_redemptions = 1")
    sound(world)

    assert counts(world) == (1, 0)
    assert sorted(row["over_limit"] for row in world.rows("SELECT over_limit FROM coupon_redemptions")) == [
        False,
        True,
    ]


def test_a_coupon_deleted_while_paying_honours_who_pays(world: World, comes: Callable[..., Guest]) -> None:
    world.school.coupon()
    guest = comes().starts()
    world.connection.execute("DELETE FROM coupons")
    guest.pays()
    world.webhooks()

    assert world.rows("SELECT total_cad, coupon_code FROM orders") == [
        {"total_cad": Decimal("40.50"), "coupon_code": "SAVE10"}
    ]


# --- The last use, two at once ------------------------------------------------------------------------------

NOBODY_KEEPS_A_USE = "LOCK TABLE coupons IN SHARE MODE"  # everybody may read that one is left


def sends(world: World, guest: Guest, url: str) -> str:
    """A guest's form on a connection of its own: the status, or the refusal's detail."""
    buyer = Buyer.guest(guest.browser.cookies["__Host-cart_session_id"])
    with psycopg.connect(url, autocommit=True) as connection:
        try:
            return start_checkout(
                connection,
                stripe_payments(),
                buyer,
                StartCheckout.model_validate(form(guest.email)),
                "pk",
                world.clock(),
            ).status
        except Refused as refused:
            return refused.detail


def both_at_once(world: World, url: str, guests: list[Guest]) -> list[str]:
    with while_locked(url, NOBODY_KEEPS_A_USE, len(guests)) as let_go:
        futures: list[Any] = at_once(*(partial(sends, world, guest, url) for guest in guests), let_go)
    return sorted(future.result() for future in futures[:-1])


def test_the_last_use_goes_to_exactly_one_of_two_who_both_saw_it(
    world: World, comes: Callable[..., Guest], database: Database
) -> None:
    world.school.coupon(max_redemptions=1)
    guests = [comes(), comes()]

    assert both_at_once(world, database.url, guests) == [USED_UP, "requires_payment"]
    assert counts(world) == (0, 1)
    assert world.count("checkouts") == 1
    assert len(world.stripe.all("payment_intent")) == 1


def test_without_the_databases_guard_both_would_have_it(
    world: World, comes: Callable[..., Guest], database: Database
) -> None:
    """Negative control: the race above is a real one."""
    world.school.coupon(max_redemptions=1)
    world.connection.execute(
        "CREATE OR REPLACE FUNCTION reserve_coupon() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        " UPDATE coupons SET reserved_count = reserved_count + 1 WHERE id = NEW.coupon_id; RETURN NULL; END $$"
    )

    assert both_at_once(world, database.url, [comes(), comes()]) == ["requires_payment"] * 2
    assert counts(world) == (0, 2)
