"""What Stripe, a bank or an operator undoes, does by hand, or tells late and in another order than it happened."""

import threading
from datetime import timedelta
from decimal import Decimal
from functools import partial
from typing import Any, cast
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg import Connection

from adapters.stripe_payments import stripe_payments
from domain.appointments.booked import By
from domain.appointments.change_status import cancel, reactivate
from domain.checkout.follow_refunds import follow_refunds
from domain.checkout.refund_order import refund_order
from domain.errors import Refused
from domain.payments.disputes import end_wait_for_dispute
from domain.payments.gateway import MadeRefund, Payment, Payments
from domain.payments.made_refunds import begin_reading
from domain.payments.orphans import note_orphan, owe_orphans
from domain.payments.owed_again import owe_again
from domain.payments.refunds import pay_refunds
from domain.returns.bring_in_line import bring_in_line
from domain.returns.queries import drop_dead_beyond
from functions.retention import app as retention
from local.postgres import Server
from local.stripe_double.faults import Kind
from local.stripe_double.sandbox import Resource
from tests.conftest import Database
from tests.support.audit import audit, closing_audit
from tests.support.browser import CONTEXT
from tests.support.contract import recorded
from tests.support.guest import Guest
from tests.support.race import at_once, uncommitted, until_blocked
from tests.support.rush import no_deadlock
from tests.support.selling import SHOP
from tests.support.student import Student
from tests.support.world import World, toronto, wanted

TEN, TWELVE = toronto(25, 10), toronto(25, 12)


@pytest.fixture
def course(world: World) -> UUID:
    course = world.school.course()
    world.school.tutor(course)
    return course


def hear(world: World) -> dict[str, int]:
    """Stripe's events arrive, the minute passes, and what that made Stripe say arrives too."""
    for message in world.stripe.webhooks.take():
        assert world.deliver(message).status == 200
    done = world.reconciliation()
    for message in world.stripe.webhooks.take():
        assert world.deliver(message).status == 200
    return done


def loses_one_of_two[T: Guest](buyer: T, course: UUID, **form: Any) -> T:
    """Two sessions of 45.00 are paid; the one at twelve was taken meanwhile."""
    world = buyer.world
    buyer.chooses(wanted(course, TEN), wanted(course, TWELVE))
    answer = buyer.sends_form(**form)
    assert answer.status == 201, answer.text
    buyer.started = answer.body
    world.clock.advance(minutes=16)
    Guest(world, "rivale@exemple.ca").chooses(wanted(course, TWELVE))
    buyer.pays()
    hear(world)
    return buyer


def the_order(world: World) -> tuple[str, str]:
    [order] = world.rows("SELECT status::text, refunded_cad FROM orders")
    return order["status"], str(order["refunded_cad"])


def statuses(world: World) -> list[str]:
    return [
        row["status"]
        for row in world.rows("SELECT status::text FROM refunds ORDER BY created_at, made_elsewhere")
    ]


def made_at_stripe(world: World) -> int:
    """Cents that Stripe has given back and no bank has returned."""
    return sum(refund["amount"] for refund in world.stripe.all("refund") if refund["status"] != "failed")


def findings(world: World) -> list[str]:
    return closing_audit(world.connection, world.stripe, world.clock())


# --- Credit of a session that could not be booked ---------------------------------------------------------------


@pytest.mark.parametrize("how", ["dispute won", "dashboard refund sent back"])
def test_what_took_its_credit_and_was_undone_gives_it_back(world: World, course: UUID, how: str) -> None:
    student = loses_one_of_two(Student(world).has_credits("30.00"), course, credits_cad="all")
    assert student.account == (Decimal("15.00"), Decimal(0))  # 30.00 went back to the card

    if how == "dispute won":
        dispute = world.stripe.dashboard.open_dispute(student.intent_id)
        hear(world)
        assert student.account == (Decimal(0), Decimal(0))
        world.stripe.dashboard.close_dispute(dispute["id"], "won")
    else:
        refund = world.stripe.dashboard.refund(student.intent_id, 2000)
        hear(world)
        assert student.account == (Decimal(0), Decimal(0))
        world.stripe.dashboard.settle_refund(refund["id"], "fail")
    hear(world)

    assert student.account == (Decimal("15.00"), Decimal(0))
    assert the_order(world) == ("partially_refunded", "45.00")
    assert findings(world) == []


def test_the_audit_asks_for_the_credit_of_a_lost_session(world: World, course: UUID) -> None:
    """Its negative control."""
    student = loses_one_of_two(Student(world).has_credits("30.00"), course, credits_cad="all")
    world.connection.execute(
        "UPDATE line_returns SET undone_at = created_at WHERE way = 'credit' AND undone_at IS NULL"
    )

    assert any("lost session that is owed more credit" in finding for finding in findings(world))
    assert student.account == (Decimal("15.00"), Decimal(0))


