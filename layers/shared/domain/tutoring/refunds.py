"""What Make.com is told when money of an order of sessions goes back."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from psycopg import Connection
from psycopg.rows import class_row

from domain import money
from domain.accounts import accounts
from domain.checkout.sale import NewRefund
from domain.webhooks.events import NOBODY, Contact, OrderRefunded, RefundedSession


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


def refund_facts(
    connection: Connection[Any], order_id: UUID, refunds: Sequence[NewRefund], by: UUID | None, now: datetime
) -> list[OrderRefunded]:
    """An `order.refunded` for each new refund. It cancels no session."""
    if not refunds:
        return []
    order = find_refunded(connection, order_id)
    account = accounts.find_account(connection, order.user_id, None).fetchone()
    if account is None:
        return []
    student = Contact(
        id=account.id,
        first_name=account.first_name,
        last_name=account.last_name,
        email=account.email,
        phone=account.phone,
    )
    return [_order_refunded(order, student, refund, by, now) for refund in refunds]


def _order_refunded(
    order: RefundedOrder, student: Contact, refund: NewRefund, by: UUID | None, now: datetime
) -> OrderRefunded:
    return OrderRefunded(
        order_id=order.id,
        user_id=student.id,
        refund_amount=refund.amount_cad,
        refund_reason=refund.reason,
        stripe_refund_id=refund.service_id,
        processed_by=by or NOBODY,
        affected_appointments=[],
        timestamp=now,
        refund_id=refund.id,
        is_full_refund=order.refunded_cad >= order.total_cad,
        student=student,
        ordered_at=order.ordered_at,
        order_total_cad=order.total_cad,
        refunded_total_cad=order.refunded_cad,
        to_card_cad=refund.amount_cad,
        to_credit_cad=money.ZERO,
        sessions=order.sessions_of(refund.id),
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
                               'refund_cad', back.amount_cad::text) ORDER BY session.start_datetime), '[]')
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
