"""Store credit pays for a cart, alone or with a card (spec 3.6, 3.7, 5.5)."""

from decimal import Decimal
from typing import Any
from uuid import UUID

import psycopg
import pytest
from psycopg.errors import CheckViolation

from adapters.stripe_payments import stripe_payments
from domain.checkout.settle import settle
from domain.credits.ledger import Entry, enter
from domain.errors import Refused
from domain.tutoring.models import StartCheckout
from tests.conftest import Database
from tests.support.audit import closing_audit
from tests.support.contract import recorded
from tests.support.guest import Guest
from tests.support.race import at_once, until_blocked
from tests.support.selling import SHOP, start_checkout
from tests.support.student import Student
from tests.support.tables import contents
from tests.support.world import FORM, World, toronto, wanted

TEN = toronto(20, 10)
TWO = toronto(20, 14)
MONEY = ("amount_cad", "subtotal_cad", "discount_cad", "credits_applied_cad", "total_cad")


@pytest.fixture
def course(world: World) -> UUID:
    """One course at 45.00 an hour with one tutor."""
    course = world.school.course()
    world.school.tutor(course)
    return course


@pytest.fixture
def student(world: World, course: UUID) -> Student:
    """Somebody with one session of 45.00 in the cart."""
    return Student(world).chooses(wanted(course, TEN))


def amounts(started: dict[str, Any]) -> list[str]:
    return [started[name] for name in MONEY]


def sound(world: World) -> None:
    """Every refund made, the books balance."""
    world.webhooks()
    world.reconcile()
    assert closing_audit(world.connection, world.stripe, world.clock()) == []


# --- Spec 3.6's examples ------------------------------------------------------------------------------------


def test_balance_100_pays_45_alone(world: World, student: Student) -> None:
    student.has_credits("100").starts(credits_cad="all")

    assert amounts(student.started) == ["0.00", "45.00", "0.00", "45.00", "45.00"]
    assert (student.started["status"], student.started["payment_intent_id"]) == ("settled", None)
    assert world.rows(
        "SELECT source::text, status::text, credits_applied_cad, stripe_payment_intent_id FROM orders"
    ) == [
        {
            "source": "credit",
            "status": "paid",
            "credits_applied_cad": Decimal("45.00"),
            "stripe_payment_intent_id": None,
        }
    ]
    assert student.account == (Decimal("55.00"), Decimal("0.00"))
    assert student.ledger == [("order_payment", Decimal("-45.00"))]
    assert world.stripe.calls == []
    assert student.asks().body["status"] == "settled"
    sound(world)


def test_balance_20_leaves_25_to_the_card(world: World, student: Student) -> None:
    student.has_credits("20").starts(credits_cad="all")

    assert amounts(student.started) == ["25.00", "45.00", "0.00", "20.00", "45.00"]
    assert [intent["amount"] for intent in world.stripe.all("payment_intent")] == [2500]
    assert student.account == (Decimal("20.00"), Decimal("20.00"))
    assert student.ledger == []

    student.pays()
    sound(world)
    assert student.account == (Decimal("0.00"), Decimal("0.00"))
    assert student.ledger == [("order_payment", Decimal("-20.00"))]
    (event,) = recorded(world)
    assert [event["payload"][key] for key in ("total_cad", "credit_applied_cad", "amount_charged_cad")] == [
        45,
        20,
        25,
    ]


def test_the_coupon_comes_first_and_credits_pay_the_total(
    world: World, course: UUID, student: Student
) -> None:
    world.school.coupon("SAVE10", "percent", "10")
    student.has_credits("50").chooses(wanted(course, TWO)).uses_coupon("SAVE10").starts(credits_cad="all")

    assert amounts(student.started) == ["31.00", "90.00", "9.00", "50.00", "81.00"]
    student.pays()
    sound(world)
    nets = world.rows("SELECT line_total_cad - discount_share_cad AS net FROM order_items")
    assert [row["net"] for row in nets] == [Decimal("40.50"), Decimal("40.50")]


# --- How much -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("balance", "asked", "applied", "card"),
    [
        ("100", "45", "45.00", "0.00"),
        ("100", "60.00", "45.00", "0.00"),  # never more than the total
        ("100", "10.5", "10.50", "34.50"),
        ("20", "20.00", "20.00", "25.00"),
        ("20", 20, "20.00", "25.00"),
        ("20", "0", "0.00", "45.00"),
        ("0", "all", "0.00", "45.00"),
        ("44.50", "all", "44.50", "0.50"),
        ("44.51", "all", "44.50", "0.50"),  # a card cannot be charged 49 cents
        ("44.99", "all", "44.50", "0.50"),
        ("100", "44.99", "44.50", "0.50"),
    ],
)
def test_what_the_card_pays(
    world: World, student: Student, balance: str, asked: Any, applied: str, card: str
) -> None:
    if Decimal(balance):
        student.has_credits(balance)
    student.starts(credits_cad=asked)

    assert (student.started["credits_applied_cad"], student.started["amount_cad"]) == (applied, card)
    if card != "0.00":
        student.pays()
    sound(world)