# --- A refund of ours that Stripe will not make -----------------------------------------------------------------


def test_a_lost_session_s_refund_that_stripe_refuses_is_owed_before_and_after_its_line_hears_of_it(
    world: World, course: UUID
) -> None:
    guest = Guest(world).chooses(wanted(course, TWELVE))
    guest.started = guest.sends_form().body
    world.clock.advance(minutes=16)
    Guest(world, "rivale@exemple.ca").chooses(wanted(course, TWELVE))
    world.stripe.faults.add("refusal", path="/v1/refunds")
    guest.pays()
    for message in world.stripe.webhooks.take():
        assert world.deliver(message).status == 200

    for line_knows in (False, True):
        if line_knows:
            hear(world)
        assert bool(world.rows("SELECT FROM line_returns WHERE undone_at IS NULL")) is not line_knows
        assert (the_order(world), statuses(world)) == (("refunded", "45.00"), ["failed"])
        assert audit(world.connection, world.stripe, world.clock()) == []

    world.stripe.dashboard.refund(guest.intent_id)
    hear(world)

    assert (the_order(world), statuses(world)) == (("refunded", "45.00"), ["superseded", "processed"])
    assert (made_at_stripe(world), findings(world)) == (4500, [])


# --- A refund of ours that the bank sends back ------------------------------------------------------------------


def test_a_lost_session_s_refund_sent_back_and_made_by_hand_counts_once(world: World, course: UUID) -> None:
    guest = loses_one_of_two(Guest(world), course)
    [ours] = world.stripe.all("refund")
    world.stripe.dashboard.settle_refund(ours["id"], "fail")
    hear(world)
    assert (the_order(world), hear(world)["refunds_failed"]) == (("partially_refunded", "45.00"), 1)

    world.clock.advance(hours=2)
    world.stripe.dashboard.refund(guest.intent_id, 4500)
    hear(world)

    assert the_order(world) == ("partially_refunded", "45.00")
    assert statuses(world) == ["superseded", "processed"]
    assert hear(world)["refunds_failed"] == 0
    assert findings(world) == []
    [told] = world.rows(
        "SELECT convert_from(body, 'UTF8')::json->'payload' AS payload FROM outbox WHERE type = 'order.refunded'"
        " ORDER BY created_at DESC LIMIT 1"
    )
    assert told["payload"]["is_full_refund"] is False


def test_one_by_hand_that_is_sent_back_too_is_a_person_s_again(world: World, course: UUID) -> None:
    guest = loses_one_of_two(Guest(world), course)
    [ours] = world.stripe.all("refund")
    world.stripe.dashboard.settle_refund(ours["id"], "fail")
    hear(world)
    by_hand = world.stripe.dashboard.refund(guest.intent_id, 4500)
    hear(world)

    world.stripe.dashboard.settle_refund(by_hand["id"], "fail")
    hear(world)

    assert statuses(world) == ["failed", "failed"]  # asking again would be answered with the one that failed
    assert hear(world)["refunds_failed"] == 1
    assert made_at_stripe(world) == 0


def test_an_administrator_s_refund_sent_back_and_made_by_hand_ends_the_alarm(
    world: World, course: UUID
) -> None:
    student = Student(world).chooses(wanted(course, TEN)).starts().pays()
    hear(world)
    admin = world.school.user("chef@exemple.ca", "admin")
    [order] = world.rows("SELECT id FROM orders")
    refund_order(world.connection, order["id"], Decimal("20.00"), "Geste", admin, SHOP, world.clock())
    hear(world)
    [ours] = world.stripe.all("refund")
    world.stripe.dashboard.settle_refund(ours["id"], "fail")
    hear(world)
    world.clock.advance(hours=2)

    world.stripe.dashboard.refund(student.intent_id, 2000)
    hear(world)

    assert (the_order(world), statuses(world)) == (
        ("partially_refunded", "20.00"),
        ["superseded", "processed"],
    )
    assert hear(world)["refunds_failed"] == 0
    assert findings(world) == []


