"""The auditor of the random clients can be believed: each thing he looks for is spoiled on purpose, and found."""

from collections.abc import Iterator

import pytest
from psycopg import Rollback

from tests.support.audit import ALL_FINDINGS, audit, closing_audit
from tests.support.dojo import Dojo
from tests.support.guest import Guest
from tests.support.world import World, toronto, wanted

TEN = toronto(20, 10)
TWO = toronto(20, 14)


@pytest.fixture
def books(world: World) -> Iterator[World]:
    """An order with a coupon that lost one of its two sessions, a payment given back whole, a cart with a hold.

    What the test does to the rows is undone.
    """
    course = world.school.course()
    tutor = world.school.tutor(course)
    world.school.coupon("SAVE10", "percent", "10")
    guest = Guest(world).chooses(*(wanted(course, start, tutor=tutor) for start in (TEN, TWO)))
    guest.uses_coupon("SAVE10").starts()
    world.clock.advance(minutes=16)
    Guest(world, "rival@exemple.ca").chooses(wanted(course, TEN, tutor=tutor))
    guest.pays()
    wrong = Guest(world, "autre@exemple.ca").chooses(wanted(course, toronto(21, 10))).starts()
    world.stripe_client.v1.payment_intents.update(wrong.intent_id, {"amount": 100})
    wrong.pays()
    world.webhooks()
    guest.asks()
    assert closing_audit(world.connection, world.stripe, world.clock()) == []
    with world.connection.transaction():
        yield world
        raise Rollback


SPOILED = {
    "two owners of one minute of a tutor": """
        ALTER TABLE time_claims DROP CONSTRAINT time_claims_one_owner_per_minute;
        INSERT INTO time_claims (id, tutor_id, during, kind)
        SELECT gen_random_uuid(), tutor_id, during, 'appointment' FROM time_claims
    """,
    "two appointments of one minute of a tutor": """
        INSERT INTO appointments
               (id, user_id, tutor_id, course_id, start_datetime, end_datetime, created_at, updated_at)
        SELECT gen_random_uuid(), user_id, tutor_id, course_id, start_datetime, end_datetime, created_at, updated_at
          FROM appointments
    """,
    "an appointment without its time": "DELETE FROM time_claims WHERE kind = 'appointment'",
    "time taken for no appointment": "DELETE FROM appointments",
    "a hold for no session of a cart": "UPDATE cart_sessions SET removed_at = created_at",
    "an order that is not the sum of its items": "UPDATE order_items SET line_total_cad = line_total_cad + 0.01",
    "an item that is neither booked nor given back": "UPDATE refunds SET amount_cents = amount_cents - 1",
    "an appointment that is not what was paid for": "UPDATE appointments SET user_id = tutor_id",
    "a line without its other half, or a session without its tutor's pay": "DELETE FROM earnings",
    "credits of an order that are not those of its lines": "UPDATE order_items SET credit_share_cad = 1",
    "an order whose refunds or status do not add up": "UPDATE orders SET status = 'paid'",
    "a line whose returns do not add up": "UPDATE order_items SET returned_cad = 0",
    "a refund or dispute that its order's lines do not know of": """
        UPDATE line_returns SET undone_at = created_at
    """,
    "a return of what came to nothing": "UPDATE refunds SET status = 'superseded', processed_at = NULL",
    "credit that its line does not know of": """
        INSERT INTO credit_transactions (id, user_id, amount_cad, type, order_item_id, created_at)
        SELECT gen_random_uuid(), user_id, 1, 'cancellation', order_item_id, created_at FROM appointments
    """,
    "a cancelled or lost session that is owed more credit": "UPDATE order_items SET credit_promised = true",
    "more given back than was paid, which nobody has resolved": """
        INSERT INTO over_returns (id, order_id, way, amount_cad, refund_id, created_at)
        SELECT gen_random_uuid(), order_id, 'card', 1, id, created_at FROM refunds WHERE order_id IS NOT NULL
    """,
    "a payment both booked and given back whole": """
        INSERT INTO refunds (id, payment_intent_id, amount_cents, reason, next_attempt_at, created_at)
        SELECT gen_random_uuid(), stripe_payment_intent_id, 8100, 'x', created_at, created_at FROM orders
    """,
    "an order that was not told once": "DELETE FROM outbox WHERE type = 'booking.created'",
    "an account that was not told once": "DELETE FROM outbox WHERE type = 'signup'",
    "a signup that is not told first": "UPDATE outbox SET sequence = sequence + 10 WHERE type = 'signup'",
    "a coupon counted otherwise than used": "UPDATE coupons SET redemption_count = 0",
    "a coupon reserved otherwise than it is being paid with": "UPDATE coupons SET reserved_count = 1",
    "something reserved by what cannot be paid, or the reverse": """
        INSERT INTO coupon_reservations SELECT checkouts.id, coupons.id, checkouts.created_at FROM checkouts, coupons
    """,
    "a credit account that is not the sum of its ledger, or is overspent": """
        INSERT INTO credit_accounts (user_id, balance_cad) SELECT user_id, 1 FROM orders
    """,
    "an order whose credits were not debited once, or the reverse": "UPDATE orders SET credits_applied_cad = 0.01",
    "a refund that Make was not told of once": "DELETE FROM outbox WHERE type = 'order.refunded'",
    "a booked order with a coupon and no redemption, or the reverse": "DELETE FROM coupon_redemptions",
    "a password's hash left behind": "UPDATE checkouts SET buyer = '{}'",
    "more sessions opened than accounts": """
        INSERT INTO auth_sessions (token_hash, user_id, created_at, expires_at)
        SELECT sha256('x'), user_id, created_at, expires_at FROM auth_sessions
    """,
    "an account with a password that nobody was told of": "DELETE FROM outbox WHERE type = 'signup'",
    "a settled checkout that is not its order": "UPDATE checkouts SET credits_applied_cad = 0.00, items = '[1]'",
    "an order that no checkout paid for": """
        UPDATE checkouts SET status = 'failed', order_id = NULL WHERE order_id IS NOT NULL
    """,
    "more given back to a card than it was charged": """
        INSERT INTO refunds (id, payment_intent_id, order_id, amount_cents, reason, status, stripe_refund_id,
                             made_elsewhere, next_attempt_at, created_at, processed_at)
        SELECT gen_random_uuid(), stripe_payment_intent_id, id, 8100, 'x', 'processed', 're_x', true,
               created_at, created_at, created_at FROM orders
    """,
    "an order whose card was not charged to the cent": """
        UPDATE orders SET subtotal_cad = subtotal_cad + 0.01, total_cad = total_cad + 0.01
    """,
    "charges and credits used that are not bookings, refunds and credits given back": """
        UPDATE refunds SET amount_cents = amount_cents - 1 WHERE order_item_id IS NOT NULL
    """,
    "a payment nobody knows, and nobody gives back": """
        INSERT INTO orphan_payments (payment_intent_id, amount_cents, currency, received_at, refund_after)
        VALUES ('pi_x', 100, 'CAD', '2027-01-01', '2027-01-01')
    """,
    "an open payment of a cart that was changed since": """
        UPDATE checkouts SET status = 'open', order_id = NULL, cart_version = 1000,
                             cart_id = (SELECT max(id::text)::uuid FROM carts)
         WHERE id = (SELECT max(id::text)::uuid FROM checkouts)
    """,
    "two open checkouts of one cart": """
        DROP INDEX checkouts_one_open_per_cart;
        UPDATE checkouts SET status = 'open', order_id = NULL, cart_id = (SELECT max(id::text)::uuid FROM carts)
    """,
}

