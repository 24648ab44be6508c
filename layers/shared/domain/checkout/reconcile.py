"""What the payment service knows and we were not told: every checkout that may still be paid is compared with it.

Nothing is remembered between two runs but when each checkout was last asked about, so a run goes on where the one
before stopped, and two at once share the work.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal
from uuid import UUID

from psycopg import Connection
from psycopg.rows import class_row

from domain.checkout.close import close, note_closed
from domain.checkout.sale import Shop
from domain.checkout.settle import settle
from domain.payments.gateway import Payment, Payments

SETTLES_BY_ITSELF = timedelta(minutes=2)
ASKED_ALREADY = timedelta(minutes=1)

type Outcome = Literal["settled", "processing", "cancelled", "waiting"]


@dataclass(frozen=True, slots=True)
class Pending:
    """A checkout that may still be paid."""

    id: UUID
    status: str
    payment_intent_id: str | None
    expires_at: datetime


@dataclass(slots=True)
class Reconciled:
    """What a run did; `failures` names each checkout that could not be compared, and the kind of error."""

    outcomes: dict[Outcome, int] = field(
        default_factory=lambda: {"settled": 0, "processing": 0, "cancelled": 0, "waiting": 0}
    )
    failures: list[tuple[UUID, str]] = field(default_factory=list)


def reconcile(
    connection: Connection[Any],
    payments: Payments,
    shop: Shop,
    now: datetime,
    time_is_left: Callable[[], bool],
) -> Reconciled:
    """Settle what was paid, and cancel what was withdrawn or is older than a day, there and here.

    One checkout that fails never stops the others. Safe to run at the same time as itself.
    """
    done = Reconciled()
    while time_is_left() and (checkout := _take_next(connection, now)):
        try:
            done.outcomes[_compare(connection, payments, checkout, shop, now)] += 1
        except Exception as error:  # whatever is wrong with one of them, the others are somebody's money
            done.failures.append((checkout.id, type(error).__name__))
    return done


def note_cancelled(connection: Connection[Any], payment: Payment, shop: Shop, now: datetime) -> None:
    """The payment service says that an intent was cancelled: so is its checkout, and the buyer is forgotten."""
    if payment.checkout_id:
        note_closed(connection, payment.checkout_id, payment.intent_id, shop, now)


def mark_processing(connection: Connection[Any], payment: Payment) -> None:
    """The bank takes its time."""
    connection.execute(
        """
        UPDATE checkouts SET status = 'processing'
         WHERE id = %(id)s AND payment_intent_id = %(intent_id)s AND status = 'open'
        """,
        {"id": payment.checkout_id, "intent_id": payment.intent_id},
    )


def reopen(connection: Connection[Any], checkout_id: UUID) -> None:
    """The bank said no after all: the same intent may be tried again."""
    connection.execute(
        "UPDATE checkouts SET status = 'open' WHERE id = %(id)s AND status = 'processing'",
        {"id": checkout_id},
    )


def _take_next(connection: Connection[Any], now: datetime) -> Pending | None:
    """The checkout that was not asked about for longest, which nobody else is asking about.

    First those that were withdrawn: what their buyers do not want any more is not to be paid. One that nobody pays
    is asked about ever less often, always within an eighth of its age, until it expires.
    """
    return (
        connection.cursor(row_factory=class_row(Pending))
        .execute(
            """
            UPDATE checkouts SET asked_at = %(now)s
             WHERE id = coalesce(
                  (SELECT id FROM checkouts
                    WHERE status = 'cancelled' AND intent_closed_at IS NULL
                      AND (asked_at IS NULL OR asked_at <= %(now)s - %(asked_already)s)
                    ORDER BY asked_at NULLS FIRST, created_at LIMIT 1 FOR UPDATE SKIP LOCKED),
                  (SELECT id FROM checkouts
                    WHERE status IN ('open', 'processing')
                      AND created_at <= %(now)s - %(settles_by_itself)s
                      AND (asked_at IS NULL OR asked_at <= %(now)s - CASE
                              WHEN status = 'open' AND expires_at > %(now)s
                              THEN greatest(%(asked_already)s, (asked_at - created_at) / 8)
                              ELSE %(asked_already)s END)
                    ORDER BY asked_at NULLS FIRST, created_at LIMIT 1 FOR UPDATE SKIP LOCKED))
            RETURNING id, status::text, payment_intent_id, expires_at
            """,
            {"now": now, "settles_by_itself": SETTLES_BY_ITSELF, "asked_already": ASKED_ALREADY},
        )
        .fetchone()
    )


def _compare(
    connection: Connection[Any],
    payments: Payments,
    checkout: Pending,
    shop: Shop,
    now: datetime,
) -> Outcome:
    expired = now >= checkout.expires_at
    if checkout.status == "cancelled":
        return close(connection, payments, checkout, shop, now)
    if checkout.payment_intent_id is None:
        # Its intent, if one was made, was never given to anybody who could pay it.
        return close(connection, payments, checkout, shop, now) if expired else "waiting"
    payment = payments.find_intent(checkout.payment_intent_id)
    match payment.status:
        case "succeeded":
            settle(connection, checkout.id, payment, shop, now)
            return "settled"
        case "cancelled":
            note_closed(connection, checkout.id, payment.intent_id, shop, now)
            return "cancelled"
        case "processing":
            mark_processing(connection, payment)
            return "processing"
    if expired:
        return close(connection, payments, checkout, shop, now)
    reopen(connection, checkout.id)
    return "waiting"