def test_an_administrator_s_refund_tells_which_sessions_it_pays_back(world: World, course: UUID) -> None:
    Student(world).chooses(wanted(course, TEN), wanted(course, TWELVE)).starts().pays()
    hear(world)
    admin = world.school.user("chef@exemple.ca", "admin")
    [order] = world.rows("SELECT id FROM orders")
    [line] = world.rows("SELECT id FROM session_items WHERE start_datetime = %s", TWELVE)
    [appointment] = world.rows("SELECT id::text FROM appointments WHERE start_datetime = %s", TWELVE)

    refund_order(
        world.connection, order["id"], Decimal("20.00"), "Geste", admin, SHOP, world.clock(), [line["id"]]
    )

    [told] = [event["payload"] for event in recorded(world) if event["type"] == "order.refunded"]
    [session] = told["sessions"]
    assert (session["appointment_id"], session["refund_fr"], session["span_fr"]) == (
        appointment["id"],
        "20,00 $",
        "lundi 25 janvier 2027, de 12 h à 13 h",
    )
    assert told["sessions_fr"] == f"{session['course_title_fr']} (lundi 25 janvier 2027, de 12 h à 13 h)"
    assert [told[key] for key in ("refund_amount_fr", "refunded_total_fr", "order_total_fr")] == [
        "20,00 $",
        "20,00 $",
        "90,00 $",
    ]
    assert (told["refunded_to_fr"], told["to_credit_fr"]) == ("sur la carte", "0,00 $")
    assert told["ordered_fr"] == "lundi 18 janvier 2027 à 12 h"
    assert told["affected_appointments"] == []


def test_ours_that_fails_and_the_one_by_hand_may_be_heard_of_at_once(world: World, course: UUID) -> None:
    guest = loses_one_of_two(Guest(world), course)
    [ours] = world.stripe.all("refund")
    world.stripe.dashboard.settle_refund(ours["id"], "fail")
    world.stripe.dashboard.refund(guest.intent_id, 4500)
    hear(world)

    assert (the_order(world), statuses(world)) == (
        ("partially_refunded", "45.00"),
        ["superseded", "processed"],
    )


def test_a_lost_session_s_refund_sent_back_and_asked_for_again_by_an_administrator(
    world: World, course: UUID
) -> None:
    loses_one_of_two(Guest(world), course)
    [ours] = world.stripe.all("refund")
    world.stripe.dashboard.settle_refund(ours["id"], "fail")
    hear(world)
    admin = world.school.user("chef@exemple.ca", "admin")
    [line] = world.rows(
        "SELECT item.id, order_id FROM order_items AS item LEFT JOIN appointments ON order_item_id = item.id"
        " WHERE appointments.id IS NULL"
    )

    refund_order(
        world.connection,
        line["order_id"],
        Decimal("45.00"),
        "Encore",
        admin,
        SHOP,
        world.clock(),
        [line["id"]],
    )
    hear(world)

    assert the_order(world) == ("partially_refunded", "45.00")
    assert made_at_stripe(world) == 4500


# --- A lost session's refund while the payment is disputed ------------------------------------------------------


def disputed_before_it_was_refunded(world: World, course: UUID) -> tuple[Guest, Resource]:
    """The bank takes the payment back before the refund of the lost session is made: Stripe makes none."""
    guest = Guest(world).chooses(wanted(course, TEN), wanted(course, TWELVE)).starts()
    world.clock.advance(minutes=16)
    Guest(world, "rivale@exemple.ca").chooses(wanted(course, TWELVE))
    guest.pays()
    dispute = world.stripe.dashboard.open_dispute(guest.intent_id)
    hear(world)
    return guest, dispute


def test_a_lost_dispute_ends_what_was_owed_beside_it(world: World, course: UUID) -> None:
    _, dispute = disputed_before_it_was_refunded(world, course)
    world.stripe.dashboard.close_dispute(dispute["id"], "lost")
    hear(world)

    assert statuses(world) == ["superseded"]
    assert hear(world)["refunds_failed"] == 0


def test_a_won_dispute_lets_it_be_asked_for_again(world: World, course: UUID) -> None:
    _, dispute = disputed_before_it_was_refunded(world, course)
    assert made_at_stripe(world) == 0
    world.stripe.dashboard.close_dispute(dispute["id"], "won")
    for message in world.stripe.webhooks.take():
        assert world.deliver(message).status == 200

    assert statuses(world) == ["pending"]
    assert the_order(world) == ("partially_refunded", "45.00")


def test_a_session_that_takes_place_after_all_is_promised_no_credit(world: World, course: UUID) -> None:
    """Cancelled while disputed, nothing could be credited; reactivated, nothing will be when the dispute is won."""
    student = Student(world).chooses(wanted(course, TEN)).starts().pays()
    hear(world)
    dispute = world.stripe.dashboard.open_dispute(student.intent_id)
    hear(world)
    admin = By("admin", world.school.user("chef@exemple.ca", "admin"))
    [shown] = student.browser.get("/v1/appointments").body["items"]
    cancel(world.connection, admin, UUID(shown["id"]), None, "dev", world.clock())
    reactivate(world.connection, admin, UUID(shown["id"]), None, world.clock(), credit=False)

    world.stripe.dashboard.close_dispute(dispute["id"], "won")
    hear(world)

    assert student.account == (Decimal(0), Decimal(0))
    assert findings(world) == []


