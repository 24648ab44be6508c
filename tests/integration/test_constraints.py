"""What the tables refuse, whoever writes to them: each constraint is broken once, by name.

The rows are those of a school that has sold, cancelled, refunded and been disputed. Triggers and references are off, so
that nothing but the constraint can refuse.
"""

from typing import LiteralString
from uuid import UUID

import psycopg
import pytest
from psycopg import Connection, sql
from psycopg.types.json import Jsonb

from tests.support.booked_student import BookedStudent
from tests.support.guest import Guest
from tests.support.world import World, toronto, wanted

MORE_ROWS: LiteralString = """
INSERT INTO availability_exceptions (id, tutor_id, kind, start_date, end_date, start_time, end_time, note)
SELECT gen_random_uuid(), id, 'open', '2027-02-01', '2027-02-02', '09:00', '10:00', '' FROM tutors;
INSERT INTO time_offs (id, tutor_id, start_datetime, end_datetime)
SELECT gen_random_uuid(), id, '2027-02-03', '2027-02-04' FROM tutors;
INSERT INTO calendar_feeds (user_id, token, created_at) SELECT id, repeat('x', 43), now() FROM users LIMIT 1;
INSERT INTO idempotency_keys (scope, body_hash, created_at) VALUES (sha256('a'), sha256('b'), now());
INSERT INTO password_reset_tokens (token_hash, expires_at) VALUES (sha256('c'), now());
INSERT INTO allowances (bucket, subject, spent_until) VALUES ('A', sha256('d'), now());
INSERT INTO orphan_payments (payment_intent_id, amount_cents, currency, received_at) VALUES ('pi_o', 1, 'CAD', now());
INSERT INTO over_returns (id, order_id, way, amount_cad, dispute_id, created_at)
SELECT gen_random_uuid(), id, 'dispute', 1, 'dp_1', now() FROM orders LIMIT 1;
INSERT INTO refunds (id, payment_intent_id, amount_cents, reason, next_attempt_at, created_at)
VALUES (gen_random_uuid(), 'pi_o', 1, 'r', now(), now());
INSERT INTO refunds (id, payment_intent_id, order_id, order_item_id, amount_cents, reason, next_attempt_at, created_at)
SELECT gen_random_uuid(), 'pi_i', order_id, id, 1, 'r', now(), now() FROM order_items LIMIT 1;
INSERT INTO over_returns (id, order_id, way, amount_cad, refund_id, created_at)
SELECT gen_random_uuid(), order_id, 'card', 1, id, now() FROM refunds WHERE order_item_id IS NOT NULL;
INSERT INTO credit_transactions (id, user_id, amount_cad, type, order_id, created_at)
SELECT gen_random_uuid(), user_id, -1, 'order_payment', id, now() FROM orders;
INSERT INTO credit_transactions (id, user_id, amount_cad, type, order_item_id, created_at)
SELECT gen_random_uuid(), gen_random_uuid(), 1, 'order_refund', id, now() FROM order_items;
INSERT INTO credit_transactions (id, user_id, amount_cad, type, reverses, created_at)
SELECT gen_random_uuid(), user_id, -1, 'reversal', id, now() FROM credit_transactions WHERE type = 'order_refund';
INSERT INTO line_returns (id, order_item_id, way, amount_cad, credit_entry_id, created_at)
SELECT gen_random_uuid(), order_item_id, 'credit', 1, id, now() FROM credit_transactions WHERE type = 'order_refund';
INSERT INTO credit_reservations (checkout_id, user_id, amount_cad, created_at)
SELECT id, gen_random_uuid(), 1, now() FROM checkouts;
INSERT INTO trainings (id, slug, category_id, title_fr, description_fr, price_cad, state, published_at)
SELECT gen_random_uuid(), 'ccvm', id, 'CCVM', '', 299, 'published', now() FROM training_categories LIMIT 1;
INSERT INTO modules (id, training_id, position, title_fr) SELECT gen_random_uuid(), id, 1, 'Un' FROM trainings;
INSERT INTO cart_trainings (id, cart_id, training_id, shown_cad, created_at)
SELECT gen_random_uuid(), gen_random_uuid(), id, 299, now() FROM trainings;
INSERT INTO coupon_trainings (coupon_id, training_id) SELECT gen_random_uuid(), id FROM trainings;
INSERT INTO access_items (id, training_id, access_days) SELECT gen_random_uuid(), id, 365 FROM trainings;
INSERT INTO enrolments (id, user_id, training_id, source, order_item_id, starts_at, expires_at, created_at)
SELECT gen_random_uuid(), gen_random_uuid(), training_id, 'purchase', id, now(), now() + interval '1 day', now()
  FROM access_items;
INSERT INTO webhook_endpoints (area) VALUES ('BOOKING');
INSERT INTO webhook_attempts (event_id, attempt_no, trigger, started_at, duration_ms)
SELECT event_id, 1, 'auto', now(), 1 FROM outbox LIMIT 1;
"""

