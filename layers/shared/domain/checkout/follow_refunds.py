"""Refunds as the payment service has them: ours are recognised, those of its dashboard become ours (X-55).

Whatever event brought us here, and in whatever order, all refunds of the payment are compared with our rows under
the order's lock; so an event that comes twice, late or before our own mark changes nothing more.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from psycopg import Connection
from psycopg.rows import tuple_row

from domain import money
from domain.checkout.sale import NewRefund, Shop
from domain.orders.orders import lock_order_of_payment
from domain.payments.gateway import MadeRefund
from domain.payments.made_refunds import MADE_ELSEWHERE, apply_made, explain_orphan, given_back_cents
from domain.payments.owed_again import owe_again
from domain.returns.bring_in_line import bring_in_line
from domain.transactions import retried_on_deadlock
from domain.webhooks.outbox import record_facts


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
    shop: Shop,
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
        order = lock_order_of_payment(connection, intent_id).fetchone()
        order_id = order.id if order else None
        recorded = apply_made(connection, intent_id, order_id, made, reading, received_cents, now)
        if recorded is None:
            return
        if order:
            bring_in_line(connection, order.id, now)
            new = [
                NewRefund(
                    row.id, money.from_cents(row.refund.amount_cents), row.refund.service_id, MADE_ELSEWHERE
                )
                for row in recorded
            ]
            facts = shop.sales[order.product].refund_facts(connection, order.id, new, None, now)
            record_facts(connection, facts, shop.environment, now)
        left_cents = received_cents - given_back_cents(made)
        if left_cents <= 0:
            explain_orphan(connection, intent_id, now)
        elif owe_again(connection, intent_id, left_cents, now) and order:
            bring_in_line(connection, order.id, now)
