"""A changed cart withdraws its open payment: nothing stays reserved, and nobody can pay it for long (decision 19)."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest

from domain.audit.audit import look_for
from domain.audit.findings import FINDINGS
from domain.checkout.close import note_closed
from functions.payment_reconciliation import app as payment_reconciliation
from tests.support.browser import hurried
from tests.support.guest import Guest
from tests.support.people import PASSWORD, hashed, sign_in
from tests.support.selling import SHOP
from tests.support.student import Student
from tests.support.tables import nothing_written
from tests.support.world import FORM, World, toronto, wanted

TEN = toronto(20, 10)
ELEVEN = toronto(20, 11)
TWO = toronto(20, 14)

type Change = Callable[[World, Student, UUID], Any]


@pytest.fixture
def course(world: World) -> UUID:
    """One course at 45.00 an hour with one tutor, and two coupons with one use each."""
    course = world.school.course()
    world.school.tutor(course)
    world.school.coupon("SAVE10", max_redemptions=1)
    world.school.coupon("SAVE20", "percent", "20", max_redemptions=1)
    return course


@pytest.fixture
def student(world: World, course: UUID) -> Student:
    """Somebody with two sessions, a coupon and 20.00 of credits in a payment of 61.00."""
    student = Student(world).has_credits("20").chooses(wanted(course, TEN), wanted(course, TWO))
    student.uses_coupon("SAVE10").starts(credits_cad="all")
    assert reserved(world, student) == (1, "20.00")
    return student


def reserved(world: World, student: Student) -> tuple[int, str]:
    """Uses of coupons and credits that payments keep for themselves."""
    (coupons,) = world.rows("SELECT sum(reserved_count)::int AS n FROM coupons")
    return coupons["n"], str(student.account[1])


def intents(world: World) -> list[tuple[str, int]]:
    return [(intent["status"], intent["amount"]) for intent in world.stripe.all("payment_intent")]


def statuses(world: World) -> list[str]:
    return sorted(row["status"] for row in world.rows("SELECT status::text FROM checkouts"))


def held(world: World) -> list[Any]:
    return [row["start"] for row in world.rows("SELECT lower(during) AS start FROM time_claims ORDER BY 1")]


def changes_price(world: World, student: Student, course: UUID) -> None:
    world.connection.execute("UPDATE courses SET student_rate_cad = 40")
    assert student.sends_form(credits_cad="all").code == "PRICE_CHANGED"


def brings_a_cart(world: World, student: Student, course: UUID) -> None:
    """The student fills a cart as a guest, elsewhere, and signs in."""
    world.connection.execute(
        "UPDATE users SET password_hash = %s WHERE id = %s", [hashed(PASSWORD), student.user_id]
    )
    elsewhere = Guest(world).chooses(wanted(course, ELEVEN))
    assert sign_in(elsewhere.browser, student.email).status == 200


CHANGES: dict[str, Change] = {
    "a session more": lambda world, student, course: student.chooses(wanted(course, ELEVEN)),
    "a session less": lambda world, student, course: student.drops(item=0),
    "no session left": lambda world, student, course: student.drops(item=0).drops(item=0),
    "another coupon": lambda world, student, course: student.uses_coupon("SAVE20"),
    "no coupon": lambda world, student, course: student.browser.delete("/v1/cart/coupon"),
    "another price": changes_price,
    "a guest's cart": brings_a_cart,
}


@pytest.mark.parametrize("told", ["open", "processing"])
@pytest.mark.parametrize("change", CHANGES)
def test_whatever_changes_a_cart_withdraws_its_payment_at_once(
    world: World, course: UUID, student: Student, change: str, told: str
) -> None:
    world.connection.execute("UPDATE checkouts SET status = %s", [told])

    CHANGES[change](world, student, course)

    assert statuses(world) == ["cancelled"]
    assert reserved(world, student) == (0, "0.00")


@pytest.mark.parametrize("change", CHANGES)
def test_within_a_minute_it_cannot_be_paid_any_more(
    world: World, course: UUID, student: Student, change: str
) -> None:
    CHANGES[change](world, student, course)

    world.clock.advance(minutes=1)
    world.reconcile()

    assert intents(world) == [("canceled", 6100)]
    with pytest.raises(Exception, match="canceled"):
        student.pays()
    assert student.asks().body["status"] == "failed"
    assert look_for(world.connection, FINDINGS, world.clock()) == []


@pytest.mark.parametrize("change", sorted(set(CHANGES) - {"no session left"}))
def test_what_the_cart_is_worth_now_is_the_one_thing_to_pay(
    world: World, course: UUID, student: Student, change: str
) -> None:
    CHANGES[change](world, student, course)
    student.starts(credits_cad="all")

    (old, new) = intents(world)
    assert (old, new[0]) == (("canceled", 6100), "requires_payment_method")
    assert new[1] == round(float(student.started["total_cad"]) * 100) - 2000
    assert reserved(world, student) == (0 if change == "no coupon" else 1, "20.00")


def test_reading_the_cart_or_being_refused_withdraws_nothing(
    world: World, course: UUID, student: Student
) -> None:
    taken = wanted(course, TEN)
    with nothing_written(world.connection):
        assert len(student.cart["items"]) == 2
        assert student.browser.post("/v1/cart/items", {"items": [taken]}).code == "ALREADY_IN_CART"
        assert student.browser.put("/v1/cart/coupon", {"code": "PERDU"}).code == "COUPON_INVALID"
        assert student.browser.delete(f"/v1/cart/items/{course}").code == "ITEM_NOT_FOUND"
        assert student.browser.put("/v1/cart/coupon", {"code": "save10"}).status == 200  # it is there already


def test_taking_off_a_coupon_that_is_not_there_withdraws_nothing(world: World, course: UUID) -> None:
    guest = Guest(world).chooses(wanted(course, TEN)).starts()

    with nothing_written(world.connection):
        assert guest.browser.delete("/v1/cart/coupon").status == 200
    assert statuses(world) == ["open"]


def test_taking_out_what_is_out_already_withdraws_nothing(
    world: World, course: UUID, student: Student
) -> None:
    item_id = student.cart["items"][0]["id"]
    student.drops(item=0).starts(credits_cad="all")

    with nothing_written(world.connection):
        assert student.browser.delete(f"/v1/cart/items/{item_id}").status == 200
    assert statuses(world) == ["cancelled", "open"]


def test_a_dearer_payment_cannot_be_made_once_the_new_price_was_told(
    world: World, course: UUID, student: Student
) -> None:
    changes_price(world, student, course)
    assert intents(world) == [("canceled", 6100)]


def test_a_dearer_payment_that_was_made_buys_at_its_price(
    world: World, course: UUID, student: Student
) -> None:
    student.pays()
    world.connection.execute("UPDATE courses SET student_rate_cad = 40")
    again = student.sends_form(credits_cad="all")

    assert (again.status, again.body["status"], again.body["total_cad"]) == (201, "settled", "81.00")


def test_a_dearer_payment_that_the_bank_has_is_followed_and_the_cart_left_alone(
    world: World, course: UUID, student: Student
) -> None:
    world.stripe.dashboard.let_bank_answer("later")
    student.pays()
    world.connection.execute("UPDATE courses SET student_rate_cad = 40")
    with nothing_written(world.connection):
        assert student.sends_form(credits_cad="all").code == "PAYMENT_IN_PROGRESS"


def test_a_session_taken_out_is_not_charged_four_hours_later(world: World, course: UUID) -> None:
    guest = Guest(world).chooses(wanted(course, TEN)).starts()
    guest.drops(item=0)
    for _ in range(3):
        world.clock.advance(minutes=1)
        world.reconcile()

    world.clock.advance(hours=4)
    with pytest.raises(Exception, match="canceled"):
        guest.pays()
    assert (world.count("orders"), guest.asks().body["status"]) == (0, "failed")


def test_somebody_else_may_use_a_coupon_that_was_taken_off(
    world: World, course: UUID, student: Student
) -> None:
    student.browser.delete("/v1/cart/coupon")

    other = Guest(world, "lea@exemple.ca").chooses(wanted(course, ELEVEN)).uses_coupon("SAVE10").starts()
    assert other.started["discount_cad"] == "4.50"


def test_a_late_payment_withdraws_what_the_rest_of_its_cart_is_asked_for(
    world: World, course: UUID, student: Student
) -> None:
    """What is asked for then counts sessions that have just been sold."""
    student.pays().chooses(wanted(course, ELEVEN))
    late = world.stripe.webhooks.take("payment_intent.succeeded")
    world.connection.execute(
        "UPDATE checkouts SET intent_closed_at = created_at"
    )  # taken for closed, and is not
    student.starts()
    for message in late:
        assert world.deliver(message).status == 200

    assert statuses(world) == ["cancelled", "settled"]
    world.clock.advance(minutes=1)
    world.reconcile()
    assert intents(world) == [("succeeded", 6100), ("canceled", 12150)]
    student.starts()
    assert student.started["amount_cad"] == "45.00"


# --- What the reconciliation does first ---------------------------------------------------------------------


def test_withdrawn_payments_are_closed_before_anything_else(world: World, course: UUID) -> None:
    others = [
        Guest(world, f"g{hour}@exemple.ca").chooses(wanted(course, toronto(21, hour))).starts()
        for hour in (9, 10, 11)
    ]
    world.clock.advance(minutes=5)
    withdrawn = Guest(world).chooses(wanted(course, TEN)).starts().drops(item=0)
    time_left = iter([240_000, 200_000, 10_000, 10_000])
    context = hurried(time_left)

    done = payment_reconciliation.lambda_handler({"time": world.clock().isoformat()}, context)

    assert (done["checkouts_cancelled"], done["checkouts_waiting"]) == (1, 0)
    canceled = [
        intent["id"] for intent in world.stripe.all("payment_intent") if intent["status"] == "canceled"
    ]
    assert canceled == [withdrawn.intent_id]
    assert world.reconciliation()["checkouts_waiting"] == len(others)


def test_one_that_was_asked_about_before_it_was_withdrawn_does_not_wait(world: World, course: UUID) -> None:
    guest = Guest(world).chooses(wanted(course, TEN)).starts()
    world.clock.advance(minutes=2)
    assert world.reconciliation()["checkouts_waiting"] == 1

    guest.drops(item=0)
    assert world.reconciliation()["checkouts_cancelled"] == 1


def test_one_the_bank_has_is_asked_about_each_minute_until_it_is_known(world: World, course: UUID) -> None:
    guest = Guest(world).chooses(wanted(course, TEN)).starts()
    world.stripe.dashboard.let_bank_answer("later")
    guest.pays().drops(item=0)
    for _ in range(2):
        world.clock.advance(minutes=1)
        assert world.reconciliation()["checkouts_processing"] == 1
    assert statuses(world) == ["cancelled"]

    world.stripe.dashboard.conclude(guest.intent_id, "fail")
    world.clock.advance(minutes=1)
    assert world.reconciliation()["checkouts_cancelled"] == 1
    assert intents(world) == [("canceled", 4500)]


# --- An intent that is cancelled at Stripe ------------------------------------------------------------------


@pytest.mark.parametrize("heard", ["webhook", "reconciliation"])
def test_an_intent_cancelled_at_stripe_frees_the_times_it_would_have_bought(
    world: World, course: UUID, heard: str
) -> None:
    guest = Guest(world).chooses(wanted(course, TEN), wanted(course, TWO)).starts()
    world.stripe_client.v1.payment_intents.cancel(guest.intent_id)
    if heard == "webhook":
        assert [answer.status for answer in world.webhooks("payment_intent.canceled")] == [200]
    else:
        world.clock.advance(minutes=2)
        assert world.reconciliation()["checkouts_cancelled"] == 1

    assert held(world) == []
    assert [item["hold_expired"] for item in guest.cart["items"]] == [True, True]
    Guest(world, "rival@exemple.ca").chooses(wanted(course, TEN))
    assert guest.sends_form().code == "SLOTS_UNAVAILABLE"
    guest.drops(item=0).starts()
    assert guest.started["amount_cad"] == "45.00"
    assert held(world) == [TEN, TWO]


def test_what_is_still_in_the_cart_stays_held_when_we_cancel_its_older_payment(
    world: World, course: UUID
) -> None:
    guest = Guest(world).chooses(wanted(course, TEN)).starts()
    guest.chooses(wanted(course, TWO)).starts()
    assert [answer.status for answer in world.webhooks("payment_intent.canceled")] == [200]

    assert held(world) == [TEN, TWO]
    assert statuses(world) == ["cancelled", "open"]


def test_nor_are_they_freed_while_another_form_replaces_the_payment(world: World, course: UUID) -> None:
    guest = Guest(world).chooses(wanted(course, TEN)).starts()
    guest.sends_form(account=FORM["account"] | {"first_name": "Léa"})
    assert [answer.status for answer in world.webhooks("payment_intent.canceled")] == [200]

    assert held(world) == [TEN]
    assert statuses(world) == ["cancelled", "open"]


@pytest.mark.parametrize("status", ["open", "processing"])
def test_an_intent_that_cannot_be_paid_any_more_frees_all_that_its_checkout_kept(
    world: World, student: Student, status: str
) -> None:
    """The bank had it, or nobody paid it: Stripe says that it is cancelled."""
    world.connection.execute("UPDATE checkouts SET status = %s", (status,))
    [checkout] = world.rows("SELECT id, payment_intent_id AS intent FROM checkouts")
    assert (len(held(world)), reserved(world, student)) == (2, (1, "20.00"))

    note_closed(world.connection, checkout["id"], "pi_of_another", SHOP, world.clock())
    assert (statuses(world), len(held(world)), reserved(world, student)) == ([status], 2, (1, "20.00"))

    note_closed(world.connection, checkout["id"], checkout["intent"], SHOP, world.clock())
    assert (statuses(world), held(world), reserved(world, student)) == (["cancelled"], [], (0, "0.00"))
    assert world.rows("SELECT intent_closed_at, buyer FROM checkouts") == [
        {"intent_closed_at": world.clock(), "buyer": None}
    ]
