"""Money that goes back to a card: a row first, in the transaction that decides it, and a call second."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from psycopg import Connection
from psycopg.rows import class_row

from domain.ids import new_id
from domain.payments.gateway import PaymentRefused, Payments, PaymentsUnavailable

RETRY_AFTER = timedelta(minutes=5)
BATCH = 20


@dataclass(frozen=True, slots=True)
class DueRefund:
    id: UUID
    payment_intent_id: str
    amount_cents: int
    attempts: int


def owe_refund(
    connection: Connection[Any],
    intent_id: str,
    amount_cents: int,
    reason: str,
    now: datetime,
    order_id: UUID | None = None,
    order_item_id: UUID | None = None,
) -> None:
    """Record that money has to go back. One refund per order item, and one per payment that bought nothing."""
    connection.execute(
        """
        INSERT INTO refunds (id, payment_intent_id, order_id, order_item_id, amount_cents, reason,
                             next_attempt_at, created_at)
        VALUES (%(id)s, %(intent_id)s, %(order_id)s, %(order_item_id)s, %(amount_cents)s, %(reason)s,
                %(now)s, %(now)s)
        ON CONFLICT DO NOTHING
        """,
        {
            "id": new_id(),
            "intent_id": intent_id,
            "order_id": order_id,
            "order_item_id": order_item_id,
            "amount_cents": amount_cents,
            "reason": reason,
            "now": now,
        },
    )


def pay_refunds(connection: Connection[Any], payments: Payments, now: datetime) -> tuple[int, int]:
    """Ask the payment service for every refund that is due; answers how many were paid and how many were not.

    Safe to run at the same time as itself: a refund is leased before the call, and the call repeats harmlessly.
    """
    paid = 0
    due = _lease_due(connection, now)
    for refund in due:
        try:
            service_id = payments.refund(
                refund.id, refund.payment_intent_id, refund.amount_cents, refund.attempts
            )
        except PaymentsUnavailable:
            continue  # its lease runs out and it is due again
        except PaymentRefused:
            _give_up(connection, refund.id)
            continue
        _mark_paid(connection, refund.id, service_id, now)
        paid += 1
    return paid, len(due) - paid


def _lease_due(connection: Connection[Any], now: datetime) -> list[DueRefund]:
    return (
        connection.cursor(row_factory=class_row(DueRefund))
        .execute(
            """
            UPDATE refunds SET attempts = attempts + 1, next_attempt_at = %(again)s
             WHERE id IN (SELECT id FROM refunds WHERE status = 'pending' AND next_attempt_at <= %(now)s
                           ORDER BY next_attempt_at LIMIT %(batch)s FOR UPDATE SKIP LOCKED)
            RETURNING id, payment_intent_id, amount_cents, attempts
            """,
            {"now": now, "again": now + RETRY_AFTER, "batch": BATCH},
        )
        .fetchall()
    )


def _mark_paid(connection: Connection[Any], refund_id: UUID, service_id: str, now: datetime) -> None:
    connection.execute(
        """
        UPDATE refunds SET status = 'processed', stripe_refund_id = %(service_id)s, processed_at = %(now)s
         WHERE id = %(id)s AND status = 'pending'
        """,
        {"id": refund_id, "service_id": service_id, "now": now},
    )


def _give_up(connection: Connection[Any], refund_id: UUID) -> None:
    connection.execute(
        "UPDATE refunds SET status = 'failed' WHERE id = %(id)s AND status = 'pending'", {"id": refund_id}
    )