SPOILED_BESIDE_STRIPE = {
    "an order that was not paid": "UPDATE orders SET stripe_payment_intent_id = 'pi_autre'",
    "a payment with 0 outcomes": "UPDATE orders SET stripe_payment_intent_id = 'pi_autre'",
    "a payment with 2 outcomes": SPOILED["a payment both booked and given back whole"],
    "money given back that nobody owed": """
        ALTER TABLE line_returns DISABLE TRIGGER USER; DELETE FROM line_returns; DELETE FROM refunds
    """,
    "a refund that was never made": "UPDATE refunds SET stripe_refund_id = 're_' || id",
    "a payment given back in part": "UPDATE refunds SET amount_cents = amount_cents - 1",
    "a refund still pending": "UPDATE refunds SET status = 'pending', processed_at = NULL",
    "Stripe keeps 4050 cents, the orders say 41.00": """
        UPDATE refunds SET amount_cents = amount_cents - 50 WHERE order_id IS NOT NULL
    """,
}

ALSO_SPOILED = {
    "a booked order with a coupon and no redemption, or the reverse": """
        DELETE FROM time_claims;
        DELETE FROM appointments
    """,
    "an item that is neither booked nor given back": "UPDATE earnings SET status = 'scheduled'",
    "an order whose refunds or status do not add up": "UPDATE orders SET refunded_cad = 0",
    "a password's hash left behind": """
        UPDATE checkouts SET status = 'cancelled', order_id = NULL, buyer = '{"password_hash": "x"}',
                             intent_closed_at = created_at
    """,
    "an order that was not told once": """
        INSERT INTO outbox (event_id, type, dedupe_key, ordering_key, sequence, body, next_attempt_at, created_at)
        SELECT 'evt_' || md5('x'), type, 'x', ordering_key, 9, body, next_attempt_at, created_at
          FROM outbox WHERE type = 'booking.created'
    """,
    "an appointment that is not what was paid for": """
        UPDATE session_items SET start_datetime = start_datetime + interval '1 hour',
                                 end_datetime = end_datetime + interval '1 hour'
    """,
}