def test_without_the_word_no_credit_is_spent(student: Student) -> None:
    student.has_credits("100").starts()

    assert amounts(student.started) == ["45.00", "45.00", "0.00", "0.00", "45.00"]


@pytest.mark.parametrize(("balance", "asked"), [("20", "20.01"), (None, "0.01"), ("20", "100")])
def test_more_than_there_is_is_refused(
    world: World, student: Student, balance: str | None, asked: str
) -> None:
    if balance:
        student.has_credits(balance)
    before = contents(world.connection, besides=("auth_sessions",))

    answer = student.sends_form(credits_cad=asked)

    assert (answer.status, answer.code) == (422, "INSUFFICIENT_CREDITS")
    assert answer.body["detail"] == "Vos crédits disponibles ne suffisent pas"
    assert answer.body["credits_available_cad"] == (f"{balance}.00" if balance else "0.00")
    assert contents(world.connection, besides=("auth_sessions",)) == before
    assert world.stripe.calls == []


@pytest.mark.parametrize("asked", ["-1", "1.005", "ALL", "tout", True, [], "NaN", "Infinity", "1e9999999"])
def test_what_is_no_amount_is_refused(world: World, student: Student, asked: Any) -> None:
    answer = student.sends_form(credits_cad=asked)

    assert (answer.status, answer.code) == (422, "VALIDATION_FAILED")
    assert world.count("checkouts") == 0


def test_a_total_below_half_a_dollar_is_paid_with_credits_or_not_at_all(
    world: World, student: Student
) -> None:
    world.school.coupon("PRESQUE", "fixed", "44.70")
    student.has_credits("0.20").uses_coupon("PRESQUE")

    assert student.sends_form(credits_cad="all").code == "AMOUNT_TOO_SMALL"
    assert world.count("checkouts") == 0
    student.has_credits("0.10").starts(credits_cad="all")
    assert amounts(student.started) == ["0.00", "45.00", "44.70", "0.30", "0.30"]
    sound(world)


def test_a_guest_has_no_credits(world: World, course: UUID) -> None:
    guest = Guest(world).chooses(wanted(course, TEN))

    answer = guest.sends_form(credits_cad="all")

    assert (answer.status, answer.code) == (422, "VALIDATION_FAILED")
    assert [error["field"] for error in answer.body["errors"]] == ["credits_cad"]
    assert guest.cart["credits_available_cad"] == "0.00"
    assert world.count("checkouts") == 0


# --- The cart -----------------------------------------------------------------------------------------------


def test_the_cart_shows_what_can_be_spent_in_it(world: World, course: UUID, student: Student) -> None:
    assert student.cart["credits_available_cad"] == "0.00"
    student.has_credits("20")
    assert student.cart["credits_available_cad"] == "20.00"

    student.starts(credits_cad="all")
    assert student.cart["credits_available_cad"] == "20.00"  # its own payment does not stand in its way

    student.pays()
    world.webhooks()
    assert student.cart["credits_available_cad"] == "0.00"


def test_adding_a_session_shows_them_too(course: UUID, student: Student) -> None:
    student.has_credits("12.34")

    answer = student.browser.post("/v1/cart/items", {"items": [wanted(course, TWO)]})
    assert answer.body["credits_available_cad"] == "12.34"


# --- As long as the payment is open -------------------------------------------------------------------------


def test_the_same_form_again_keeps_the_payment_and_what_it_reserved(world: World, student: Student) -> None:
    first = student.has_credits("20").starts(credits_cad="all").started

    assert student.starts(credits_cad="all").started == first
    assert student.starts(credits_cad="20.00").started == first
    assert student.account == (Decimal("20.00"), Decimal("20.00"))
    assert world.count("credit_reservations") == 1


def test_another_wish_is_another_payment_and_the_old_one_is_withdrawn(world: World, student: Student) -> None:
    old = student.has_credits("20").starts(credits_cad="all").started
    student.starts(credits_cad="5")

    assert amounts(student.started) == ["40.00", "45.00", "0.00", "5.00", "45.00"]
    statuses = {intent["id"]: intent["status"] for intent in world.stripe.all("payment_intent")}
    assert statuses == {old["payment_intent_id"]: "canceled", student.intent_id: "requires_payment_method"}
    assert student.account == (Decimal("20.00"), Decimal("5.00"))


