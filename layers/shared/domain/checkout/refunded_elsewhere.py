"""Refunds as the payment service has them: ours are recognised, those of its dashboard become ours (X-55).

Whatever event brought us here, and in whatever order, all refunds of the payment are compared with our rows under
the order's lock; so an event that comes twice, late or before our own mark changes nothing more.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from psycopg import Connection
from psycopg.rows import class_row, tuple_row

from domain import money
from domain.accounts import accounts
from domain.checkout.owed_again import owe_again
from domain.ids import new_id
from domain.payments.gateway import MadeRefund
from domain.returns.bring_in_line import bring_in_line
from domain.transactions import retried_on_deadlock
from domain.webhooks.events import NOBODY, Contact, OrderRefunded, RefundedSession
from domain.webhooks.outbox import Environment, record_facts

MADE_ELSEWHERE = "Remboursement fait dans le tableau de bord de paiement"


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


@dataclass(frozen=True, slots=True)
class RefundedOrder:
    """An order some money of which went back. `sessions` are by `refund_id`, as an event tells of them."""

    id: UUID
    user_id: UUID
    total_cad: Decimal
    refunded_cad: Decimal
    ordered_at: datetime
    sessions: Sequence[Mapping[str, Any]]

    def sessions_of(self, refund_id: UUID) -> list[RefundedSession]:
        """What a refund gives money back for, by start; nothing of what is beyond the lines."""
        return [
            RefundedSession(**{name: value for name, value in session.items() if name != "refund_id"})
            for session in self.sessions
            if session["refund_id"] == str(refund_id)
        ]


def knows_payment(connection: Connection[Any], intent_id: str) -> bool:
    """Whether a payment is one of ours, be it an orphan."""
    ((known,),) = (
        connection.cursor(row_factory=tuple_row)
        .execute(
            """
            SELECT EXISTS (SELECT FROM checkouts WHERE payment_intent_id = %(intent_id)s)
                OR EXISTS (SELECT FROM orders WHERE stripe_payment_intent_id = %(intent_id)s)
                OR EXISTS (SELECT FROM refunds WHERE payment_intent_id = %(intent_id)s)
                OR EXISTS (SELECT FROM orphan_payments WHERE payment_intent_id = %(intent_id)s)
            """,
            {"intent_id": intent_id},
        )
        .fetchall()
    )
    return bool(known)


@retried_on_deadlock
def follow_refunds(
    connection: Connection[Any],
    intent_id: str,
    made: Sequence[MadeRefund],
    reading: int,
    received_cents: int,
    environment: Environment,
    now: datetime,
) -> None:
    """Bring our rows in line with the refunds `made` of a payment of `received_cents`, as that `reading` found them.

    A reading that is older than one applied before changes nothing: `begin_reading` was called before Stripe was asked.

    A refund of the dashboard is recorded, and the order's refunded amount and status follow (spec 3.9), never above
    its total. It settles what we owed ourselves and could not pay: a failed refund of the same amount, or, once the
    whole payment is given back, whatever was still owed. Of a payment that bought nothing we owe what is left. When
    the bank sends a refund of the dashboard back, what it settled is owed again.
    """
    with connection.transaction():
        order_id = _lock_order(connection, intent_id)
        if not _apply_reading(connection, intent_id, reading):
            return
        for refund, row in _matched(made, _lock_refunds(connection, intent_id)):
            if row:
                _follow(connection, row, refund, now)
        rows = _lock_refunds(connection, intent_id)
        matched = _matched(made, rows)
        news = [refund for refund, row in matched if row is None and not refund.failed]
        recorded = [(_record(connection, intent_id, order_id, refund, now), refund) for refund in news]
        given_back = sum(refund.amount_cents for refund in made if not refund.failed)
        made_rows = [row for refund, row in matched if not refund.failed]
        owed = [row for row in rows if row.is_owed and row not in made_rows]
        _supersede(connection, owed if given_back >= received_cents else _paid_instead(owed, news))
        if order_id is None:
            _owe_the_rest(connection, intent_id, received_cents - given_back, now)
        else:
            bring_in_line(connection, order_id, now)
            tell_refunds(
                connection,
                find_refunded(connection, order_id),
                [
                    (refund_id, money.from_cents(refund.amount_cents), refund.service_id, MADE_ELSEWHERE)
                    for refund_id, refund in recorded
                ],
                NOBODY,
                environment,
                now,
            )
        if given_back >= received_cents:
            _explain_orphan(connection, intent_id, now)
        elif owe_again(connection, intent_id, received_cents - given_back, now) and order_id:
            bring_in_line(connection, order_id, now)


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


def find_refunded(connection: Connection[Any], order_id: UUID) -> RefundedOrder:
    """How much of an order has gone back, and for which sessions. Raises LookupError when there is none."""
    order = (
        connection.cursor(row_factory=class_row(RefundedOrder))
        .execute(
            """
            SELECT id, user_id, total_cad, refunded_cad, created_at AS ordered_at,
                   (SELECT coalesce(jsonb_agg(jsonb_build_object(
                               'refund_id', back.refund_id, 'appointment_id', appointment.id,
                               'course_title_fr', course.title_fr, 'tutor_name', tutor.display_name,
                               'start_datetime', session.start_datetime, 'end_datetime', session.end_datetime,
                               'refund_cad', back.amount_cad::text) ORDER BY session.start_datetime, item.id), '[]')
                      FROM order_items AS item
                      JOIN session_items AS session ON session.id = item.id
                      JOIN line_returns AS back
                        ON back.order_item_id = item.id AND back.refund_id IS NOT NULL AND back.undone_at IS NULL
                      JOIN courses AS course ON course.id = session.course_id
                      JOIN tutors AS tutor ON tutor.id = session.tutor_id
                      LEFT JOIN appointments AS appointment ON appointment.order_item_id = item.id
                     WHERE item.order_id = orders.id) AS sessions
              FROM orders WHERE id = %(id)s
            """,
            {"id": order_id},
        )
        .fetchone()
    )
    if order is None:
        raise LookupError(f"no order {order_id}")
    return order


def tell_refunds(
    connection: Connection[Any],
    order: RefundedOrder,
    news: Sequence[tuple[UUID, Decimal, str | None, str]],
    by: UUID,
    environment: Environment,
    now: datetime,
) -> None:
    """An `order.refunded` for each new refund: its id, amount in CAD, Stripe's id and reason. It cancels no session."""
    account = accounts.find_account(connection, order.user_id, None).fetchone()
    if not news or account is None:
        return
    facts = [
        OrderRefunded(
            order_id=order.id,
            user_id=account.id,
            refund_amount=amount_cad,
            refund_reason=reason,
            stripe_refund_id=service_id,
            processed_by=by,
            affected_appointments=[],
            timestamp=now,
            refund_id=refund_id,
            is_full_refund=order.refunded_cad >= order.total_cad,
            student=Contact(
                id=account.id,
                first_name=account.first_name,
                last_name=account.last_name,
                email=account.email,
                phone=account.phone,
            ),
            ordered_at=order.ordered_at,
            order_total_cad=order.total_cad,
            refunded_total_cad=order.refunded_cad,
            to_card_cad=amount_cad,
            to_credit_cad=money.ZERO,
            sessions=order.sessions_of(refund_id),
        )
        for refund_id, amount_cad, service_id, reason in news
    ]
    record_facts(connection, facts, environment, now)


def _explain_orphan(connection: Connection[Any], intent_id: str, now: datetime) -> None:
    connection.execute(
        """
        UPDATE orphan_payments SET resolved_at = %(now)s, resolution = 'refunded'
         WHERE payment_intent_id = %(intent_id)s AND resolved_at IS NULL
        """,
        {"intent_id": intent_id, "now": now},
    )
