"""Disputes: the bank has taken the money back, for as long as the dispute is not won."""

from datetime import datetime
from typing import Any

from psycopg import Connection

from domain.orders.orders import lock_order_of_payment
from domain.payments.disputes import end_wait_for_dispute, note_dispute
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
        order = lock_order_of_payment(connection, dispute.intent_id).fetchone()
        is_news = note_dispute(connection, dispute, now)
        if order and is_news:
            bring_in_line(connection, order.id, now)
        if is_news and dispute.status in ("won", "lost"):
            end_wait_for_dispute(connection, dispute.intent_id, dispute.status == "won", now)
            if order and dispute.status == "won":
                bring_in_line(connection, order.id, now)
        return is_news