def test_a_declined_card_spends_nothing_and_the_next_one_may_pay(world: World, student: Student) -> None:
    student.has_credits("20").starts(credits_cad="all")
    with pytest.raises(Exception, match="declined"):
        student.pays("pm_card_chargeDeclined")
    assert student.account == (Decimal("20.00"), Decimal("20.00"))

    student.pays()
    sound(world)
    assert student.account == (Decimal("0.00"), Decimal("0.00"))


@pytest.mark.parametrize("status", ["cancelled", "failed"])
def test_whoever_ends_a_checkout_frees_its_credits(world: World, student: Student, status: str) -> None:
    student.has_credits("20").starts(credits_cad="all")

    world.connection.execute("UPDATE checkouts SET status = %s", (status,))

    assert student.account == (Decimal("20.00"), Decimal("0.00"))
    assert world.count("credit_reservations") == 0


def test_a_payment_the_bank_thinks_about_keeps_its_credits(world: World, student: Student) -> None:
    student.has_credits("20").starts(credits_cad="all")

    world.connection.execute("UPDATE checkouts SET status = 'processing'")

    assert student.account == (Decimal("20.00"), Decimal("20.00"))


def test_reserved_credit_cannot_be_taken_away(student: Student) -> None:
    student.has_credits("20").starts(credits_cad="15")

    with pytest.raises(CheckViolation, match="spend_what_is_there"):
        student.has_credits("-5.01")
    student.has_credits("-5.00")
    assert student.account == (Decimal("15.00"), Decimal("15.00"))


def test_a_cart_paid_in_two_tabs_at_once_is_one_order_and_one_debit(
    world: World, student: Student, database: Database
) -> None:
    student.has_credits("100")
    form = StartCheckout.model_validate({"billing": FORM["billing"], "credits_cad": "all"})

    def pays() -> str:
        with psycopg.connect(database.url, autocommit=True) as connection:
            payments = stripe_payments()
            return start_checkout(connection, payments, student.buyer, form, "pk", world.clock()).status

    outcomes = []
    for future in at_once(pays, pays, pays):
        try:
            outcomes.append(future.result())
        except Refused as refused:
            outcomes.append(refused.code)

    assert set(outcomes) <= {"settled", "CART_EMPTY"}
    assert "settled" in outcomes
    assert student.ledger == [("order_payment", Decimal("-45.00"))]
    assert world.count("orders") == 1
    sound(world)


def test_credits_taken_while_the_form_is_sent_are_not_spent(
    world: World, student: Student, database: Database
) -> None:
    """An administrator takes 5.00 after the form has read 20.00 and before it reserves them."""
    student.has_credits("20")
    form = StartCheckout.model_validate({"billing": FORM["billing"], "credits_cad": "all"})

    def sends() -> str:
        with psycopg.connect(database.url, autocommit=True) as connection:
            payments = stripe_payments()
            started = start_checkout(connection, payments, student.buyer, form, "pk", world.clock())
            return started.credits_applied_cad

    with psycopg.connect(database.url) as administrator:
        taken = Entry(
            student.user_id, Decimal(-5), "admin_adjustment", reason="Erreur", created_by=student.user_id
        )
        enter(administrator, taken, world.clock())

        def lets_go() -> str:
            until_blocked(world.connection, 1)
            administrator.commit()
            return ""

        sent, _ = at_once(sends, lets_go)

    assert sent.result() == "15.00"
    assert student.account == (Decimal("15.00"), Decimal("15.00"))
    assert [intent["amount"] for intent in world.stripe.all("payment_intent")] == [3000]


# --- What could not be booked -------------------------------------------------------------------------------


def lose(world: World, course: UUID, *starts: Any) -> None:
    """The holds so far lapse, and somebody else holds these times."""
    world.clock.advance(minutes=16)
    Guest(world, "rival@exemple.ca").chooses(*(wanted(course, start) for start in starts))


