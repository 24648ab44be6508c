"""Payments that were late, lost, withdrawn, orphaned, refunded by hand or disputed (spec 5.7; X-04, X-55)."""

from datetime import timedelta
from decimal import Decimal
from functools import partial
from itertools import pairwise
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest

from adapters import jobs
from adapters.stripe_payments import stripe_payments
from domain.checkout.close import note_closed
from domain.checkout.reconcile import Reconciled, reconcile
from functions.payment_reconciliation import app as payment_reconciliation
from local.stripe_double.faults import Kind
from tests.support.audit import closing_audit
from tests.support.browser import CONTEXT, hurried
from tests.support.contract import recorded
from tests.support.guest import Guest
from tests.support.race import at_once
from tests.support.selling import SHOP
from tests.support.tables import contents
from tests.support.world import World, toronto, wanted

TEN = toronto(20, 10)
TWO = toronto(20, 14)


@pytest.fixture
def buyer(world: World) -> Guest:
    """Somebody with two sessions at 45.00 who is about to pay."""
    course = world.school.course()
    world.school.tutor(course)
    return Guest(world).chooses(wanted(course, TEN), wanted(course, TWO)).starts()


def outcomes(world: World) -> dict[str, int]:
    """What a reconciliation did with checkouts, what it did not do left out."""
    done = world.reconciliation()
    return {
        name.removeprefix("checkouts_"): n for name, n in done.items() if n and name.startswith("checkouts_")
    }


def rows(world: World, statement: str) -> list[tuple[Any, ...]]:
    return world.connection.execute(statement).fetchall()


def checkout(world: World) -> tuple[Any, ...]:
    (row,) = rows(world, "SELECT status::text, buyer IS NULL, intent_closed_at IS NOT NULL FROM checkouts")
    return row


# --- Reconciliation -----------------------------------------------------------------------------------------


def test_a_payment_whose_webhook_was_lost_is_booked(world: World, buyer: Guest) -> None:
    world.stripe.webhooks.drop("payment_intent.succeeded")
    buyer.pays()
    world.clock.advance(minutes=1)
    assert outcomes(world) == {}  # younger than two minutes: the webhook may still come

    world.clock.advance(minutes=1)
    assert outcomes(world) == {"settled": 1}
    assert (world.count("orders"), world.count("appointments")) == (1, 2)
    assert outcomes(world) == {}
    assert buyer.asks().body["status"] == "settled"
    assert closing_audit(world.connection, world.stripe, world.clock()) == []


def test_a_checkout_nobody_pays_waits_a_day_and_is_cancelled_there_and_here(
    world: World, buyer: Guest
) -> None:
    world.clock.advance(hours=23, minutes=59)
    assert outcomes(world) == {"waiting": 1}
    assert checkout(world) == ("open", False, False)

    world.clock.advance(minutes=1)
    assert outcomes(world) == {"cancelled": 1}
    assert checkout(world) == ("cancelled", True, True)
    assert [intent["status"] for intent in world.stripe.all("payment_intent")] == ["canceled"]
    calls = len(world.stripe.calls)
    world.clock.advance(minutes=5)
    assert outcomes(world) == {}
    assert len(world.stripe.calls) == calls  # asked about once


def test_a_checkout_nobody_pays_is_asked_about_ever_less_often(world: World, buyer: Guest) -> None:
    calls, asked = len(world.stripe.calls), []
    for minutes in range(5, 24 * 60, 5):
        world.clock.advance(minutes=5)
        if outcomes(world):
            asked.append(minutes)

    waits = [later - earlier for earlier, later in pairwise(asked)]
    assert asked[:9] == [5, 10, 15, 20, 25, 30, 35, 40, 45]
    assert all(5 <= wait < earlier / 8 + 5 for earlier, wait in zip(asked, waits, strict=False))
    assert len(asked) == len(world.stripe.calls) - calls == 35

    world.clock.advance(minutes=5)
    assert outcomes(world) == {"cancelled": 1}


def test_a_checkout_is_asked_about_from_two_minutes_after_it_began(world: World, buyer: Guest) -> None:
    world.clock.advance(minutes=2, microseconds=-1)
    world.reconciliation()
    assert rows(world, "SELECT asked_at FROM checkouts") == [(None,)]

    world.clock.advance(microseconds=1)
    world.reconciliation()
    assert rows(world, "SELECT asked_at FROM checkouts") == [(world.clock(),)]