# --- Stripe is read, and tells, in any order --------------------------------------------------------------------


def test_a_reading_that_began_before_another_was_applied_changes_nothing(world: World, course: UUID) -> None:
    student = Student(world).chooses(wanted(course, TEN)).starts().pays()
    hear(world)
    refund = world.stripe.dashboard.refund(student.intent_id, 2000)
    old = begin_reading(world.connection, student.intent_id)
    stale = stripe_payments().refunds_of(student.intent_id)
    world.stripe.dashboard.settle_refund(refund["id"], "fail")
    hear(world)

    follow_refunds(world.connection, student.intent_id, stale, old, 4500, SHOP, world.clock())

    assert the_order(world) == ("paid", "0.00")
    assert hear(world)["refunds_failed"] == 0
    assert statuses(world) == []


def test_the_newest_reading_is_applied(world: World, course: UUID) -> None:
    """The negative control: the same list, read after all others."""
    student = Student(world).chooses(wanted(course, TEN)).starts().pays()
    hear(world)
    world.stripe.dashboard.refund(student.intent_id, 2000)
    hear(world)
    made = stripe_payments().refunds_of(student.intent_id)

    reading = begin_reading(world.connection, student.intent_id)
    follow_refunds(world.connection, student.intent_id, made, reading, 4500, SHOP, world.clock())

    [row] = world.rows("SELECT drawn, applied FROM refund_readings")
    assert row["drawn"] == row["applied"] == reading


def test_an_inquiry_s_event_that_comes_late_does_not_undo_the_dispute(world: World, course: UUID) -> None:
    student = Student(world).chooses(wanted(course, TEN)).starts().pays()
    hear(world)
    asked = world.stripe.dashboard.open_inquiry(student.intent_id)
    [inquiry] = world.stripe.webhooks.take("charge.dispute.created")
    world.stripe.dashboard.escalate(asked["id"])
    [real] = world.stripe.webhooks.take("charge.dispute.updated")

    assert [world.deliver(message).status for message in (real, inquiry)] == [200, 200]

    assert world.rows("SELECT status, closed_at FROM payment_disputes") == [
        {"status": "needs_response", "closed_at": None}
    ]
    [shown] = student.browser.get("/v1/appointments").body["items"]
    answer = student.browser.post(f"/v1/appointments/{shown['id']}/cancel", {})
    assert answer.body["credit_issued_cad"] == "0.00"


# --- What bought nothing ----------------------------------------------------------------------------------------


def orphan(world: World) -> str:
    """A payment of 45.00 for a checkout that nobody knows."""
    intent = world.stripe_client.v1.payment_intents.create(
        {
            "amount": 4500,
            "currency": "cad",
            "allowed_payment_method_types": ["card"],
            "metadata": {"checkout_id": str(uuid4()), "environment": "dev"},
        }
    )
    world.pay(intent.id)
    hear(world)
    return intent.id


@pytest.mark.parametrize("minutes", [10, 70])
def test_of_an_orphan_that_was_partly_given_back_by_hand_the_rest_goes_back(
    world: World, minutes: int
) -> None:
    intent_id = orphan(world)
    world.clock.advance(minutes=minutes)  # before and after it is owed
    world.stripe.dashboard.refund(intent_id, 2000)
    for _ in range(3):
        hear(world)
        world.clock.advance(minutes=61)

    assert made_at_stripe(world) == 4500
    assert sorted(statuses(world)) == ["processed", "processed"]
    assert hear(world)["refunds_failed"] == 0


def test_what_is_owed_anew_while_stripe_is_asked_is_not_given_up(world: World) -> None:
    """Our call for all of it is on its way when somebody gives a part back by hand: it is refused, the rest is owed."""
    orphan(world)
    world.clock.advance(minutes=70)
    owe_orphans(world.connection, world.clock())

    class Quicker:
        """Stripe, where an operator's refund comes first."""

        operator_waits = True

        def refund(self, refund_id: UUID, intent_id: str, amount_cents: int, attempt: int) -> str:
            if self.operator_waits:
                self.operator_waits = False
                world.stripe.dashboard.refund(intent_id, 2000)
                for message in world.stripe.webhooks.take():
                    assert world.deliver(message).status == 200
            return stripe_payments().refund(refund_id, intent_id, amount_cents, attempt)

    pay_refunds(world.connection, cast("Payments", Quicker()), world.clock())
    hear(world)

    assert made_at_stripe(world) == 4500
    assert hear(world)["refunds_failed"] == 0


