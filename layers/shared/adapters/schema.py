"""Whether the database is the one this code was written for: its schema, and what guarantees the books."""

from dataclasses import dataclass
from typing import Any

from psycopg import Connection
from psycopg.rows import class_row

NEWEST_MIGRATION = "0044_selling_trainings"

GUARDS = (
    "enrolments_one_at_a_time",
    "time_claims_one_owner_per_minute",
    "appointments_own_their_time",
    "orders_stripe_payment_intent_id_key",
    "order_items_return_at_most_what_was_paid",
    "credit_accounts_spend_what_is_there",
)
"""Constraints without which nobody should be sold anything."""

TRIGGERS = (
    "appointment_modifications_stay",
    "appointments_note_move",
    "carts_withdraw_payment",
    "checkouts_give_up",
    "coupon_reservations_reserve",
    "coupon_reservations_stay",
    "credit_reservations_reserve",
    "credit_reservations_stay",
    "credit_transactions_enter",
    "credit_transactions_stay",
    "delivery_steps",
    "line_returns_are_kept",
    "line_returns_count",
    "line_returns_stay",
    "line_returns_uncount",
    "refunds_forget_undone",
)
"""What counts, withdraws and refuses by itself: a balance without its trigger is wrong from the next entry on."""

TABLES = (
    "access_items",
    "allowances",
    "appointment_modifications",
    "appointments",
    "audit_log",
    "auth_sessions",
    "availability_exceptions",
    "availability_rules",
    "calendar_feeds",
    "cart_sessions",
    "cart_trainings",
    "carts",
    "checkouts",
    "coupon_redemptions",
    "coupon_reservations",
    "coupon_trainings",
    "coupons",
    "courses",
    "credit_accounts",
    "credit_reservations",
    "credit_transactions",
    "earnings",
    "enrolments",
    "idempotency_keys",
    "line_returns",
    "modules",
    "order_items",
    "orders",
    "orphan_payments",
    "outbox",
    "outbox_forgotten",
    "over_returns",
    "password_reset_tokens",
    "payment_disputes",
    "refund_readings",
    "refunds",
    "session_items",
    "time_claims",
    "time_offs",
    "training_categories",
    "trainings",
    "tutor_courses",
    "tutors",
    "users",
    "webhook_attempts",
    "webhook_endpoints",
    "webhook_events",
    "webhook_lanes",
    "webhook_redeliveries",
)


@dataclass(frozen=True, slots=True)
class Found:
    """What a database has: names, each sorted."""

    is_migrated: bool
    missing_tables: list[str]
    missing_guards: list[str]
    missing_triggers: list[str]
    disabled_triggers: list[str]

    @property
    def fault(self) -> bool:
        return not self.is_migrated or bool(
            self.missing_tables or self.missing_guards or self.missing_triggers or self.disabled_triggers
        )


def look_at(connection: Connection[Any]) -> Found:
    """Compare the database with what this code needs."""
    found = (
        connection.cursor(row_factory=class_row(Found))
        .execute(
            """
            SELECT EXISTS (SELECT FROM _yoyo_migration WHERE migration_id = %(newest)s) AS is_migrated,
                   ARRAY(SELECT name FROM unnest(%(tables)s::text[]) AS name
                          WHERE to_regclass(name) IS NULL ORDER BY 1) AS missing_tables,
                   ARRAY(SELECT name FROM unnest(%(guards)s::text[]) AS name
                          WHERE NOT EXISTS (SELECT FROM pg_constraint WHERE conname = name AND convalidated)
                          ORDER BY 1) AS missing_guards,
                   ARRAY(SELECT name FROM unnest(%(triggers)s::text[]) AS name
                          WHERE NOT EXISTS (SELECT FROM pg_trigger WHERE tgname = name AND NOT tgisinternal)
                          ORDER BY 1) AS missing_triggers,
                   ARRAY(SELECT tgname::text FROM pg_trigger
                          WHERE tgenabled = 'D' AND NOT tgisinternal ORDER BY 1) AS disabled_triggers
            """,
            {
                "newest": NEWEST_MIGRATION,
                "tables": list(TABLES),
                "guards": list(GUARDS),
                "triggers": list(TRIGGERS),
            },
        )
        .fetchone()
    )
    if found is None:
        raise LookupError("a SELECT without FROM answers one row")
    return found