BROKEN: dict[str, LiteralString] = {
    "access_items_days": "UPDATE access_items SET access_days = 0",
    "access_items_kind": "UPDATE access_items SET kind = 'session'",
    "allowances_subject_check": "UPDATE allowances SET subject = 'x'",
    "appointment_modifications_reason_check": "UPDATE appointment_modifications SET reason = ''",
    "appointments_check": "UPDATE appointments SET end_datetime = start_datetime",
    "appointments_check1": "UPDATE appointments SET cancelled_at = now() WHERE status = 'scheduled'",
    "appointments_meeting_link_check": "UPDATE appointments SET meeting_link = 'ftp://exemple.ca'",
    "appointments_sequence_check": "UPDATE appointments SET sequence = -1",
    "auth_sessions_check": "UPDATE auth_sessions SET expires_at = created_at",
    "auth_sessions_token_hash_check": "UPDATE auth_sessions SET token_hash = 'x'",
    "availability_exceptions_check": "UPDATE availability_exceptions SET end_date = start_date - 1",
    "availability_exceptions_check1": "UPDATE availability_exceptions SET end_time = NULL",
    "availability_exceptions_check2": "UPDATE availability_exceptions SET start_time = NULL, end_time = NULL",
    "availability_exceptions_check3": "UPDATE availability_exceptions SET end_time = start_time",
    "availability_exceptions_end_time_check": "UPDATE availability_exceptions SET end_time = '10:15'",
    "availability_exceptions_note_check": "UPDATE availability_exceptions SET note = repeat('x', 501)",
    "availability_exceptions_start_time_check": "UPDATE availability_exceptions SET start_time = '09:15'",
    "availability_rules_check": "UPDATE availability_rules SET end_time = start_time",
    "availability_rules_end_time_check": "UPDATE availability_rules SET end_time = '17:15'",
    "availability_rules_start_time_check": "UPDATE availability_rules SET start_time = '09:15'",
    "availability_rules_weekday_check": "UPDATE availability_rules SET weekday = 7",
    "calendar_feeds_token_check": "UPDATE calendar_feeds SET token = repeat('x', 42)",
    "cart_sessions_check": "UPDATE cart_sessions SET line_total_cad = unit_price_cad - 1",
    "cart_sessions_duration_min_check": "UPDATE cart_sessions SET duration_min = 45",
    "cart_sessions_start_datetime_check": (
        "UPDATE cart_sessions SET start_datetime = start_datetime + interval '1 minute'"
    ),
    "cart_sessions_unit_price_cad_check": "UPDATE cart_sessions SET unit_price_cad = 0, line_total_cad = 0",
    "cart_trainings_price": "UPDATE cart_trainings SET shown_cad = -0.01",
    "cart_trainings_product": "UPDATE cart_trainings SET product = 'tutoring'",
    "carts_check": "UPDATE carts SET user_id = gen_random_uuid(), session_hash = sha256('x')",
    "carts_session_hash_check": "UPDATE carts SET session_hash = 'x', user_id = NULL",
    "checkouts_check": "UPDATE checkouts SET discount_cad = subtotal_cad + 1, total_cad = -1",
    "checkouts_check1": "UPDATE checkouts SET total_cad = total_cad + 1, amount_cents = amount_cents + 100",
    "checkouts_check2": "UPDATE checkouts SET credits_applied_cad = -1, amount_cents = amount_cents + 100",
    "checkouts_check3": "UPDATE checkouts SET amount_cents = amount_cents + 1",
    "checkouts_check5": "UPDATE checkouts SET order_id = NULL WHERE status = 'settled'",
    "checkouts_client_secret_hash_check": "UPDATE checkouts SET client_secret_hash = 'x'",
    "checkouts_followed_status_check": "UPDATE checkouts SET followed_status = 'settled'",
    "checkouts_items_check": "UPDATE checkouts SET items = '[]'",
    "checkouts_of_somebody": "UPDATE checkouts SET session_hash = NULL, user_id = NULL WHERE status = 'open'",
    "checkouts_session_hash_check": "UPDATE checkouts SET session_hash = 'x'",
    "coupon_redemptions_discount_cad_check": "UPDATE coupon_redemptions SET discount_cad = -1",
    "coupon_trainings_product": "UPDATE coupon_trainings SET product = 'tutoring'",
    "coupons_check": "UPDATE coupons SET value = 101",
    "coupons_check1": "UPDATE coupons SET starts_at = now(), ends_at = now()",
    "coupons_check2": "UPDATE coupons SET max_redemptions = 1, redemption_count = 2",
    "coupons_code_check": "UPDATE coupons SET code = 'save10'",
    "coupons_max_per_person": "UPDATE coupons SET max_per_person = 0",
    "coupons_max_redemptions_check": "UPDATE coupons SET max_redemptions = 0, redemption_count = 0",
    "coupons_redemption_count_check": "UPDATE coupons SET redemption_count = -1",
    "coupons_reserved_count_check": "UPDATE coupons SET reserved_count = -1",
    "coupons_value_check": "UPDATE coupons SET value = 0",
    "courses_slug_check": "UPDATE courses SET slug = 'Français'",
    "courses_student_rate_cad_check": "UPDATE courses SET student_rate_cad = 0",
    "courses_title_fr_check": "UPDATE courses SET title_fr = ''",
    "credit_accounts_balance_cad_check": "UPDATE credit_accounts SET balance_cad = -1, reserved_cad = 0",
    "credit_accounts_reserved_cad_check": "UPDATE credit_accounts SET reserved_cad = -1",
    "credit_accounts_spend_what_is_there": "UPDATE credit_accounts SET reserved_cad = balance_cad + 1",
    "credit_reservations_amount_cad_check": "UPDATE credit_reservations SET amount_cad = 0",
    "credit_transactions_amount_cad_check": "UPDATE credit_transactions SET amount_cad = 0 WHERE type = 'reversal'",
    "credit_transactions_check": "UPDATE credit_transactions SET order_item_id = NULL WHERE type = 'cancellation'",
    "credit_transactions_check1": "UPDATE credit_transactions SET type = 'order_payment'",
    "credit_transactions_check2": "UPDATE credit_transactions SET type = 'reversal'",
    "credit_transactions_check3": "UPDATE credit_transactions SET type = 'order_refund', order_item_id = NULL",
    "credit_transactions_check4": "UPDATE credit_transactions SET type = 'admin_adjustment', created_by = NULL",
    "credit_transactions_reason_check": "UPDATE credit_transactions SET reason = ''",
    "delivered_some_time": "UPDATE outbox SET status = 'delivered', delivered_at = NULL",
    "idempotency_keys_body_hash_check": "UPDATE idempotency_keys SET body_hash = 'x'",
    "cart_sessions_product_check": "UPDATE cart_sessions SET product = 'training'",
    "earnings_amount_cad_check": "UPDATE earnings SET amount_cad = -1",
    "earnings_hours_check": "UPDATE earnings SET hours = 0",
    "earnings_paid_some_time": "UPDATE earnings SET status = 'paid'",
    "earnings_rate_cad_check": "UPDATE earnings SET rate_cad = 0",
    "session_items_duration_min_check": (
        "UPDATE session_items SET duration_min = 45, end_datetime = start_datetime + interval '45 minutes'"
    ),
    "session_items_kind_check": "UPDATE session_items SET kind = 'access'",
    "session_items_end": "UPDATE session_items SET end_datetime = end_datetime + interval '1 minute'",
    "idempotency_keys_scope_check": "UPDATE idempotency_keys SET scope = 'x'",
    "line_returns_amount_cad_check": "UPDATE line_returns SET amount_cad = 0",
    "line_returns_way": "UPDATE line_returns SET credit_entry_id = NULL WHERE way = 'credit'",
    "enrolments_last": "UPDATE enrolments SET expires_at = starts_at",
    "enrolments_paid_by_a_line": "UPDATE enrolments SET order_item_id = NULL",
    "modules_position": "UPDATE modules SET position = 0",
    "modules_title": "UPDATE modules SET title_fr = ''",
    "order_items_check": "UPDATE order_items SET discount_share_cad = -1",
    "order_items_credit_share": "UPDATE order_items SET credit_share_cad = line_total_cad + 1",
    "order_items_position_check": "UPDATE order_items SET position = -1",
    "order_items_return_at_most_what_was_paid": "UPDATE order_items SET returned_cad = line_total_cad + 1",
    "order_items_title_fr_check": "UPDATE order_items SET title_fr = ''",
    "order_items_unit_price_cad_check": "UPDATE order_items SET unit_price_cad = -1",
    "orders_billing_check": "UPDATE orders SET billing = '[]'",
    "orders_check": "UPDATE orders SET discount_cad = -1, total_cad = subtotal_cad + 1",
    "orders_check1": "UPDATE orders SET total_cad = total_cad + 1",
    "orders_check2": "UPDATE orders SET credits_applied_cad = total_cad + 1",
    "orders_check3": "UPDATE orders SET refunded_cad = total_cad + 1",
    "orders_check4": "UPDATE orders SET source = 'free' WHERE stripe_payment_intent_id IS NOT NULL",
    "orders_currency_check": "UPDATE orders SET currency = 'USD'",
    "orphan_payments_amount_cents_check": "UPDATE orphan_payments SET amount_cents = 0",
    "orphan_payments_check": "UPDATE orphan_payments SET resolution = 'vue'",
    "orphan_payments_resolution_check": "UPDATE orphan_payments SET resolution = '', resolved_at = now()",
    "outbox_event_id_check": "UPDATE outbox SET event_id = 'evt_1'",
    "outbox_last_error_check": "UPDATE outbox SET last_error = repeat('x', 4097)",
    "outbox_sequence_check": "UPDATE outbox SET sequence = 0",
    "outbox_trigger_check": "UPDATE outbox SET trigger = 'nobody'",
    "over_returns_amount_cad_check": "UPDATE over_returns SET amount_cad = 0",
    "over_returns_check": "UPDATE over_returns SET resolution = 'vue'",
    "over_returns_resolution_check": "UPDATE over_returns SET resolution = '', resolved_at = now()",
    "over_returns_way": "UPDATE over_returns SET dispute_id = NULL",
    "password_reset_tokens_token_hash_check": "UPDATE password_reset_tokens SET token_hash = 'x'",
    "payment_disputes_amount_cents_check": "UPDATE payment_disputes SET amount_cents = 0",
    "refund_readings_check": "UPDATE refund_readings SET applied = drawn + 1",
    "refunds_amount_cents_check": "UPDATE refunds SET amount_cents = 0",
    "refunds_check": "UPDATE refunds SET processed_at = NULL WHERE status = 'processed'",
    "refunds_check1": (
        "UPDATE refunds SET stripe_refund_id = NULL, made_elsewhere = false WHERE status = 'processed'"
    ),
    "refunds_check2": "UPDATE refunds SET made_elsewhere = true WHERE stripe_refund_id IS NULL",
    "refunds_reason_check": "UPDATE refunds SET reason = ''",
    "time_claims_check": "UPDATE time_claims SET expires_at = NULL WHERE kind = 'hold'",
    "time_claims_during_check": "UPDATE time_claims SET during = 'empty'",
    "time_offs_check": "UPDATE time_offs SET end_datetime = 'infinity'",
    "time_offs_check1": "UPDATE time_offs SET end_datetime = start_datetime",
    "time_offs_reason_check": "UPDATE time_offs SET reason = repeat('x', 501)",
    "training_categories_name": "UPDATE training_categories SET name_fr = '' WHERE position = 1",
    "training_categories_position": "UPDATE training_categories SET position = 0",
    "training_categories_slug": "UPDATE training_categories SET slug = 'Été' WHERE position = 1",
    "trainings_access_days": "UPDATE trainings SET access_days = 36501",
    "trainings_price": "UPDATE trainings SET price_cad = -0.01",
    "trainings_published_some_time": "UPDATE trainings SET published_at = NULL",
    "trainings_slug": "UPDATE trainings SET slug = 'ccvm_1'",
    "trainings_slug_is_no_route": "UPDATE trainings SET slug = 'categories'",
    "trainings_title": "UPDATE trainings SET title_fr = ''",
    "trainings_version": "UPDATE trainings SET version = -1",
    "tutors_display_name_check": "UPDATE tutors SET display_name = ''",
    "tutors_hourly_base_rate_cad_check": "UPDATE tutors SET hourly_base_rate_cad = 0",
    "tutors_priority_check": "UPDATE tutors SET priority = -1",
    "users_email_check": "UPDATE users SET email = 'Zoe@exemple.ca'",
    "users_email_in_ascii": "UPDATE users SET email = 'zoé@exemple.ca'",
    "users_first_name_check": "UPDATE users SET first_name = repeat('x', 101)",
    "users_last_name_check": "UPDATE users SET last_name = repeat('x', 101)",
    "users_phone_check": "UPDATE users SET phone = '514 555-0123'",
    "webhook_attempts_response_excerpt_check": "UPDATE webhook_attempts SET response_excerpt = repeat('x', 4097)",
    "webhook_endpoints_check": "UPDATE webhook_endpoints SET state = 'paused', reason = NULL",
    "webhook_endpoints_check1": (
        "UPDATE webhook_endpoints SET state = 'open', opened_at = now(), reason = 'r', probe_at = NULL"
    ),
}

