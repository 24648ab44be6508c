"""A cart that is paid, or being paid, and is sent to be paid again: nobody is asked twice (decision 19)."""

from collections.abc import Callable
from uuid import UUID

import pytest

from local.stripe_double.faults import Kind
from tests.support.audit import closing_audit
from tests.support.guest import Guest
from tests.support.people import account, sign_in
from tests.support.student import Student
from tests.support.tables import nothing_written
from tests.support.world import FORM, World, toronto, wanted

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


# --- Paid before Stripe has told us, and something else asked for -------------------------------------------

CHOSEN = FORM["account"]["password"]


def orders(world: World) -> list[tuple[str, str]]:
    return [
        (row["source"], str(row["total_cad"]))
        for row in world.rows("SELECT source::text, total_cad FROM orders ORDER BY created_at, total_cad")
    ]


def charged(world: World) -> int:
    """What Stripe has taken, in cents."""
    return sum(intent["amount_received"] for intent in world.stripe.all("payment_intent"))


def payable(world: World) -> list[tuple[str, int]]:
    """The intents that could still be paid, with their amounts."""
    return [
        (intent["id"], intent["amount"])
        for intent in world.stripe.all("payment_intent")
        if intent["status"] not in ("canceled", "succeeded")
    ]


def test_a_guest_who_has_paid_follows_that_payment_and_is_asked_for_the_rest(
    world: World, course: UUID
) -> None:
    guest = Guest(world).chooses(wanted(course, TEN)).starts().pays()
    guest.chooses(wanted(course, TWO))

    answer = guest.sends_form()

    assert (answer.status, answer.code) == (409, "PAYMENT_IN_PROGRESS")
    assert answer.body["checkout_id"] == guest.checkout_id
    assert orders(world) == [("stripe", "45.00")]
    assert [item["start"] for item in guest.cart["items"]] == [TWO.isoformat()]
    assert guest.sends_form().body["checkout_id"] == guest.checkout_id  # however often it is sent
    assert (charged(world), payable(world)) == (4500, [])
    assert sign_in(guest.browser, "zoe@exemple.ca", CHOSEN).status == 200
    rest = guest.browser.post("/v1/checkout", {"billing": FORM["billing"]})
    assert (rest.status, rest.body["amount_cad"]) == (201, "45.00")
    world.pay(rest.body["payment_intent_id"])
    world.webhooks()
    assert (orders(world), charged(world)) == ([("stripe", "45.00")] * 2, 9000)
    assert closing_audit_but_for_sign_in(world) == []


def closing_audit_but_for_sign_in(world: World) -> list[str]:
    """Signing in opens a session that no checkout has opened."""
    world.reconcile()
    found = closing_audit(world.connection, world.stripe, world.clock())
    return [finding for finding in found if "more sessions opened" not in finding]


def test_whoever_follows_it_is_signed_in(world: World, course: UUID) -> None:
    guest = Guest(world).chooses(wanted(course, TEN)).starts().pays()
    guest.chooses(wanted(course, TWO))
    followed = guest.sends_form().body["checkout_id"]

    state = guest.browser.get(f"/v1/checkout/{followed}").body

    assert (state["status"], len(state["order"]["items"])) == ("settled", 1)
    assert state["session_token"] is not None


def test_after_that_the_e_mail_has_an_account_like_any_other(world: World, course: UUID) -> None:
    guest = Guest(world).chooses(wanted(course, TEN)).starts().pays()
    guest.chooses(wanted(course, TWO)).sends_form()
    elsewhere = Guest(world).chooses(wanted(course, toronto(20, 11)))
    assert elsewhere.sends_form().code == "USER_ALREADY_EXISTS"

    world.clock.advance(minutes=60)  # nobody is signed in by it any more
    assert guest.sends_form().code == "USER_ALREADY_EXISTS"


def test_a_student_who_has_paid_is_asked_for_the_rest(world: World, course: UUID) -> None:
    student = Student(world).chooses(wanted(course, TEN)).starts().pays()
    student.chooses(wanted(course, TWO)).starts()

    assert student.started["amount_cad"] == "45.00"
    student.pays()
    sound(world)
    assert (orders(world), charged(world)) == ([("stripe", "45.00")] * 2, 9000)
    assert world.count("refunds") == 0


def test_a_paid_cart_asked_for_with_other_credits_is_the_order(world: World, course: UUID) -> None:
    student = Student(world).has_credits("20").chooses(wanted(course, TEN)).starts().pays()

    again = student.sends_form(credits_cad="all")

    assert (again.status, again.body["status"], again.body["checkout_id"]) == (
        201,
        "settled",
        student.checkout_id,
    )
    sound(world)
    assert charged(world) == 4500