def test_a_won_dispute_revives_nothing_that_the_dashboard_gave_back(world: World) -> None:
    intent_id = orphan(world)
    world.clock.advance(minutes=70)
    owe_orphans(world.connection, world.clock())
    world.stripe.dashboard.refund(intent_id, 4500)
    for message in world.stripe.webhooks.take():
        assert world.deliver(message).status == 200
    dispute = world.stripe.dashboard.open_dispute(intent_id)
    hear(world)
    world.stripe.dashboard.close_dispute(dispute["id"], "won")
    hear(world)

    assert sorted(statuses(world)) == ["processed", "superseded"]
    assert hear(world)["refunds_failed"] == 0


# --- What was bought long ago -----------------------------------------------------------------------------------


def ninety_one_days_later(world: World, course: UUID) -> Guest:
    """The checkout of a payment is deleted; its order stays."""
    guest = Guest(world).chooses(wanted(course, TEN)).starts().pays()
    hear(world)
    world.clock.advance(days=91)
    retention.lambda_handler({"time": world.clock().isoformat()}, CONTEXT)
    assert (world.count("checkouts"), world.count("orders")) == (0, 1)
    return guest


@pytest.mark.parametrize(
    "what", ["partial refund", "refund sent back", "dispute", "inquiry", "paid told again"]
)
def test_an_order_s_payment_is_no_orphan_when_its_checkout_is_gone(
    world: World, course: UUID, what: str
) -> None:
    guest = ninety_one_days_later(world, course)
    match what:
        case "partial refund":
            world.stripe.dashboard.refund(guest.intent_id, 1000)
        case "refund sent back":
            refund = world.stripe.dashboard.refund(guest.intent_id, 1000)
            hear(world)
            world.stripe.dashboard.settle_refund(refund["id"], "fail")
        case "dispute":
            world.stripe.dashboard.open_dispute(guest.intent_id)
        case "inquiry":
            world.stripe.dashboard.open_inquiry(guest.intent_id)
        case _:
            [event] = world.rows(
                "DELETE FROM webhook_events WHERE type = 'payment_intent.succeeded' RETURNING external_event_id AS id"
            )
            assert world.deliver(world.stripe.webhooks.message(event["id"])).status == 200
    for _ in range(3):
        hear(world)
        world.clock.advance(hours=1)

    assert world.count("orphan_payments") == 0
    assert made_at_stripe(world) == (1000 if what == "partial refund" else 0)
    expected = {"partial refund": ("partially_refunded", "10.00")}
    assert the_order(world) == expected.get(what, ("paid", "0.00"))


def test_a_payment_that_went_back_whole_is_no_orphan_either(world: World, course: UUID) -> None:
    """Paid twice, given back, its checkout deleted: told again, it stays as it is."""
    guest = ninety_one_days_later(world, course)
    world.connection.execute(
        "INSERT INTO refunds (id, payment_intent_id, amount_cents, reason, status, stripe_refund_id, next_attempt_at,"
        " created_at, processed_at)"
        " VALUES (%s, 'pi_old', 4500, 'Déjà payé', 'processed', 're_old', now(), now(), now())",
        (uuid4(),),
    )
    again = Payment("pi_old", "succeeded", 4500, 4500, "CAD", uuid4(), environment="dev")
    assert note_orphan(world.connection, again, world.clock()) is False
    assert guest.checkout_id


def test_a_reactivation_and_the_minute_s_run_do_not_wait_in_a_circle(
    world: World, course: UUID, postgres: Server, database: Database
) -> None:
    """Both lock the order before its lines: the run has the order when the administrator comes."""
    student = Student(world).chooses(wanted(course, TEN), wanted(course, TWELVE)).starts().pays()
    hear(world)
    intent_id = student.intent_id
    admin = By("admin", world.school.user("chef@exemple.ca", "admin"))
    first, session = world.rows("SELECT id FROM appointments ORDER BY start_datetime")
    [order] = world.rows("SELECT id FROM orders")
    cancel(world.connection, admin, first["id"], None, "dev", world.clock())
    student.chooses(wanted(course, toronto(26, 10))).starts(credits_cad="all")  # spends that credit
    world.stripe.dashboard.refund(intent_id)
    hear(world)
    cancel(world.connection, admin, session["id"], None, "dev", world.clock())
    assert world.count("over_returns") == 1

    order_is_taken = threading.Event()

    def run(connection: Connection[Any]) -> None:
        with psycopg.connect(database.url, autocommit=True) as watcher, connection.transaction():
            connection.execute("SELECT FROM orders WHERE id = %s FOR NO KEY UPDATE", (order["id"],))
            order_is_taken.set()
            until_blocked(watcher, 1)
            bring_in_line(connection, order["id"], world.clock())

    def reactivates(connection: Connection[Any]) -> None:
        assert order_is_taken.wait(10)
        reactivate(connection, admin, session["id"], None, world.clock())

    with (
        no_deadlock(postgres, database.name),
        psycopg.connect(database.url, autocommit=True) as one,
        psycopg.connect(database.url, autocommit=True) as other,
    ):
        for outcome in at_once(partial(run, one), partial(reactivates, other)):
            outcome.result()


