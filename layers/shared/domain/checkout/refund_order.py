"""An administrator gives money of an order back to its card (spec 3.9)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from psycopg import Connection
from psycopg.rows import tuple_row

from domain import money
from domain.checkout.sale import NewRefund, Shop
from domain.errors import Refused
from domain.payments.refunds import owe_refund
from domain.product import Product
from domain.returns.bring_in_line import share_over_lines
from domain.transactions import retried_on_deadlock
from domain.webhooks.outbox import record_facts


@retried_on_deadlock
def refund_order(
    connection: Connection[Any],
    order_id: UUID,
    amount_cad: Decimal,
    reason: str,
    by: UUID,
    shop: Shop,
    now: datetime,
    line_ids: Sequence[UUID] | None = None,
) -> UUID:
    """Owe an amount to the card of an order, shared over these lines or all of them; answers the refund's id.

    Stripe is asked afterwards, by `pay_refunds`. Refuses with ORDER_NOT_FOUND, and with REFUND_TOO_LARGE and what
    can still go back: no more than the lines have left, nor than the card was charged and has not got back. A line
    that was credited has nothing left until its credit is taken back.
    """
    with connection.transaction():
        order = _lock_order(connection, order_id)
        refund_id = owe_refund(
            connection, order.payment_intent_id, money.in_cents(amount_cad), reason, now, order_id
        )
        left_cad = share_over_lines(connection, order_id, refund_id, amount_cad, now, line_ids)
        at_most = min(left_cad, _left_of_card(connection, order_id) + amount_cad)
        if amount_cad > at_most:
            raise Refused("REFUND_TOO_LARGE", facts={"refundable_cad": str(max(at_most, money.ZERO))})
        new = [NewRefund(refund_id, amount_cad, None, reason)]
        facts = shop.sales[order.product].refund_facts(connection, order_id, new, by, now)
        record_facts(connection, facts, shop.environment, now)
        return refund_id


@dataclass(frozen=True, slots=True)
class _Order:
    product: Product
    payment_intent_id: str


def _lock_order(connection: Connection[Any], order_id: UUID) -> _Order:
    """An order and its payment, locked. Refuses with ORDER_NOT_FOUND, or REFUND_TOO_LARGE when no card paid it."""
    row = (
        connection.cursor(row_factory=tuple_row)
        .execute(
            "SELECT product::text, stripe_payment_intent_id FROM orders WHERE id = %(id)s FOR NO KEY UPDATE",
            {"id": order_id},
        )
        .fetchone()
    )
    if row is None:
        raise Refused("ORDER_NOT_FOUND")
    if row[1] is None:
        raise Refused("REFUND_TOO_LARGE", facts={"refundable_cad": str(money.ZERO)})
    return _Order(*row)


def _left_of_card(connection: Connection[Any], order_id: UUID) -> Decimal:
    """What the card was charged, less everything that goes back to it: refunds made or owed, and disputes.

    There is one: that which is being judged.
    """
    row = (
        connection.cursor(row_factory=tuple_row)
        .execute(
            """
            SELECT total_cad - credits_applied_cad
                   - (SELECT sum(amount_cents) FROM refunds
                       WHERE order_id = orders.id AND status IN ('pending', 'processed')) / 100.0
                   - coalesce((SELECT sum(amount_cents) FROM payment_disputes
                                WHERE payment_intent_id = stripe_payment_intent_id AND takes_money(status)), 0) / 100.0
              FROM orders WHERE id = %(id)s
            """,
            {"id": order_id},
        )
        .fetchone()
    )
    return money.to_cent(row[0]) if row else money.ZERO