@pytest.mark.parametrize("what", ["email", "first_name", "password"])
def test_a_paid_cart_asked_for_with_other_details_is_the_order(world: World, course: UUID, what: str) -> None:
    guest = Guest(world).chooses(wanted(course, TEN)).starts().pays()
    changes = {"email": "lea@exemple.ca", "first_name": "Léa", "password": "autre mot"}
    other = FORM["account"] | {what: changes[what]}
    again = guest.sends_form(account=other | {"password_confirmation": other["password"]})

    assert (again.status, again.body["status"], again.body["checkout_id"]) == (
        201,
        "settled",
        guest.checkout_id,
    )
    assert sign_in(world.browser(), "zoe@exemple.ca", CHOSEN).status == 200
    assert (orders(world), charged(world)) == ([("stripe", "45.00")], 4500)


def test_who_paid_as_a_guest_and_signed_in_as_somebody_else_is_asked_for_the_rest(
    world: World, course: UUID
) -> None:
    account(world, "lea@exemple.ca")
    guest = Guest(world).chooses(wanted(course, TEN)).starts().pays()
    guest.chooses(wanted(course, TWO))
    assert sign_in(guest.browser, "lea@exemple.ca").status == 200

    rest = guest.browser.post("/v1/checkout", {"billing": FORM["billing"]})

    assert (rest.status, rest.body["amount_cad"]) == (201, "45.00")
    assert sign_in(world.browser(), "zoe@exemple.ca", CHOSEN).status == 200
    assert charged(world) == 4500


def test_who_paid_for_everything_and_signed_in_as_somebody_else_is_told_so(
    world: World, course: UUID
) -> None:
    account(world, "lea@exemple.ca")
    guest = Guest(world).chooses(wanted(course, TEN)).starts().pays()
    assert sign_in(guest.browser, "lea@exemple.ca").status == 200

    answer = guest.browser.post("/v1/checkout", {"billing": FORM["billing"]})

    assert (answer.code, answer.body["checkout_id"]) == ("PAYMENT_IN_PROGRESS", guest.checkout_id)
    assert (charged(world), payable(world)) == (4500, [])


def test_who_paid_at_the_last_moment_of_a_day_gets_the_order(world: World, course: UUID) -> None:
    guest = Guest(world).chooses(wanted(course, toronto(25, 10))).starts()
    world.clock.advance(hours=23, minutes=59)
    guest.pays()
    world.clock.advance(minutes=1)

    again = guest.sends_form()

    assert (again.status, again.body["status"], again.body["checkout_id"]) == (
        201,
        "settled",
        guest.checkout_id,
    )
    assert (charged(world), payable(world)) == (4500, [])


def test_a_payment_that_is_given_back_lets_the_cart_be_paid(world: World, course: UUID) -> None:
    student = Student(world).chooses(wanted(course, TEN)).starts()
    world.stripe_client.v1.payment_intents.update(student.intent_id, {"amount": 100})
    student.pays().chooses(wanted(course, TWO)).starts()

    assert student.started["amount_cad"] == "90.00"
    student.pays()
    sound(world)
    assert orders(world) == [("stripe", "90.00")]
    assert world.rows("SELECT amount_cents FROM refunds") == [{"amount_cents": 100}]


# --- The bank takes its time --------------------------------------------------------------------------------


@pytest.fixture
def slow(world: World, course: UUID) -> Guest:
    """A guest whose payment of one session is with the bank."""
    guest = Guest(world).chooses(wanted(course, TEN)).starts()
    world.stripe.dashboard.let_bank_answer("later")
    return guest.pays()


@pytest.mark.parametrize("told", [True, False])
@pytest.mark.parametrize(
    "change",
    [
        lambda guest, course: guest,
        lambda guest, course: guest.chooses(wanted(course, TWO)),
        lambda guest, course: guest.drops(item=0),
        lambda guest, course: guest.chooses(wanted(course, TWO)).drops(item=0),
    ],
    ids=["same cart", "one more", "none left", "another"],
)
def test_whatever_is_asked_then_is_refused_with_the_payment_to_follow(
    world: World, course: UUID, slow: Guest, change: Callable[[Guest, UUID], Guest], told: bool
) -> None:
    if told:
        world.webhooks("payment_intent.processing")
    change(slow, course)

    with nothing_written(world.connection):
        answer = slow.sends_form()

    assert (answer.status, answer.code, answer.body["checkout_id"]) == (
        409,
        "PAYMENT_IN_PROGRESS",
        slow.checkout_id,
    )
    assert len(world.stripe.all("payment_intent")) == 1
    assert slow.asks().body["status"] == "processing"


def test_once_the_bank_says_yes_the_account_opens_with_the_chosen_password(
    world: World, course: UUID, slow: Guest
) -> None:
    slow.chooses(wanted(course, TWO)).sends_form()
    world.clock.advance(hours=60)
    world.reconcile()
    world.stripe.dashboard.conclude(slow.intent_id, "succeed")
    world.webhooks()

    assert sign_in(slow.browser, "zoe@exemple.ca", CHOSEN).status == 200
    assert orders(world) == [("stripe", "45.00")]
    rest = slow.browser.post("/v1/checkout", {"billing": FORM["billing"]})
    assert rest.code == "SLOTS_UNAVAILABLE"  # of the day before yesterday
    assert [item["start"] for item in rest.body["items"]] == [TWO.isoformat()]
    assert charged(world) == 4500