@pytest.mark.parametrize(
    ("status", "stays"),
    [("failed", False), ("superseded", False), ("pending", True), ("processed", True)],
)
def test_what_a_refund_that_came_to_nothing_was_beyond_is_no_more(
    world: World, course: UUID, status: str, stays: bool
) -> None:
    Guest(world).books(wanted(course, TEN))
    (order,) = world.rows("SELECT id FROM orders")
    refund, now = uuid4(), world.clock()
    world.connection.execute(
        "INSERT INTO refunds (id, payment_intent_id, order_id, amount_cents, reason, status, stripe_refund_id,"
        "                     next_attempt_at, created_at, processed_at)"
        " SELECT %s, stripe_payment_intent_id, id, 100, 'Geste', %s, %s, %s, %s, %s FROM orders",
        (
            refund,
            status,
            "re_1" if status in ("processed", "failed") else None,
            now,
            now,
            now if status == "processed" else None,
        ),
    )
    world.connection.execute(
        "INSERT INTO over_returns (id, order_id, way, amount_cad, refund_id, created_at)"
        " VALUES (gen_random_uuid(), %s, 'card', 1, %s, %s)",
        (order["id"], refund, now),
    )

    drop_dead_beyond(world.connection, order["id"])

    assert (world.count("over_returns") == 1) == stays


@pytest.mark.parametrize(
    ("resolution", "unexplained"),
    [("refunded", True), ("an order's", False), ("rendu en main propre", False)],
)
def test_only_an_orphan_that_was_refunded_is_unexplained_again(
    world: World, resolution: str, unexplained: bool
) -> None:
    now = world.clock()
    world.connection.execute(
        "INSERT INTO orphan_payments (payment_intent_id, amount_cents, currency, received_at, resolved_at, resolution)"
        " VALUES ('pi_1', 4500, 'CAD', %s, %s, %s)",
        (now, now, resolution),
    )

    assert not owe_again(world.connection, "pi_1", 4500, now)

    assert world.rows("SELECT resolution FROM orphan_payments") == [
        {"resolution": None if unexplained else resolution}
    ]


# --- Whose refund it is -----------------------------------------------------------------------------------------


def test_what_the_line_of_a_failed_refund_gave_back_another_way_is_not_counted_twice(
    world: World, course: UUID
) -> None:
    """45.00 of the lost session came back from the bank; 20.00 by hand go to its line, and 25.00 are still owed."""
    guest = loses_one_of_two(Guest(world), course)
    [ours] = world.stripe.all("refund")
    world.stripe.dashboard.settle_refund(ours["id"], "fail")
    hear(world)
    world.stripe.dashboard.refund(guest.intent_id, 2000)
    hear(world)

    assert (the_order(world), statuses(world)) == (
        ("partially_refunded", "45.00"),
        ["failed", "processed"],
    )


def test_a_lost_session_s_refund_is_owed_until_its_own_line_has_given_all_back(
    world: World, course: UUID
) -> None:
    loses_one_of_two(Guest(world), course)
    [ours] = world.stripe.all("refund")
    world.stripe.dashboard.settle_refund(ours["id"], "fail")
    hear(world)
    admin = By("admin", world.school.user("chef@exemple.ca", "admin"))
    [session] = world.rows(
        "SELECT id FROM appointments WHERE start_datetime = %s AND order_item_id IS NOT NULL", TEN
    )
    assert cancel(world.connection, admin, session["id"], None, "dev", world.clock()).credit_cad == 45
    [order] = world.rows("SELECT order_id AS id FROM refunds")

    bring_in_line(world.connection, order["id"], world.clock())

    assert statuses(world) == ["failed"]