@pytest.mark.parametrize("withdrawn", [False, True])
def test_the_oldest_that_was_never_asked_about_is_asked_about_first(
    world: World, buyer: Guest, *, withdrawn: bool
) -> None:
    """However the table stores them: the older one's row was written last."""
    [(older,)] = rows(world, "SELECT id FROM checkouts")
    world.clock.advance(minutes=1)
    course = world.school.course("autre")
    world.school.tutor(course)
    Guest(world, "b@exemple.ca").chooses(wanted(course, TEN)).starts()
    if withdrawn:
        world.connection.execute("UPDATE checkouts SET status = 'cancelled'")
    world.connection.execute("UPDATE checkouts SET asked_at = NULL WHERE id = %s", (older,))
    world.clock.advance(minutes=5)

    turns = iter([True, False])
    with psycopg.connect(world.connection.info.dsn, autocommit=True) as connection:
        reconcile(connection, stripe_payments(), SHOP, world.clock(), lambda: next(turns))

    assert rows(world, "SELECT id FROM checkouts WHERE asked_at IS NOT NULL") == [(older,)]


def test_a_late_payment_without_a_webhook_is_booked_within_an_eighth_of_its_age(
    world: World, buyer: Guest
) -> None:
    world.stripe.webhooks.drop("payment_intent.succeeded")
    world.clock.advance(hours=8)
    assert outcomes(world) == {"waiting": 1}
    buyer.pays()
    world.clock.advance(minutes=59)
    assert outcomes(world) == {}

    world.clock.advance(minutes=1)
    assert outcomes(world) == {"settled": 1}


def test_a_withdrawn_checkout_s_intent_is_cancelled(world: World, buyer: Guest) -> None:
    world.connection.execute("UPDATE checkouts SET status = 'cancelled'")
    world.clock.advance(minutes=2)

    assert outcomes(world) == {"cancelled": 1}
    assert checkout(world) == ("cancelled", True, True)
    assert [intent["status"] for intent in world.stripe.all("payment_intent")] == ["canceled"]


def test_a_payment_that_raced_ahead_of_the_cancellation_is_booked(world: World, buyer: Guest) -> None:
    world.connection.execute("UPDATE checkouts SET status = 'cancelled'")
    world.stripe.webhooks.drop("payment_intent.succeeded")
    buyer.pays()
    world.clock.advance(minutes=2)

    assert outcomes(world) == {"settled": 1}
    assert (world.count("orders"), world.count("refunds")) == (1, 0)
    assert closing_audit(world.connection, world.stripe, world.clock()) == []


def test_a_slow_bank_is_waited_for(world: World, buyer: Guest) -> None:
    world.stripe.dashboard.let_bank_answer("later")
    buyer.pays()
    world.clock.advance(hours=25)
    assert outcomes(world) == {"processing": 1}
    assert checkout(world) == ("processing", False, False)

    world.stripe.dashboard.conclude(buyer.intent_id, "succeed")
    world.clock.advance(minutes=5)
    assert outcomes(world) == {"settled": 1}


def test_a_bank_that_says_no_lets_the_buyer_try_again(world: World, buyer: Guest) -> None:
    world.stripe.dashboard.let_bank_answer("later")
    buyer.pays()
    assert [answer.status for answer in world.webhooks("payment_intent.processing")] == [200]
    assert checkout(world) == ("processing", False, False)

    world.stripe.dashboard.conclude(buyer.intent_id, "fail")
    world.clock.advance(minutes=5)
    assert outcomes(world) == {"waiting": 1}
    assert checkout(world) == ("open", False, False)


def test_one_checkout_that_cannot_be_compared_does_not_stop_the_others(world: World, buyer: Guest) -> None:
    course = world.rows("SELECT id FROM courses")[0]["id"]
    for n, hour in enumerate((11, 12)):
        Guest(world, f"autre{n}@exemple.ca").chooses(wanted(course, toronto(21, hour))).starts().pays()
    world.stripe.faults.add(
        "timeout_before", method="GET", path=f"/v1/payment_intents/{buyer.intent_id}", times=9
    )
    world.clock.advance(minutes=2)

    assert outcomes(world) == {"settled": 2, "not_reconciled": 1}
    world.stripe.faults.clear()
    world.clock.advance(minutes=5)
    assert outcomes(world) == {"waiting": 1}