def test_a_lost_session_goes_back_as_it_was_paid(world: World, course: UUID) -> None:
    """90.00 paid with 25.01 of credits: 45.00 of it are 12.51 of credits, the odd cent being the first's, and 32.49."""
    student = Student(world).has_credits("25.01")
    student.chooses(wanted(course, TEN), wanted(course, TWO)).starts(credits_cad="all")
    lose(world, course, TEN)
    student.pays()
    sound(world)

    assert student.ledger == [("order_payment", Decimal("-25.01")), ("order_refund", Decimal("12.51"))]
    assert [refund["amount"] for refund in world.stripe.all("refund")] == [3249]
    assert world.rows("SELECT status::text, refunded_cad FROM orders") == [
        {"status": "partially_refunded", "refunded_cad": Decimal("45.00")}
    ]
    booking, refund = recorded(world)
    assert [booking["payload"][key] for key in ("total_cad", "credit_applied_cad", "amount_charged_cad")] == [
        Decimal("45"),
        Decimal("12.5"),
        Decimal("32.5"),
    ]
    assert (refund["type"], refund["sequence"]) == ("order.refunded", 2)
    assert (refund["payload"]["refund_amount"], refund["payload"]["is_full_refund"]) == (45, False)
    assert [refund["payload"][key] for key in ("to_card_fr", "to_credit_fr", "refunded_to_fr")] == [
        "32,49 $",
        "12,51 $",
        "sur la carte et en crédits",
    ]


def test_an_order_of_credits_that_lost_everything_gives_them_back(world: World, student: Student) -> None:
    """The time goes between the snapshot and its settlement: only possible by a rival inside the same instant."""
    student.has_credits("50")
    world.connection.execute(
        "CREATE FUNCTION lose() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN DELETE FROM time_claims; INSERT INTO time_claims SELECT gen_random_uuid(), tutor_id,"
        " tstzrange(start_datetime, start_datetime + interval '1 hour'), 'appointment', NULL FROM cart_sessions;"
        " RETURN NULL; END $$; "
        "CREATE TRIGGER lose AFTER INSERT ON checkouts EXECUTE FUNCTION lose()"
    )
    student.starts(credits_cad="all")

    assert student.ledger == [("order_payment", Decimal("-45.00")), ("order_refund", Decimal("45.00"))]
    assert student.account == (Decimal("50.00"), Decimal("0.00"))
    (refund,) = recorded(world)
    assert refund["payload"]["refund_id"] in {
        str(row["id"]) for row in world.rows("SELECT id FROM credit_transactions WHERE type = 'order_refund'")
    }
    assert (refund["payload"]["refund_amount"], refund["payload"]["is_full_refund"]) == (45, True)
    assert refund["payload"]["refunded_to_fr"] == "en crédits"
    assert world.stripe.calls == []


# --- Payments that were overtaken ---------------------------------------------------------------------------


def overtaken(world: World, student: Student, course: UUID) -> str:
    """A payment with 20.00 of credits was withdrawn here, but paid all the same."""
    student.has_credits("20").starts(credits_cad="all")
    intent_id = student.intent_id
    student.pays()
    world.connection.execute("UPDATE checkouts SET status = 'cancelled'")
    return intent_id


def test_it_is_booked_while_its_credits_are_there(world: World, course: UUID, student: Student) -> None:
    overtaken(world, student, course)
    sound(world)

    assert student.ledger == [("order_payment", Decimal("-20.00"))]
    assert world.count("appointments") == 1


def test_it_goes_back_whole_when_its_credits_were_spent(world: World, course: UUID, student: Student) -> None:
    intent_id = overtaken(world, student, course)
    student.has_credits("-0.01")
    sound(world)

    assert world.rows(
        "SELECT payment_intent_id, order_id, amount_cents, reason, status::text FROM refunds"
    ) == [
        {
            "payment_intent_id": intent_id,
            "order_id": None,
            "amount_cents": 2500,
            "reason": "Crédits de l'achat dépensés pendant le paiement",
            "status": "processed",
        }
    ]
    assert (world.count("orders"), world.count("outbox"), student.ledger) == (0, 0, [])
    assert student.asks().body["status"] == "refunded"

    student.has_credits("5")  # told of again, it is not booked after all
    payment = stripe_payments().find_intent(intent_id)
    assert settle(world.connection, UUID(student.checkout_id), payment, SHOP, world.clock()) is None
    assert (world.count("orders"), world.count("appointments"), world.count("refunds")) == (0, 0, 1)


def test_a_payment_of_another_amount_gives_up_its_credits(world: World, student: Student) -> None:
    student.has_credits("20").starts(credits_cad="all")
    world.stripe_client.v1.payment_intents.update(student.intent_id, {"amount": 4500})
    student.pays()
    sound(world)

    assert student.account == (Decimal("20.00"), Decimal("0.00"))
    assert (world.count("orders"), student.ledger) == (0, [])
    assert recorded(world) == []


@pytest.mark.parametrize("asked", ["-1", "1.234", "tout", True, []])
def test_a_bad_amount_is_one_fault_of_its_field(student: Student, asked: Any) -> None:
    """Whatever alternatives the field has inside."""
    answer = student.sends_form(credits_cad=asked)

    assert [error["field"] for error in answer.body["errors"]] == ["credits_cad"]