def test_once_the_bank_says_no_all_of_it_is_asked_for(world: World, course: UUID, slow: Guest) -> None:
    slow.chooses(wanted(course, TWO)).sends_form()
    world.stripe.dashboard.conclude(slow.intent_id, "fail")
    old = slow.intent_id
    slow.starts()

    assert slow.started["amount_cad"] == "90.00"
    assert payable(world) == [(slow.intent_id, 9000)]
    world.stripe.dashboard.let_bank_answer("now")
    slow.pays()
    sound(world)
    assert (orders(world), charged(world)) == ([("stripe", "90.00")], 9000)
    assert old != slow.intent_id


def test_other_details_or_credits_take_nothing_from_what_the_bank_has(world: World, course: UUID) -> None:
    world.school.coupon("SAVE10", max_redemptions=1)
    student = Student(world).has_credits("20").chooses(wanted(course, TEN)).uses_coupon("SAVE10")
    student.starts(credits_cad="all")
    world.stripe.dashboard.let_bank_answer("later")
    student.pays()

    with nothing_written(world.connection):
        answer = student.sends_form(credits_cad="5")

    assert (answer.code, answer.body["checkout_id"]) == ("PAYMENT_IN_PROGRESS", student.checkout_id)
    assert [str(amount) for amount in student.account] == ["20.00", "20.00"]
    assert world.rows("SELECT reserved_count FROM coupons") == [{"reserved_count": 1}]


# --- The password of a payment that was withdrawn -----------------------------------------------------------


def hashes(world: World) -> int:
    (kept,) = world.rows("SELECT count(*) AS n FROM checkouts WHERE buyer ? 'password_hash'")
    return int(kept["n"])


def test_a_late_payment_of_a_withdrawn_checkout_opens_the_account_with_its_password(
    world: World, course: UUID
) -> None:
    guest = Guest(world).chooses(wanted(course, TEN)).starts()
    guest.drops(item=0).pays()
    world.webhooks()

    assert sign_in(world.browser(), "zoe@exemple.ca", CHOSEN).status == 200
    assert hashes(world) == 0


def test_it_is_forgotten_once_its_intent_is_known_to_be_closed(world: World, course: UUID) -> None:
    guest = Guest(world).chooses(wanted(course, TEN)).starts()
    guest.chooses(wanted(course, TWO))
    assert hashes(world) == 1

    world.stripe.faults.add("timeout_before", method="POST", path="/v1/payment_intents/*/cancel", times=9)
    world.clock.advance(minutes=1)
    world.reconcile()
    assert hashes(world) == 1

    world.stripe.faults.clear()
    world.clock.advance(minutes=1)
    world.reconcile()
    assert hashes(world) == 0
    assert world.rows("SELECT status::text, buyer FROM checkouts") == [{"status": "cancelled", "buyer": None}]


def test_without_an_intent_it_is_forgotten_at_once(world: World, course: UUID) -> None:
    world.stripe.faults.add("timeout_before", method="POST", path="/v1/payment_intents", times=9)
    guest = Guest(world).chooses(wanted(course, TEN))
    assert guest.sends_form().code == "PAYMENT_UNAVAILABLE"
    assert hashes(world) == 1

    guest.drops(item=0)
    assert hashes(world) == 0


@pytest.mark.parametrize("fault", ["timeout_before", "timeout_after_commit"])
def test_nothing_is_asked_for_while_stripe_does_not_say_that_the_old_intent_is_closed(
    world: World, course: UUID, fault: Kind
) -> None:
    guest = Guest(world).chooses(wanted(course, TEN)).starts()
    guest.chooses(wanted(course, TWO))
    world.stripe.faults.add(fault, method="POST", path="/v1/payment_intents/*/cancel", times=9)

    with nothing_written(world.connection):
        assert guest.sends_form().code == "PAYMENT_UNAVAILABLE"
    assert len(world.stripe.all("payment_intent")) == 1

    world.stripe.faults.clear()
    guest.starts()
    assert payable(world) == [(guest.intent_id, 9000)]


def test_of_two_orders_of_one_instant_the_last_is_the_answer(world: World, course: UUID) -> None:
    student = Student(world).has_credits("65")
    for hour in range(9, 13):
        student.chooses(wanted(course, toronto(20, hour))).starts(credits_cad="45")
        student.chooses(wanted(course, toronto(21, hour))).starts().pays()

        assert student.sends_form(credits_cad="all").body["checkout_id"] == student.checkout_id
        student.has_credits("45")