SPOILED_ACCESS = {
    "a sale of trainings that was not told once": "DELETE FROM outbox WHERE type = 'payment.success'",
    "a refund of trainings that Make was not told of once": "DELETE FROM outbox WHERE type = 'payment.refunded'",
    "two enrolments of one person in one training at one time": """
        ALTER TABLE enrolments DROP CONSTRAINT enrolments_one_at_a_time;
        INSERT INTO enrolments (id, user_id, training_id, source, starts_at, expires_at, created_at)
        SELECT gen_random_uuid(), user_id, training_id, 'grant', starts_at, expires_at, created_at FROM enrolments
    """,
    "an enrolment that is not what was paid for": """
        UPDATE enrolments SET training_id = (SELECT id FROM trainings WHERE slug = 'placements')
    """,
    "a training twice in one cart": """
        DROP INDEX cart_trainings_once;
        INSERT INTO cart_trainings (id, cart_id, training_id, shown_cad, created_at)
        SELECT gen_random_uuid(), cart_id, training_id, shown_cad, created_at
          FROM cart_trainings WHERE removed_at IS NULL
    """,
}

ACCESS_TOO = {
    "an item that is neither booked nor given back": "DELETE FROM enrolments",
    "a line without its other half, or a session without its tutor's pay": """
        SET CONSTRAINTS ALL IMMEDIATE;
        ALTER TABLE enrolments DROP CONSTRAINT enrolments_line;
        DELETE FROM access_items
    """,
    "charges and credits used that are not bookings, refunds and credits given back": "DELETE FROM enrolments",
    "a booked order with a coupon and no redemption, or the reverse": "DELETE FROM coupon_redemptions",
}


def test_each_finding_has_been_spoiled() -> None:
    assert SPOILED.keys() | SPOILED_ACCESS.keys() == ALL_FINDINGS.keys()


def test_what_was_spoiled_of_access_is_found(world: World) -> None:
    dojo = Dojo(world)
    dojo.training("placements", "Placements", "59.99")
    dojo.coupon("DOJO10", "percent", "10")
    dojo.buyer().chooses(dojo.ccvm).uses_coupon("DOJO10").starts().pays()
    assert [answer.status for answer in world.webhooks()] == [200]
    (intent,) = world.rows("SELECT stripe_payment_intent_id AS id FROM orders")
    world.stripe.dashboard.refund(intent["id"], 1000)
    assert [answer.status for answer in world.webhooks("charge.refunded")] == [200]
    dojo.buyer("lea@exemple.ca").chooses(dojo.ccvm)

    for finding, sabotage in [*SPOILED_ACCESS.items(), *ACCESS_TOO.items()]:
        assert closing_audit(world.connection, world.stripe, world.clock()) == []
        with world.connection.transaction():
            world.connection.execute(sabotage)
            findings = closing_audit(world.connection, world.stripe, world.clock())
            assert [found for found in findings if found.startswith(finding)], (finding, findings)
            raise Rollback


def test_what_was_spoiled_is_found(books: World) -> None:
    for finding, sabotage in [*SPOILED.items(), *SPOILED_BESIDE_STRIPE.items(), *ALSO_SPOILED.items()]:
        with books.connection.transaction():
            books.connection.execute(sabotage)
            findings = closing_audit(books.connection, books.stripe, books.clock())
            assert [found for found in findings if found.startswith(finding)], (finding, findings)
            raise Rollback
    assert closing_audit(books.connection, books.stripe, books.clock()) == []


def test_money_given_back_by_somebody_else_is_found(books: World) -> None:
    (order,) = books.rows("SELECT stripe_payment_intent_id AS intent FROM orders")
    books.stripe.dashboard.refund(order["intent"], 100)
    findings = audit(books.connection, books.stripe, books.clock())
    assert [found.partition(":")[0] for found in findings] == ["money given back that nobody owed"]


def test_money_given_back_twice_is_found(books: World) -> None:
    (refund,) = books.rows(
        "SELECT id, payment_intent_id AS intent, amount_cents AS cents FROM refunds WHERE order_id IS NOT NULL"
    )
    books.stripe_client.v1.refunds.create(
        {
            "payment_intent": refund["intent"],
            "amount": refund["cents"],
            "metadata": {"refund_id": str(refund["id"])},
        }
    )
    findings = audit(books.connection, books.stripe, books.clock())
    assert [found.partition(":")[0] for found in findings] == ["money given back 2 times"]


def test_a_payment_nobody_heard_of_is_no_finding_until_the_end(world: World) -> None:
    course = world.school.course()
    world.school.tutor(course)
    guest = Guest(world).chooses(wanted(course, TEN)).starts().pays()

    assert audit(world.connection, world.stripe, world.clock()) == []
    for findings in (
        audit(world.connection, world.stripe, world.clock(), [guest.intent_id]),
        closing_audit(world.connection, world.stripe, world.clock())[:1],
    ):
        assert findings == [f"a payment with 0 outcomes: {guest.intent_id}"]