def test_a_run_ends_in_time_and_the_next_goes_on(world: World, buyer: Guest) -> None:
    course = world.rows("SELECT id FROM courses")[0]["id"]
    for n, hour in enumerate((11, 12)):
        Guest(world, f"autre{n}@exemple.ca").chooses(wanted(course, toronto(21, hour))).starts()
    world.clock.advance(hours=25)
    time_left = iter([240_000, 200_000, 100_000, 50_000, 50_000])
    context = hurried(time_left)
    event = {"time": world.clock().isoformat()}

    assert payment_reconciliation.lambda_handler(event, context)["checkouts_cancelled"] == 2
    assert outcomes(world) == {"cancelled": 1}


def test_runs_at_the_same_time_share_the_work(world: World, buyer: Guest) -> None:
    course = world.rows("SELECT id FROM courses")[0]["id"]
    for n, hour in enumerate((9, 11, 12, 13, 15)):
        Guest(world, f"autre{n}@exemple.ca").chooses(wanted(course, toronto(21, hour))).starts().pays()
    world.stripe.webhooks.take()
    world.clock.advance(minutes=2)
    done = [future.result() for future in at_once(*[partial(reconciles, world)] * 3)]

    assert sum(run.outcomes["settled"] for run in done) == 5
    assert sum(run.outcomes["waiting"] for run in done) == 1
    assert [run.failures for run in done] == [[], [], []]
    assert world.count("orders") == 5
    assert closing_audit(world.connection, world.stripe, world.clock()) == []


def test_stripe_says_itself_that_an_intent_was_cancelled(world: World, buyer: Guest) -> None:
    world.stripe_client.v1.payment_intents.cancel(buyer.intent_id)
    assert [answer.status for answer in world.webhooks("payment_intent.canceled")] == [200]
    assert checkout(world) == ("cancelled", True, True)


def reconciles(world: World) -> Reconciled:
    with psycopg.connect(world.connection.info.dsn, autocommit=True) as connection:
        return reconcile(connection, stripe_payments(), SHOP, world.clock(), lambda: True)


# --- Orphans ------------------------------------------------------------------------------------------------


def orphan(world: World, **metadata: str) -> str:
    """A paid intent that our API did not make, told to us."""
    intent = world.stripe_client.v1.payment_intents.create(
        {"amount": 4500, "currency": "cad", "allowed_payment_method_types": ["card"], "metadata": metadata}
    )
    world.pay(intent.id)
    assert [answer.status for answer in world.webhooks()] == [200]
    return intent.id


