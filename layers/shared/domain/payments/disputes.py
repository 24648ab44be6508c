"""Chargebacks: what a customer disputes with their bank. Stripe and a person deal with them; we know of them."""

from datetime import datetime
from typing import Any

from psycopg import Connection
from psycopg.rows import tuple_row

from domain.payments.gateway import Dispute


def note_dispute(connection: Connection[Any], dispute: Dispute, now: datetime) -> bool:
    """Record how a dispute stands; answers whether that is news. It only goes on: what was true before is old news.

    The payment must be one we know.
    """
    return bool(
        connection.execute(
            """
            INSERT INTO payment_disputes AS known (stripe_dispute_id, payment_intent_id, amount_cents, currency,
                                                   reason, status, opened_at, closed_at)
            VALUES (%(id)s, %(intent_id)s, %(amount_cents)s, %(currency)s, %(reason)s, %(status)s,
                    %(opened_at)s, %(closed_at)s)
            ON CONFLICT (stripe_dispute_id) DO UPDATE
               SET status = excluded.status, closed_at = excluded.closed_at
             WHERE known.closed_at IS NULL AND known.status <> excluded.status
               AND dispute_phase(excluded.status) >= dispute_phase(known.status)
            """,
            {
                "id": dispute.id,
                "intent_id": dispute.intent_id,
                "amount_cents": dispute.amount_cents,
                "currency": dispute.currency,
                "reason": dispute.reason,
                "status": dispute.status,
                "opened_at": dispute.opened_at,
                "closed_at": now if dispute.closed else None,
            },
        ).rowcount
    )


def count_open(connection: Connection[Any]) -> int:
    """How many disputes the bank has not decided."""
    ((count,),) = (
        connection.cursor(row_factory=tuple_row)
        .execute("SELECT count(*) FROM payment_disputes WHERE closed_at IS NULL")
        .fetchall()
    )
    return int(count)


def end_wait_for_dispute(connection: Connection[Any], intent_id: str, won: bool, now: datetime) -> None:
    """What we owe of a payment, and Stripe would not make while it was disputed.

    Won, it is asked for again: of a session that could not be booked, what its line has left; of a payment that bought
    nothing, all of it, unless somebody gave it back. Lost, what bought nothing has gone back. One that Stripe is being
    asked for at this moment is owed anew: the refusal it is about to get is of before.
    """
    connection.execute(
        """
        UPDATE refunds SET status = CASE WHEN %(won)s THEN 'pending' ELSE 'superseded' END::refund_status,
                           next_attempt_at = %(now)s, attempts = attempts + 1
         WHERE payment_intent_id = %(intent_id)s AND NOT made_elsewhere AND stripe_refund_id IS NULL
           AND status IN ('pending', 'failed', 'superseded')
           AND CASE WHEN order_id IS NULL AND %(won)s
                    THEN NOT EXISTS (SELECT FROM refunds AS made
                                      WHERE made.payment_intent_id = %(intent_id)s AND made.status = 'processed')
                    WHEN order_id IS NULL THEN true
                    ELSE %(won)s AND EXISTS (
                         SELECT FROM order_items AS item
                          WHERE item.id = refunds.order_item_id
                            AND (line_total_cad - discount_share_cad - returned_cad) * 100 >= amount_cents) END
        """,
        {"intent_id": intent_id, "won": won, "now": now},
    )
