"""Payments that bought nothing we know of: noted, and given back when nobody has explained them within an hour.

Every intent this product makes carries the environment it was made in, and Stripe's events reach every endpoint of an
account. So a payment of another environment is no affair of ours, and one that names neither an environment nor a
checkout was asked for by somebody else (the dashboard, another product): a person has to look, nothing is given back.
"""

from datetime import datetime, timedelta
from typing import Any

from psycopg import Connection
from psycopg.rows import tuple_row

from domain.payments.gateway import Payment

MANUAL_WINDOW = timedelta(minutes=60)
NO_CHECKOUT = "Paiement sans achat correspondant"
EXPLAINED_BY_REFUND = "refunded"


def is_anothers(payment: Payment, environment: str) -> bool:
    """Whether a payment says that it belongs to another deployment."""
    return payment.environment is not None and payment.environment != environment


def note_orphan(connection: Connection[Any], payment: Payment, now: datetime) -> bool:
    """Record a payment without a checkout; answers whether it is new.

    A payment that is an order's, or that we gave back before, is none: only its checkout is gone (5.9).
    """
    ours = payment.environment is not None or payment.names_checkout
    return bool(
        connection.execute(
            """
            INSERT INTO orphan_payments (payment_intent_id, amount_cents, currency, received_at, refund_after)
            SELECT %(intent_id)s, %(amount_cents)s, %(currency)s, %(now)s, %(refund_after)s
             WHERE NOT EXISTS (SELECT FROM orders WHERE stripe_payment_intent_id = %(intent_id)s)
               AND NOT EXISTS (SELECT FROM refunds WHERE payment_intent_id = %(intent_id)s)
            ON CONFLICT DO NOTHING
            """,
            {
                "intent_id": payment.intent_id,
                "amount_cents": payment.received_cents,
                "currency": payment.currency,
                "now": now,
                "refund_after": now + MANUAL_WINDOW if ours else None,
            },
        ).rowcount
    )


def owe_orphans(connection: Connection[Any], now: datetime) -> int:
    """Owe back what is left of every orphan whose window has passed; answers how many."""
    return connection.execute(
        """
        WITH lapsed AS (
            UPDATE orphan_payments SET resolved_at = %(now)s, resolution = %(resolution)s
             WHERE resolved_at IS NULL AND refund_after <= %(now)s
               AND NOT EXISTS (SELECT FROM orders
                                WHERE stripe_payment_intent_id = orphan_payments.payment_intent_id)
            RETURNING payment_intent_id, amount_cents),
        owed AS (
            SELECT payment_intent_id, amount_cents - coalesce((
                       SELECT sum(amount_cents) FROM refunds
                        WHERE payment_intent_id = lapsed.payment_intent_id AND made_elsewhere AND status = 'processed'
                   ), 0) AS amount_cents
              FROM lapsed)
        INSERT INTO refunds (id, payment_intent_id, amount_cents, reason, next_attempt_at, created_at)
        SELECT gen_random_uuid(), payment_intent_id, amount_cents, %(reason)s, %(now)s, %(now)s
          FROM owed WHERE amount_cents > 0
            ON CONFLICT DO NOTHING
        """,
        {"now": now, "reason": NO_CHECKOUT, "resolution": EXPLAINED_BY_REFUND},
    ).rowcount


def count_unresolved(connection: Connection[Any]) -> int:
    """How many payments nobody has explained yet."""
    ((count,),) = (
        connection.cursor(row_factory=tuple_row)
        .execute("SELECT count(*) FROM orphan_payments WHERE resolved_at IS NULL")
        .fetchall()
    )
    return int(count)