IMPLIED = {"checkouts_subtotal_cad_check", "orders_subtotal_cad_check", "order_items_line_total_cad_check"}
"""Nothing breaks these alone: a discount is between nothing and its amount, so the amount is not below nothing."""

TWICE: dict[str, tuple[LiteralString, LiteralString, dict[str, object]]] = {
    "cart_trainings_once": ("cart_trainings", "removed_at IS NULL", {}),
    "checkouts_one_open_per_cart": ("checkouts", "status = 'open'", {"payment_intent_id": "pi_2"}),
    "checkouts_order_id_key": ("checkouts", "order_id IS NOT NULL", {"payment_intent_id": "pi_2"}),
    "checkouts_payment_intent_id_key": ("checkouts", "status = 'settled'", {"order_id": str(UUID(int=1))}),
    "credit_transactions_one_payment_per_order": ("credit_transactions", "type = 'order_payment'", {}),
    "credit_transactions_one_per_cancellation": ("credit_transactions", "type = 'cancellation'", {}),
    "credit_transactions_one_refund_per_item": ("credit_transactions", "type = 'order_refund'", {}),
    "credit_transactions_reverses_key": ("credit_transactions", "type = 'reversal'", {}),
    "line_returns_one_credit_per_line": ("line_returns", "way = 'credit' AND undone_at IS NULL", {}),
    "line_returns_one_per_dispute": ("line_returns", "way = 'dispute' AND undone_at IS NULL", {}),
    "line_returns_one_per_refund": ("line_returns", "way = 'dashboard' AND undone_at IS NULL", {}),
    "orders_stripe_payment_intent_id_key": ("orders", "source = 'stripe'", {"order_number": 99}),
    "over_returns_one_per_dispute": ("over_returns", "way = 'dispute'", {}),
    "over_returns_one_per_refund": ("over_returns", "way = 'card'", {}),
    "refunds_one_per_unbooked_payment": ("refunds", "payment_intent_id = 'pi_o'", {}),
    "refunds_order_item_id_key": ("refunds", "order_item_id IS NOT NULL", {}),
    "refunds_stripe_refund_id_key": ("refunds", "made_elsewhere", {}),
    "training_categories_one_per_name": ("training_categories", "position = 1", {"slug": "x"}),
    "training_categories_one_per_slug": ("training_categories", "position = 1", {"name_fr": "x"}),
}
"""What stands once: such a row of the table cannot be there a second time, even with those other columns."""


