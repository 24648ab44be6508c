"""Money that goes back to a card: a row first, in the transaction that decides it, and a call second."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from psycopg import Connection
from psycopg.rows import class_row, tuple_row

from domain.ids import new_id
from domain.payments.gateway import PaymentRefused, Payments, PaymentsUnavailable

FIRST_RETRY = timedelta(minutes=5)
LAST_RETRY = timedelta(hours=6)
OVERDUE_AFTER = timedelta(hours=24)


def no_limit() -> bool:
    """Whether there is time for one more call: always."""
    return True


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
) -> UUID:
    """Record that money has to go back. One refund per order item, and one per payment that bought nothing.

    Answers the refund's id, which is nobody's when it was recorded before.
    """
    refund_id = new_id()
    connection.execute(
        """
        INSERT INTO refunds (id, payment_intent_id, order_id, order_item_id, amount_cents, reason,
                             next_attempt_at, created_at)
        VALUES (%(id)s, %(intent_id)s, %(order_id)s, %(order_item_id)s, %(amount_cents)s, %(reason)s,
                %(now)s, %(now)s)
        ON CONFLICT DO NOTHING
        """,
        {
            "id": refund_id,
            "intent_id": intent_id,
            "order_id": order_id,
            "order_item_id": order_item_id,
            "amount_cents": amount_cents,
            "reason": reason,
            "now": now,
        },
    )
    return refund_id


def pay_refunds(
    connection: Connection[Any],
    payments: Payments,
    now: datetime,
    time_is_left: Callable[[], bool] = no_limit,
) -> tuple[int, int]:
    """Ask the payment service for every refund that is due; answers how many were paid and how many were not.

    Safe to run at the same time as itself: a refund is leased right before its call, and the call repeats harmlessly.
    Each failed call doubles the time until the next, up to six hours. Whoever owes one anew counts an attempt, so that
    the answer to an earlier one says nothing of it.
    """
    paid = unpaid = 0
    while time_is_left() and (refund := _lease_due(connection, now)):
        try:
            service_id = payments.refund(
                refund.id, refund.payment_intent_id, refund.amount_cents, refund.attempts
            )
        except PaymentsUnavailable:
            unpaid += 1  # its lease runs out and it is due again
            continue
        except PaymentRefused:
            _give_up(connection, refund)
            unpaid += 1
            continue
        _mark_paid(connection, refund.id, service_id, now)
        paid += 1
    return paid, unpaid


def count_troubled(connection: Connection[Any], now: datetime) -> tuple[int, int]:
    """How many refunds have waited for a day, and how many of ours the payment service would not make or sent back."""
    ((overdue, failed),) = (
        connection.cursor(row_factory=tuple_row)
        .execute(
            """
            SELECT count(*) FILTER (WHERE status = 'pending'), count(*) FILTER (WHERE status = 'failed')
              FROM refunds
             WHERE (status = 'failed' AND NOT made_elsewhere) OR (status = 'pending' AND created_at <= %(overdue)s)
            """,
            {"overdue": now - OVERDUE_AFTER},
        )
        .fetchall()
    )
    return int(overdue), int(failed)


def _lease_due(connection: Connection[Any], now: datetime) -> DueRefund | None:
    return (
        connection.cursor(row_factory=class_row(DueRefund))
        .execute(
            """
            UPDATE refunds
               SET attempts = attempts + 1,
                   next_attempt_at = %(now)s + least(%(first)s * power(2, least(attempts, 20)), %(last)s)
             WHERE id = (SELECT id FROM refunds WHERE status = 'pending' AND next_attempt_at <= %(now)s
                          ORDER BY next_attempt_at LIMIT 1 FOR UPDATE SKIP LOCKED)
            RETURNING id, payment_intent_id, amount_cents, attempts
            """,
            {"now": now, "first": FIRST_RETRY, "last": LAST_RETRY},
        )
        .fetchone()
    )


def _mark_paid(connection: Connection[Any], refund_id: UUID, service_id: str, now: datetime) -> None:
    connection.execute(
        """
        UPDATE refunds SET status = 'processed', stripe_refund_id = %(service_id)s, processed_at = %(now)s
         WHERE id = %(id)s AND status = 'pending'
        """,
        {"id": refund_id, "service_id": service_id, "now": now},
    )


def _give_up(connection: Connection[Any], refund: DueRefund) -> None:
    """The service would not make it; unless it was owed anew while the service was asked."""
    connection.execute(
        "UPDATE refunds SET status = 'failed' WHERE id = %(id)s AND status = 'pending' AND attempts = %(attempts)s",
        {"id": refund.id, "attempts": refund.attempts},
    )
