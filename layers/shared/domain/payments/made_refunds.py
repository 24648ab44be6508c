"""Our rows of a payment's refunds against those that the payment service has made (X-55)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg import Connection
from psycopg.rows import class_row, tuple_row

from domain.ids import new_id
from domain.payments.gateway import MadeRefund

MADE_ELSEWHERE = "Remboursement fait dans le tableau de bord de paiement"


@dataclass(frozen=True, slots=True)
class NewlyMade:
    """A refund that somebody made elsewhere, and the id of our new row of it."""

    id: UUID
    refund: MadeRefund


@dataclass(frozen=True, slots=True)
class _Refund:
    id: UUID
    amount_cents: int
    status: str
    stripe_refund_id: str | None
    made_elsewhere: bool

    @property
    def is_owed(self) -> bool:
        """Whether it is ours, and has not gone back: never made, or sent back by the bank."""
        return self.status in ("pending", "failed") and not self.made_elsewhere


def begin_reading(connection: Connection[Any], intent_id: str) -> int:
    """The number of a reading of a payment's refunds that is about to begin."""
    ((number,),) = (
        connection.cursor(row_factory=tuple_row)
        .execute(
            """
            INSERT INTO refund_readings AS reading (payment_intent_id) VALUES (%(intent_id)s)
                ON CONFLICT (payment_intent_id) DO UPDATE SET drawn = reading.drawn + 1
            RETURNING drawn
            """,
            {"intent_id": intent_id},
        )
        .fetchall()
    )
    return int(number)


def apply_made(
    connection: Connection[Any],
    intent_id: str,
    order_id: UUID | None,
    made: Sequence[MadeRefund],
    reading: int,
    received_cents: int,
    now: datetime,
) -> Sequence[NewlyMade] | None:
    """Bring our rows in line with the refunds `made` of a payment; answers those that were not known.

    None, and nothing done, when a later reading was applied before. The order is locked, if there is one; without one
    we owe no more than what is left of the payment.
    """
    if not _apply_reading(connection, intent_id, reading):
        return None
    for refund, row in _matched(made, _lock_refunds(connection, intent_id)):
        if row:
            _follow(connection, row, refund, now)
    rows = _lock_refunds(connection, intent_id)
    matched = _matched(made, rows)
    news = [refund for refund, row in matched if row is None and not refund.failed]
    recorded = [NewlyMade(_record(connection, intent_id, order_id, refund, now), refund) for refund in news]
    made_rows = [row for refund, row in matched if not refund.failed]
    owed = [row for row in rows if row.is_owed and row not in made_rows]
    left_cents = received_cents - given_back_cents(made)
    _supersede(connection, owed if left_cents <= 0 else _paid_instead(owed, news))
    if order_id is None:
        _owe_the_rest(connection, intent_id, left_cents, now)
    return recorded


def given_back_cents(made: Sequence[MadeRefund]) -> int:
    """How much of a payment its refunds give back."""
    return sum(refund.amount_cents for refund in made if not refund.failed)


def _apply_reading(connection: Connection[Any], intent_id: str, reading: int) -> bool:
    """Whether no later reading was applied before; the payment's readings are locked until the transaction ends."""
    return bool(
        connection.execute(
            """
            UPDATE refund_readings SET applied = %(reading)s
             WHERE payment_intent_id = %(intent_id)s AND applied < %(reading)s
            """,
            {"intent_id": intent_id, "reading": reading},
        ).rowcount
    )


def _matched(made: Sequence[MadeRefund], rows: Sequence[_Refund]) -> list[tuple[MadeRefund, _Refund | None]]:
    return [(refund, _row_of(refund, rows)) for refund in made]


def _row_of(made: MadeRefund, rows: Sequence[_Refund]) -> _Refund | None:
    for row in rows:
        if row.stripe_refund_id == made.service_id or row.id == made.refund_id:
            return row
    return None


def _paid_instead(owed: Sequence[_Refund], news: Sequence[MadeRefund]) -> list[_Refund]:
    """The failed refunds that somebody made by hand: for each new one, one of the same amount."""
    failed = [row for row in owed if row.status == "failed"]
    paid = []
    for refund in news:
        if row := next((row for row in failed if row.amount_cents == refund.amount_cents), None):
            failed.remove(row)
            paid.append(row)
    return paid


def _lock_refunds(connection: Connection[Any], intent_id: str) -> list[_Refund]:
    return (
        connection.cursor(row_factory=class_row(_Refund))
        .execute(
            """
            SELECT id, amount_cents, status::text, stripe_refund_id, made_elsewhere FROM refunds
             WHERE payment_intent_id = %(intent_id)s ORDER BY id FOR UPDATE
            """,
            {"intent_id": intent_id},
        )
        .fetchall()
    )


def _follow(connection: Connection[Any], row: _Refund, made: MadeRefund, now: datetime) -> None:
    connection.execute(
        """
        UPDATE refunds
           SET status = %(status)s, stripe_refund_id = %(service_id)s, processed_at = %(processed_at)s
         WHERE id = %(id)s AND status <> %(status)s AND NOT (status = 'superseded' AND %(failed)s)
        """,
        {
            "id": row.id,
            "status": "failed" if made.failed else "processed",
            "failed": made.failed,
            "service_id": made.service_id,
            "processed_at": None if made.failed else now,
        },
    )


def _record(
    connection: Connection[Any], intent_id: str, order_id: UUID | None, made: MadeRefund, now: datetime
) -> UUID:
    refund_id = new_id()
    connection.execute(
        """
        INSERT INTO refunds (id, payment_intent_id, order_id, amount_cents, reason, status, stripe_refund_id,
                             made_elsewhere, next_attempt_at, created_at, processed_at)
        VALUES (%(id)s, %(intent_id)s, %(order_id)s, %(amount_cents)s, %(reason)s, 'processed', %(service_id)s,
                true, %(now)s, %(now)s, %(now)s)
        ON CONFLICT (stripe_refund_id) DO NOTHING
        """,
        {
            "id": refund_id,
            "intent_id": intent_id,
            "order_id": order_id,
            "amount_cents": made.amount_cents,
            "reason": MADE_ELSEWHERE,
            "service_id": made.service_id,
            "now": now,
        },
    )
    return refund_id


def _supersede(connection: Connection[Any], owed: Sequence[_Refund]) -> None:
    """What was given back another way is not owed any more."""
    connection.execute(
        "UPDATE refunds SET status = 'superseded' WHERE id = ANY(%(ids)s)", {"ids": [row.id for row in owed]}
    )


def _owe_the_rest(connection: Connection[Any], intent_id: str, left_cents: int, now: datetime) -> None:
    """What we still owe of a payment that bought nothing is no more than what is left of it."""
    connection.execute(
        """
        UPDATE refunds SET amount_cents = %(left)s, status = 'pending', next_attempt_at = %(now)s,
                           attempts = attempts + 1
         WHERE payment_intent_id = %(intent_id)s AND order_id IS NULL AND NOT made_elsewhere
           AND status IN ('pending', 'failed') AND stripe_refund_id IS NULL
           AND amount_cents > %(left)s AND %(left)s > 0
        """,
        {"intent_id": intent_id, "left": left_cents, "now": now},
    )


def explain_orphan(connection: Connection[Any], intent_id: str, now: datetime) -> None:
    connection.execute(
        """
        UPDATE orphan_payments SET resolved_at = %(now)s, resolution = 'refunded'
         WHERE payment_intent_id = %(intent_id)s AND resolved_at IS NULL
        """,
        {"intent_id": intent_id, "now": now},
    )