@pytest.fixture
def rows(world: World) -> Connection[tuple[object, ...]]:
    """At least one row in every table that has a constraint."""
    course = world.school.course()
    world.school.tutor(course)
    world.school.coupon("SAVE10")
    zoe = BookedStudent.of(
        world, wanted(course, toronto(20, 10)), wanted(course, toronto(20, 11)), coupon="SAVE10"
    )
    zoe.cancels()
    intent = world.rows("SELECT payment_intent_id AS id FROM checkouts")[0]["id"]
    world.stripe.dashboard.refund(intent, 500)
    world.webhooks("charge.refunded")
    world.stripe.dashboard.open_dispute(intent)
    world.webhooks("charge.dispute.created")
    Guest(world, "b@exemple.ca").chooses(wanted(course, toronto(21, 10))).starts()
    world.connection.execute("SET session_replication_role = replica")
    world.connection.execute(MORE_ROWS)
    return world.connection


def checks(connection: Connection[tuple[object, ...]]) -> set[str]:
    found = connection.execute(
        "SELECT conname FROM pg_constraint WHERE contype = 'c' AND connamespace = 'public'::regnamespace"
        "   AND conrelid <> 0"
    )
    return {str(name) for (name,) in found}


def test_every_constraint_refuses_what_it_is_there_for(rows: Connection[tuple[object, ...]]) -> None:
    refused: dict[str, str | None] = {}
    for name, statement in BROKEN.items():
        try:
            written = rows.execute(statement).rowcount
            refused[name] = f"{written} rows were written"
        except psycopg.errors.CheckViolation as violation:
            refused[name] = violation.diag.constraint_name

    assert refused == {name: name for name in BROKEN}
    assert set(BROKEN) | IMPLIED == checks(rows)


def test_what_stands_once_cannot_be_there_twice(rows: Connection[tuple[object, ...]]) -> None:
    again = """
        INSERT INTO {table} OVERRIDING SYSTEM VALUE
        SELECT (jsonb_populate_record(one, %s || jsonb_build_object('id', gen_random_uuid()))).*
          FROM {table} AS one WHERE {condition} LIMIT 1
        """
    refused: dict[str, str | None] = {}
    for name, (table, condition, others) in TWICE.items():
        statement = sql.SQL(again).format(table=sql.Identifier(table), condition=sql.SQL(condition))
        try:
            refused[name] = f"{rows.execute(statement, [Jsonb(others)]).rowcount} rows were written"
        except psycopg.errors.UniqueViolation as violation:
            refused[name] = violation.diag.constraint_name

    assert refused == {name: name for name in TWICE}