@pytest.mark.parametrize(
    "metadata",
    [{"environment": "dev"}, {"environment": "dev", "checkout_id": str(uuid4())}, {"checkout_id": "x"}],
)
def test_an_orphan_is_given_back_after_an_hour(
    world: World, metadata: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    intent_id = orphan(world, **metadata)
    assert "ORPHAN_PAYMENT" in caplog.messages
    world.clock.advance(minutes=59)
    assert world.reconciliation()["orphan_payments_unresolved"] == 1
    assert world.count("refunds") == 0

    world.clock.advance(minutes=1)
    done = world.reconciliation()
    assert (done["orphans_given_back"], done["refunds_paid"], done["orphan_payments_unresolved"]) == (1, 1, 0)
    assert [(r["payment_intent"], r["amount"]) for r in world.stripe.all("refund")] == [(intent_id, 4500)]
    world.clock.advance(hours=1)
    assert world.reconciliation()["orphans_given_back"] == 0


def test_an_orphan_that_is_heard_of_again_is_one_orphan(world: World) -> None:
    """The first time, the function died after it had noted the payment and before it had finished the event."""
    intent = world.stripe_client.v1.payment_intents.create(
        {
            "amount": 4500,
            "currency": "cad",
            "allowed_payment_method_types": ["card"],
            "metadata": {"environment": "dev"},
        }
    )
    world.pay(intent.id)
    (message,) = world.stripe.webhooks.take("payment_intent.succeeded")
    assert world.deliver(message).status == 200
    before = rows(world, "SELECT * FROM orphan_payments")
    world.connection.execute("UPDATE webhook_events SET processed_at = NULL")
    world.clock.advance(minutes=5)

    assert world.deliver(message).status == 200
    assert rows(world, "SELECT * FROM orphan_payments") == before
    assert len(before) == 1


def test_an_orphan_whose_money_we_owe_already_is_owed_once(world: World) -> None:
    """And the other orphans of the same run are given back."""
    first, second = orphan(world, environment="dev"), orphan(world, environment="dev")
    world.connection.execute(
        "INSERT INTO refunds (id, payment_intent_id, amount_cents, reason, next_attempt_at, created_at)"
        " VALUES (gen_random_uuid(), %s, 4500, 'Déjà dû', %s, %s)",
        (first, world.clock(), world.clock()),
    )
    world.clock.advance(hours=1)

    assert world.reconciliation()["orphans_given_back"] == 1
    assert sorted((r["payment_intent"], r["amount"]) for r in world.stripe.all("refund")) == sorted(
        [(first, 4500), (second, 4500)]
    )


def test_a_payment_for_an_order_without_a_card_is_given_back(world: World) -> None:
    course = world.school.course()
    world.school.tutor(course)
    world.school.coupon("CADEAU", "percent", "100")
    guest = Guest(world).chooses(wanted(course, TEN)).uses_coupon("CADEAU").starts()

    intent_id = orphan(world, checkout_id=guest.started["checkout_id"], environment="dev")
    world.reconciliation()

    assert rows(world, "SELECT payment_intent_id, amount_cents, order_id, status::text FROM refunds") == [
        (intent_id, 4500, None, "processed")
    ]
    assert rows(world, "SELECT status::text, source::text FROM orders") == [("paid", "free")]


def test_an_orphan_that_was_explained_in_time_is_kept(world: World) -> None:
    orphan(world, environment="dev")
    world.connection.execute("UPDATE orphan_payments SET resolved_at = now(), resolution = 'facture 12'")
    world.clock.advance(hours=2)

    assert world.reconciliation()["orphans_given_back"] == 0
    assert world.stripe.all("refund") == []


@pytest.mark.parametrize("explained", [False, True])
def test_an_orphan_that_is_given_back_by_hand_is_explained_unless_it_was(
    world: World, explained: bool
) -> None:
    intent_id = orphan(world, environment="dev")
    if explained:
        world.connection.execute("UPDATE orphan_payments SET resolved_at = now(), resolution = 'facture 12'")
    world.stripe.dashboard.refund(intent_id)
    deliver_all(world)

    [kept] = world.rows("SELECT resolved_at IS NOT NULL AS resolved, resolution FROM orphan_payments")
    assert kept == {"resolved": True, "resolution": "facture 12" if explained else "refunded"}


def test_a_payment_somebody_else_asked_for_is_left_to_a_person(world: World) -> None:
    orphan(world)
    world.clock.advance(hours=48)
    done = world.reconciliation()

    assert (done["orphan_payments_unresolved"], done["orphans_given_back"]) == (1, 0)
    assert world.stripe.all("refund") == []


def test_a_payment_of_another_deployment_is_none_of_our_affairs(world: World) -> None:
    orphan(world, environment="prod", checkout_id=str(uuid4()))
    assert (world.count("orphan_payments"), world.count("refunds")) == (0, 0)


def test_our_intents_say_where_they_belong(world: World, buyer: Guest) -> None:
    (intent,) = world.stripe.all("payment_intent")
    assert intent["metadata"] == {
        "checkout_id": buyer.checkout_id,
        "environment": "dev",
        "product": "tutoring",
    }


# --- Refunds that were late or were not ours ----------------------------------------------------------------


def books(world: World, buyer: Guest) -> None:
    buyer.pays()
    world.webhooks()
    world.stripe.webhooks.take()


def order(world: World) -> tuple[str, Decimal]:
    ((status, refunded),) = rows(world, "SELECT status::text, refunded_cad FROM orders")
    return status, refunded


def told_refunds(world: World) -> list[tuple[float, bool]]:
    return [
        (event["payload"]["refund_amount"], event["payload"]["is_full_refund"])
        for event in recorded(world)
        if event["type"] == "order.refunded"
    ]


def test_refunds_of_the_dashboard_become_ours(world: World, buyer: Guest) -> None:
    books(world, buyer)
    first = world.stripe.dashboard.refund(buyer.intent_id, 3000)
    messages = world.stripe.webhooks.take()
    for message in [*messages, *reversed(messages)]:
        assert world.deliver(message).status == 200
    assert order(world) == ("partially_refunded", Decimal("30.00"))
    assert rows(
        world, "SELECT amount_cents, status::text, stripe_refund_id, made_elsewhere FROM refunds"
    ) == [(3000, "processed", first["id"], True)]

    world.stripe.dashboard.refund(buyer.intent_id)
    for message in reversed(world.stripe.webhooks.take()):
        assert world.deliver(message).status == 200
    assert order(world) == ("refunded", Decimal("90.00"))
    assert told_refunds(world) == [(30.0, False), (60.0, True)]
    payloads = [event["payload"] for event in recorded(world) if event["type"] == "order.refunded"]
    assert [(told["refunded_total_fr"], told["order_total_fr"]) for told in payloads] == [
        ("30,00 $", "90,00 $"),
        ("90,00 $", "90,00 $"),
    ]
    assert [[one["refund_fr"] for one in told["sessions"]] for told in payloads] == [
        ["15,00 $", "15,00 $"],
        ["30,00 $", "30,00 $"],
    ]
    by_nobody = {
        "00000000-0000-0000-0000-000000000000"
    }  # the contract wants an id, and no administrator of ours did
    assert {
        fact["payload"]["processed_by"] for fact in recorded(world) if "refund_id" in fact["payload"]
    } == by_nobody
    assert closing_audit(world.connection, world.stripe, world.clock()) == []


def test_a_refund_s_event_may_come_before_the_payment_s(world: World, buyer: Guest) -> None:
    buyer.pays()
    world.stripe.dashboard.refund(buyer.intent_id, 1000)
    (succeeded,) = world.stripe.webhooks.take("payment_intent.succeeded")
    (refunded,) = world.stripe.webhooks.take("charge.refunded")

    assert [world.deliver(message).status for message in (refunded, succeeded)] == [200, 200]
    assert order(world) == ("partially_refunded", Decimal("10.00"))
    assert closing_audit(world.connection, world.stripe, world.clock()) == []


def loses_one(world: World, buyer: Guest) -> None:
    """Paid, with one of the two sessions taken by somebody else meanwhile; a refund of 45.00 is owed."""
    world.clock.advance(minutes=16)
    course, tutor = world.rows("SELECT course_id, tutor_id FROM tutor_courses")[0].values()
    Guest(world, "rival@exemple.ca").chooses(wanted(course, TEN, tutor=tutor))
    buyer.pays()


@pytest.mark.parametrize("first", ["our mark", "the event"])
def test_our_own_refund_is_recognised_whatever_comes_first(world: World, buyer: Guest, first: str) -> None:
    loses_one(world, buyer)
    if first == "the event":  # our answer is lost, so there is no mark
        world.stripe.faults.add("timeout_after_commit", method="POST", path="/v1/refunds", times=9)
    world.webhooks()
    world.stripe.faults.clear()
    expected = "pending" if first == "the event" else "processed"
    assert rows(world, "SELECT status::text FROM refunds") == [(expected,)]
    for message in world.stripe.webhooks.take():
        assert world.deliver(message).status == 200

    (made,) = world.stripe.all("refund")
    assert rows(world, "SELECT status::text, stripe_refund_id, made_elsewhere FROM refunds") == [
        ("processed", made["id"], False)
    ]
    assert order(world) == ("partially_refunded", Decimal("45.00"))
    world.clock.advance(hours=1)
    assert world.reconcile() == {"refunds_paid": 0, "refunds_waiting": 0}
    assert closing_audit(world.connection, world.stripe, world.clock()) == []


def test_a_refund_made_by_hand_supersedes_ours(world: World, buyer: Guest) -> None:
    loses_one(world, buyer)
    world.stripe.faults.add("server_error", method="POST", path="/v1/refunds", times=9)
    world.webhooks()
    world.stripe.faults.clear()
    world.stripe.dashboard.refund(buyer.intent_id)
    for message in world.stripe.webhooks.take():
        world.deliver(message)

    assert rows(world, "SELECT amount_cents, status::text FROM refunds ORDER BY 1") == [
        (4500, "superseded"),
        (9000, "processed"),
    ]
    assert order(world) == ("refunded", Decimal("90.00"))
    world.clock.advance(hours=1)
    done = world.reconciliation()
    assert (done["refunds_waiting"], done["refunds_failed"]) == (0, 0)
    assert closing_audit(world.connection, world.stripe, world.clock()) == []


def deliver_all(world: World) -> None:
    for message in world.stripe.webhooks.take():
        assert world.deliver(message).status == 200


def made_by_hand(world: World) -> str:
    """The refund that the dashboard has made last."""
    return str(world.stripe.all("refund")[-1]["id"])


@pytest.mark.parametrize("amount", [None, 4500])
def test_what_was_given_back_by_hand_is_owed_again_once_the_bank_sends_it_back(
    world: World, buyer: Guest, amount: int | None
) -> None:
    loses_one(world, buyer)
    world.stripe.faults.add("server_error", method="POST", path="/v1/refunds", times=9)
    world.webhooks()
    world.stripe.faults.clear()
    if amount:  # and what Stripe would not do is done by hand
        world.connection.execute("UPDATE refunds SET status = 'failed'")
    world.stripe.dashboard.refund(buyer.intent_id, amount)
    deliver_all(world)
    assert world.rows("SELECT status::text FROM refunds WHERE NOT made_elsewhere") == [
        {"status": "superseded"}
    ]

    world.stripe.dashboard.settle_refund(made_by_hand(world), "fail")
    deliver_all(world)
    assert rows(world, "SELECT amount_cents, status::text FROM refunds WHERE NOT made_elsewhere") == [
        (4500, "pending")
    ]
    assert order(world) == ("partially_refunded", Decimal("45.00"))
    done = world.reconciliation()
    assert (done["refunds_paid"], done["refunds_waiting"], done["refunds_failed"]) == (1, 0, 0)
    deliver_all(world)
    assert order(world) == ("partially_refunded", Decimal("45.00"))
    assert len(told_refunds(world)) == 2  # the session that could not be booked, and what was made by hand
    assert closing_audit(world.connection, world.stripe, world.clock()) == []


@pytest.mark.parametrize("owed", [False, True])
def test_an_orphan_given_back_by_hand_is_one_again_once_the_bank_sends_it_back(
    world: World, buyer: Guest, owed: bool
) -> None:
    intent_id = orphan(world, checkout_id=str(uuid4()), environment="dev")
    if owed:
        world.clock.advance(hours=1)
        world.stripe.faults.add("server_error", method="POST", path="/v1/refunds", times=9)
        world.reconciliation()
        world.stripe.faults.clear()
    world.stripe.dashboard.refund(intent_id)
    deliver_all(world)
    world.stripe.dashboard.settle_refund(made_by_hand(world), "fail")
    deliver_all(world)

    world.clock.advance(hours=1)
    done = world.reconciliation()
    assert (done["refunds_paid"], done["refunds_waiting"]) == (1, 0)
    assert (
        sum(refund["amount"] for refund in world.stripe.all("refund") if refund["status"] == "succeeded")
        == 4500
    )


def test_a_refund_that_waits_is_tried_ever_less_often_and_alarms_after_a_day(
    world: World, buyer: Guest
) -> None:
    loses_one(world, buyer)
    world.stripe.faults.add("rate_limit", method="POST", path="/v1/refunds", times=999)
    world.webhooks()
    waits = []
    for _ in range(8):
        ((due,),) = rows(world, "SELECT next_attempt_at FROM refunds")
        waits.append(int((due - world.clock()).total_seconds() / 60))
        world.clock.now = due
        assert world.reconcile() == {"refunds_paid": 0, "refunds_waiting": 1}

    assert waits == [5, 10, 20, 40, 80, 160, 320, 360]
    assert world.reconciliation()["refunds_overdue"] == 0
    world.clock.advance(hours=8)
    assert world.reconciliation()["refunds_overdue"] == 1
    world.stripe.faults.clear()
    world.clock.advance(hours=6)
    done = world.reconciliation()
    assert (done["refunds_paid"], done["refunds_overdue"]) == (1, 0)


def test_a_refund_stripe_will_not_make_alarms_at_once(world: World, buyer: Guest) -> None:
    loses_one(world, buyer)
    world.stripe.dashboard.open_dispute(buyer.intent_id)
    world.webhooks()

    assert rows(world, "SELECT status::text FROM refunds") == [("failed",)]
    assert world.reconciliation()["refunds_failed"] == 1


def test_a_refund_the_bank_sends_back_alarms(world: World, buyer: Guest) -> None:
    loses_one(world, buyer)
    world.webhooks()
    (made,) = world.stripe.all("refund")
    world.stripe.dashboard.settle_refund(made["id"], "fail")
    for message in world.stripe.webhooks.take():
        assert world.deliver(message).status == 200

    assert rows(world, "SELECT status::text, processed_at FROM refunds") == [("failed", None)]
    assert order(world) == ("partially_refunded", Decimal("45.00"))  # still owed
    assert world.reconciliation()["refunds_failed"] == 1


@pytest.mark.parametrize("fault", ["timeout_before", "rate_limit", "server_error"])
def test_a_refund_s_event_waits_for_a_stripe_that_answers(world: World, buyer: Guest, fault: Kind) -> None:
    books(world, buyer)
    world.stripe.dashboard.refund(buyer.intent_id, 1000)
    (message,) = world.stripe.webhooks.take("charge.refunded")
    world.stripe.faults.add(fault, method="GET", times=9)
    before = contents(world.connection, besides=["webhook_events"])
    assert world.deliver(message).status == 503
    assert contents(world.connection, besides=["webhook_events"]) == before

    world.stripe.faults.clear()
    assert world.deliver(message).status == 200
    assert order(world) == ("partially_refunded", Decimal("10.00"))


# --- Disputes -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("reverse", [False, True])
def test_a_dispute_is_recorded_and_alarms_until_it_is_closed(
    world: World, buyer: Guest, caplog: pytest.LogCaptureFixture, reverse: bool
) -> None:
    books(world, buyer)
    dispute = world.stripe.dashboard.open_dispute(buyer.intent_id)
    if not reverse:
        world.webhooks("charge.dispute.*")
        assert world.reconciliation()["disputes_open"] == 1
    world.stripe.dashboard.close_dispute(dispute["id"], "lost")
    for message in reversed(world.stripe.webhooks.take()):
        assert world.deliver(message).status == 200

    assert rows(world, "SELECT payment_intent_id, amount_cents, status, closed_at FROM payment_disputes") == [
        (buyer.intent_id, 9000, "lost", world.clock())
    ]
    assert world.reconciliation()["disputes_open"] == 0
    assert "PAYMENT_DISPUTED" in caplog.messages
    assert order(world) == ("paid", Decimal("0.00"))


def test_disputes_and_refunds_of_strangers_are_only_noted(world: World) -> None:
    intent_id = orphan(world, environment="prod")
    world.stripe.dashboard.refund(intent_id, 100)
    world.stripe.dashboard.open_dispute(intent_id)
    for message in world.stripe.webhooks.take():
        assert world.deliver(message).status == 200
    assert (world.count("payment_disputes"), world.count("refunds")) == (0, 0)


def test_a_run_that_began_late_judges_by_the_present(
    world: World, buyer: Guest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Meant for a minute in which the holds stood; started again when they had lapsed and the time was off."""
    buyer.pays()
    meant = world.clock()
    [tutor] = world.rows("SELECT id FROM tutors")
    world.school.time_off(tutor["id"], TEN, TEN + timedelta(hours=8))
    world.clock.advance(minutes=20)
    monkeypatch.setattr(jobs, "present", world.clock)

    payment_reconciliation.lambda_handler({"time": meant.isoformat()}, CONTEXT)

    assert world.count("appointments") == 0
    assert world.rows("SELECT status::text FROM orders") == [{"status": "refunded"}]


# --- Rivals -------------------------------------------------------------------------------------------------------


def test_a_checkout_that_somebody_is_asking_about_is_left_to_them(world: World, buyer: Guest) -> None:
    """Its row is locked: the run goes on with the next instead of waiting for it."""
    assert buyer.intent_id
    course = world.school.course("autre")
    world.school.tutor(course)
    other = Guest(world, "b@exemple.ca").chooses(wanted(course, TEN)).starts()
    world.clock.advance(hours=25)
    with psycopg.connect(world.connection.info.dsn) as rival:
        rival.execute("SELECT FROM checkouts WHERE id = %s FOR UPDATE", (buyer.checkout_id,))
        asked_meanwhile = world.reconciliation()["checkouts_cancelled"]

    assert asked_meanwhile == 1
    assert world.rows("SELECT status::text FROM checkouts WHERE id = %s", other.checkout_id) == [
        {"status": "cancelled"}
    ]
    assert world.reconciliation()["checkouts_cancelled"] == 1


def test_what_is_said_of_an_intent_that_was_replaced_closes_nothing(world: World, buyer: Guest) -> None:
    before = contents(world.connection)

    note_closed(world.connection, UUID(buyer.checkout_id), "pi_another", SHOP, world.clock())
    note_closed(world.connection, uuid4(), buyer.intent_id, SHOP, world.clock())

    assert contents(world.connection) == before
