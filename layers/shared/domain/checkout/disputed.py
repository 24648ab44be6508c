"""Disputes: the bank has taken the money back, for as long as the dispute is not won."""

from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg import Connection
from psycopg.rows import tuple_row

from domain.checkout import queries
from domain.payments.disputes import note_dispute
from domain.payments.gateway import Dispute
from domain.returns.bring_in_line import bring_in_line
from domain.transactions import retried_on_deadlock


@retried_on_deadlock
def follow_dispute(connection: Connection[Any], dispute: Dispute, now: datetime) -> bool:
    """Record how a dispute stands and what it took from the order's lines; answers whether it was news.

    What Stripe would not refund while it stood is asked for again when it is won, and is owed no more when it is lost.
    The payment must be one we know, and settled if it was paid.
    """
    with connection.transaction():
        order_id = _lock_order(connection, dispute.intent_id)
        is_news = note_dispute(connection, dispute, now)
        if order_id and is_news:
            bring_in_line(connection, order_id, now)
        if is_news and dispute.status in ("won", "lost"):
            queries.end_wait_for_dispute(connection, dispute.intent_id, dispute.status == "won", now)
            if order_id and dispute.status == "won":
                bring_in_line(connection, order_id, now)
        return is_news


def _lock_order(connection: Connection[Any], intent_id: str) -> UUID | None:
    row = (
        connection.cursor(row_factory=tuple_row)
        .execute(
            "SELECT id FROM orders WHERE stripe_payment_intent_id = %(intent_id)s FOR NO KEY UPDATE",
            {"intent_id": intent_id},
        )
        .fetchone()
    )
    return row[0] if row else None
