"""A card was refused: the checkout says why, so that its buyer can be told, and may be paid all the same."""

from datetime import datetime
from typing import Any

from psycopg import Connection

from domain.checkout import queries
from domain.checkout.sale import Shop
from domain.payments.gateway import Payment
from domain.transactions import retried_on_deadlock
from domain.webhooks.outbox import record_facts


def note_failure(connection: Connection[Any], payment: Payment) -> None:
    """Store why a payment was last refused, or that nothing stands against it any more."""
    failure = payment.failure
    connection.execute(
        """
        UPDATE checkouts
           SET failure_code = %(code)s, failure_decline_code = %(decline_code)s, failure_kind = %(kind)s
         WHERE id = %(id)s AND payment_intent_id = %(intent_id)s AND order_id IS NULL
           AND (failure_code, failure_decline_code, failure_kind)
               IS DISTINCT FROM (%(code)s::text, %(decline_code)s::text, %(kind)s::text)
        """,
        {
            "id": payment.checkout_id,
            "intent_id": payment.intent_id,
            "code": (failure.code or failure.kind or "unknown") if failure else None,
            "decline_code": failure.decline_code if failure else None,
            "kind": failure.kind if failure else None,
        },
    )


@retried_on_deadlock
def tell_failure(
    connection: Connection[Any], shop: Shop, payment: Payment, told_by: str, now: datetime
) -> None:
    """The payment service says that a try was refused: it is stored, and told once, however often it says so.

    `told_by` is the service's event, which names the try where no card was asked. What has become an order since, or
    is paid with another intent, tells nothing.
    """
    failure, checkout_id = payment.failure, payment.checkout_id
    if failure is None or checkout_id is None:
        return
    with connection.transaction():
        checkout = queries.lock_checkout(connection, checkout_id).fetchone()
        if checkout is None or checkout.payment_intent_id != payment.intent_id or checkout.order_id:
            return
        note_failure(connection, payment)
        attempt = failure.charge_id or told_by
        facts = shop.sales[checkout.product].failure_facts(connection, checkout, failure, attempt, now)
        record_facts(connection, facts, shop.environment, now)