@pytest.mark.parametrize("fault", ["rate_limit", "refusal"])
def test_a_refund_that_cannot_be_made_holds_no_other_up(world: World, fault: Kind) -> None:
    for _ in range(2):
        orphan(world)
    world.clock.advance(minutes=70)
    owe_orphans(world.connection, world.clock())
    world.stripe.faults.add(fault, path="/v1/refunds", times=9 if fault == "rate_limit" else 1)
    first: list[UUID] = []

    class Recovering:
        """Stripe, which the first refund finds out of order and any other does not."""

        def refund(self, refund_id: UUID, intent_id: str, amount_cents: int, attempt: int) -> str:
            if first and refund_id not in first:
                world.stripe.faults.clear()
            first.append(refund_id)
            return stripe_payments().refund(refund_id, intent_id, amount_cents, attempt)

    assert pay_refunds(world.connection, cast("Payments", Recovering()), world.clock()) == (1, 1)
    assert (made_at_stripe(world), len(first)) == (4500, 2)


def test_the_refund_that_has_been_due_longest_is_asked_for_first(world: World) -> None:
    now = world.clock()
    world.connection.execute(
        "INSERT INTO refunds (id, payment_intent_id, amount_cents, reason, next_attempt_at, created_at)"
        " SELECT gen_random_uuid(), 'pi_' || n, 100, 'Geste', %(now)s - make_interval(secs => n), %(now)s"
        "   FROM generate_series(0, 3) AS n",
        {"now": now},
    )
    world.connection.execute(
        "SET enable_indexscan = off; SET enable_bitmapscan = off"
    )  # it would be in order
    asked: list[str] = []

    class Knowing:
        """Stripe, which knows none of these payments."""

        def refund(self, refund_id: UUID, intent_id: str, amount_cents: int, attempt: int) -> str:
            asked.append(intent_id)
            return stripe_payments().refund(refund_id, intent_id, amount_cents, attempt)

    assert pay_refunds(world.connection, cast("Payments", Knowing()), now) == (0, 4)
    assert asked == ["pi_3", "pi_2", "pi_1", "pi_0"]


def test_credit_that_is_reserved_while_a_refund_is_shared_out_is_not_taken_back(
    world: World, course: UUID, database: Database
) -> None:
    """The run waits for the payment that is being started, and lists what it can no longer take back."""
    student = Student(world).chooses(wanted(course, TEN)).starts().pays()
    hear(world)
    [session] = world.rows("SELECT id FROM appointments")
    admin = By("admin", world.school.user("chef@exemple.ca", "admin"))
    cancel(world.connection, admin, session["id"], None, "dev", world.clock())
    student.chooses(wanted(course, TWELVE))
    [order] = world.rows("SELECT id, stripe_payment_intent_id AS intent_id FROM orders")
    world.connection.execute(
        "INSERT INTO refunds (id, payment_intent_id, order_id, amount_cents, reason, status, stripe_refund_id,"
        "                     made_elsewhere, next_attempt_at, created_at, processed_at)"
        " VALUES (%s, %s, %s, 4500, 'Geste', 'processed', 're_9', true, %s, %s, %s)",
        (uuid4(), order["intent_id"], order["id"], *[world.clock()] * 3),
    )
    with uncommitted(database.url) as rival, psycopg.connect(database.url, autocommit=True) as watcher:
        rival.execute("UPDATE credit_accounts SET reserved_cad = balance_cad")

        def reserves() -> None:
            until_blocked(watcher, 1)
            rival.commit()

        run, _ = at_once(partial(bring_in_line, world.connection, order["id"], world.clock()), reserves)
        run.result()

    assert student.account == (Decimal("45.00"), Decimal("45.00"))
    assert world.rows("SELECT way::text, amount_cad FROM over_returns") == [
        {"way": "dashboard", "amount_cad": Decimal("45.00")}
    ]


def test_a_refund_that_is_asked_for_while_its_session_is_cancelled_is_refused(
    world: World, course: UUID, database: Database
) -> None:
    """The cancellation has credited what the line had left, and is about to end."""
    Student(world).chooses(wanted(course, TEN)).starts().pays()
    hear(world)
    admin_id = world.school.user("chef@exemple.ca", "admin")
    [session] = world.rows("SELECT id FROM appointments")
    [order] = world.rows("SELECT id FROM orders")
    with uncommitted(database.url) as rival, psycopg.connect(database.url, autocommit=True) as watcher:
        cancel(rival, By("admin", admin_id), session["id"], None, "dev", world.clock())

        def commits() -> None:
            until_blocked(watcher, 1)
            rival.commit()

        asks = partial(
            refund_order, world.connection, order["id"], Decimal(10), "Geste", admin_id, SHOP, world.clock()
        )
        asked, committed = at_once(asks, commits)
        committed.result()
        with pytest.raises(Refused) as refusal:
            asked.result()

    assert (refusal.value.code, refusal.value.facts) == ("REFUND_TOO_LARGE", {"refundable_cad": "0.00"})
    assert (world.count("refunds"), world.count("line_returns")) == (0, 1)


def test_a_refund_that_is_made_while_the_dashboard_s_are_compared_stays_made(
    world: World, database: Database
) -> None:
    """Ours is paid at the very moment when the whole payment is heard to have gone back by hand."""
    intent_id = orphan(world)
    world.clock.advance(minutes=70)
    owe_orphans(world.connection, world.clock())
    by_hand = MadeRefund("re_9", 4500, failed=False, refund_id=None)
    reading = begin_reading(world.connection, intent_id)
    follow = partial(
        follow_refunds, world.connection, intent_id, [by_hand], reading, 4500, SHOP, world.clock()
    )
    with uncommitted(database.url) as rival, psycopg.connect(database.url, autocommit=True) as watcher:
        rival.execute(
            "UPDATE refunds SET status = 'processed', stripe_refund_id = 're_1', processed_at = created_at"
        )

        def commits() -> None:
            until_blocked(watcher, 1)
            rival.commit()

        for outcome in at_once(follow, commits):
            outcome.result()

    made = world.rows("SELECT status::text, stripe_refund_id AS id FROM refunds ORDER BY made_elsewhere")
    assert made == [{"status": "processed", "id": "re_1"}, {"status": "processed", "id": "re_9"}]


def test_of_two_that_one_by_hand_may_replace_the_younger_is_owed_again(world: World, course: UUID) -> None:
    Student(world).chooses(wanted(course, TEN)).starts().pays()
    hear(world)
    [order] = world.rows("SELECT id, stripe_payment_intent_id AS intent_id FROM orders")
    now = world.clock()
    for age, status, elsewhere in (
        (0, "superseded", False),
        (9, "superseded", False),
        (5, "processed", True),
    ):
        world.connection.execute(
            "INSERT INTO refunds (id, payment_intent_id, order_id, amount_cents, reason, status, stripe_refund_id,"
            "                     made_elsewhere, next_attempt_at, created_at, processed_at)"
            " VALUES (gen_random_uuid(), %s, %s, 1000, 'Geste', %s, %s, %s, %s, %s, %s)",
            (
                order["intent_id"],
                order["id"],
                status,
                "re_9" if elsewhere else None,
                elsewhere,
                now,
                now - timedelta(minutes=age),
                now if elsewhere else None,
            ),
        )

    assert owe_again(world.connection, order["intent_id"], 3500, now)

    assert world.rows("SELECT status::text FROM refunds WHERE NOT made_elsewhere ORDER BY created_at") == [
        {"status": "superseded"},
        {"status": "pending"},
    ]


@pytest.mark.parametrize("before", ["pending", "failed", "superseded"])
@pytest.mark.parametrize(
    ("whose", "won", "after"),
    [
        ("an orphan's", True, "pending"),
        ("an orphan's", False, "superseded"),
        ("an orphan's, and another was made", True, None),
        ("an orphan's, and another was made", False, "superseded"),
        ("a line's", True, "pending"),
        ("a line's", False, None),
        ("a line's that has returned it", True, None),
        ("an order's", True, None),
        ("an order's", False, None),
    ],
)
def test_a_decided_dispute_decides_what_it_kept_from_being_refunded(
    world: World, course: UUID, before: str, whose: str, won: bool, after: str | None
) -> None:
    """None: it stays as it was."""
    Student(world).chooses(wanted(course, TEN)).starts().pays()
    hear(world)
    [line] = world.rows("SELECT id, order_id FROM order_items")
    insert = (
        "INSERT INTO refunds (id, payment_intent_id, order_id, order_item_id, amount_cents, reason, status,"
        "                     stripe_refund_id, made_elsewhere, next_attempt_at, created_at, processed_at)"
        " VALUES (gen_random_uuid(), 'pi_1', %s, %s, 4500, 'Geste', %s, %s, %s, %s, %s, %s)"
    )
    now = world.clock()
    order_id = None if whose.startswith("an orphan's") else line["order_id"]
    line_id = line["id"] if whose.startswith("a line's") else None
    world.connection.execute(insert, (order_id, line_id, before, None, False, now, now, None))
    if whose.endswith("another was made"):
        world.connection.execute(insert, (None, None, "processed", "re_9", True, now, now, now))
    if whose.endswith("has returned it"):
        world.connection.execute("UPDATE order_items SET returned_cad = 45")

    end_wait_for_dispute(world.connection, "pi_1", won, now + timedelta(minutes=1))

    assert world.rows(
        "SELECT status::text, attempts, next_attempt_at > created_at AS later FROM refunds WHERE NOT made_elsewhere"
    ) == [{"status": after or before, "attempts": 1 if after else 0, "later": after is not None}]
