"""The auditor: reads the whole database and everything Stripe knows, and names what does not fit together.

`audit` holds at every moment; `closing_audit` once every message has been delivered and every refund made. They know
the business, not the code: each finding is a sentence, and none is the only good answer.
"""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from psycopg import Connection
from psycopg.rows import dict_row

from local.stripe_double import StripeDouble

FINDINGS: Mapping[str, str] = {
    "two owners of one minute of a tutor": """
        SELECT one.id FROM time_claims AS one JOIN time_claims AS other
            ON one.id < other.id AND one.tutor_id = other.tutor_id AND one.during && other.during
    """,
    "two appointments of one minute of a tutor": """
        SELECT one.id FROM appointments AS one JOIN appointments AS other
            ON one.id < other.id AND one.tutor_id = other.tutor_id AND one.during && other.during
         WHERE one.status IN ('scheduled', 'completed') AND other.status IN ('scheduled', 'completed')
    """,
    "an appointment without its time": """
        SELECT appointments.id FROM appointments
          LEFT JOIN time_claims AS claim
            ON (claim.id, claim.tutor_id, claim.during) = (appointments.id, appointments.tutor_id, appointments.during)
               AND claim.kind = 'appointment'
         WHERE status IN ('scheduled', 'completed') AND claim.id IS NULL
    """,
    "time taken for no appointment": """
        SELECT claim.id FROM time_claims AS claim LEFT JOIN appointments USING (id)
         WHERE claim.kind = 'appointment' AND appointments.id IS NULL
    """,
    "a hold for no session of a cart": """
        SELECT hold.id FROM time_claims AS hold
          LEFT JOIN cart_items AS item
            ON item.id = hold.id AND item.tutor_id = hold.tutor_id AND item.removed_at IS NULL
               AND hold.during = tstzrange(item.start_datetime,
                                           item.start_datetime + make_interval(mins => item.duration_min::int))
         WHERE hold.kind = 'hold' AND hold.expires_at > %(now)s AND item.id IS NULL
    """,
    "an order that is not the sum of its items": """
        SELECT orders.id FROM orders LEFT JOIN order_items AS item ON item.order_id = orders.id
         GROUP BY orders.id
        HAVING subtotal_cad IS DISTINCT FROM sum(line_total_cad)
            OR discount_cad IS DISTINCT FROM sum(discount_share_cad)
            OR total_cad IS DISTINCT FROM sum(line_total_cad - discount_share_cad)
    """,
    "an item that is neither booked nor given back": """
        SELECT item.id FROM order_items AS item
          JOIN orders ON orders.id = item.order_id
          LEFT JOIN appointments ON appointments.order_item_id = item.id
          LEFT JOIN refunds ON refunds.order_item_id = item.id
          LEFT JOIN credit_transactions AS credit ON credit.order_item_id = item.id AND credit.type = 'order_refund'
         WHERE (appointments.id IS NULL) <> (item.earnings_status = 'cancelled')
            OR (appointments.id IS NOT NULL AND num_nonnulls(refunds.id, credit.id) > 0)
            OR (appointments.id IS NULL
                AND coalesce(refunds.amount_cents, 0) + coalesce(credit.amount_cad, 0) * 100
                    <> (line_total_cad - discount_share_cad) * 100)
    """,
    "an appointment that is not what was paid for": """
        SELECT appointments.id FROM appointments
          JOIN order_items AS item ON item.id = order_item_id
          JOIN orders ON orders.id = item.order_id
         WHERE (appointments.course_id, appointments.tutor_id, appointments.start_datetime,
                appointments.end_datetime, appointments.user_id)
            <> (item.course_id, item.tutor_id, item.start_datetime, item.end_datetime, orders.user_id)
    """,
    "an order whose refunds or status do not add up": """
        SELECT orders.id FROM orders
          JOIN (SELECT order_id, count(*) AS items, count(appointments.id) AS booked
                  FROM order_items LEFT JOIN appointments ON order_item_id = order_items.id
                 GROUP BY order_id) AS sold ON sold.order_id = orders.id
          LEFT JOIN (SELECT order_id, sum(amount_cents) AS cents FROM refunds GROUP BY order_id) AS back
            ON back.order_id = orders.id
          LEFT JOIN (SELECT order_id, sum(amount_cad) AS cad FROM credit_transactions
                      WHERE type = 'order_refund' GROUP BY order_id) AS credited ON credited.order_id = orders.id
         WHERE refunded_cad * 100 <> coalesce(cents, 0) + coalesce(credited.cad, 0) * 100
            OR coalesce(cents, 0) > (total_cad - credits_applied_cad) * 100
            OR coalesce(credited.cad, 0) > credits_applied_cad
            OR status::text <> CASE booked WHEN items THEN 'paid' WHEN 0 THEN 'refunded' ELSE 'partially_refunded' END
    """,
    "a payment both booked and given back whole": """
        SELECT orders.id FROM orders JOIN refunds ON payment_intent_id = stripe_payment_intent_id
         WHERE refunds.order_id IS NULL
    """,
    "an order that was not told once": """
        SELECT orders.id FROM orders
          JOIN (SELECT order_id, count(appointments.id) AS booked,
                       sum(line_total_cad - discount_share_cad) FILTER (WHERE appointments.id IS NOT NULL) AS total
                  FROM order_items LEFT JOIN appointments ON order_item_id = order_items.id
                 GROUP BY order_id) AS sold ON sold.order_id = orders.id
          LEFT JOIN (SELECT payload->>'order_id' AS order_id, count(*) AS times,
                            max((payload->>'item_count')::int) AS items, max((payload->>'total_cad')::numeric) AS total
                       FROM (SELECT convert_from(body, 'UTF8')::jsonb->'payload' AS payload FROM outbox
                              WHERE type = 'booking.created') AS told
                      GROUP BY 1) AS told
            ON told.order_id = orders.id::text
         WHERE coalesce(told.times, 0) <> least(sold.booked, 1)
            OR (booked > 0 AND (told.items, told.total) <> (sold.booked, sold.total))
    """,
    "an account that was not told once": """
        SELECT users.id FROM users
          LEFT JOIN (SELECT convert_from(body, 'UTF8')::jsonb->'payload'->>'user_id' AS user_id, count(*) AS times
                       FROM outbox WHERE type = 'signup' GROUP BY 1) AS told ON told.user_id = users.id::text
          LEFT JOIN (SELECT user_id, count(*) AS times FROM checkouts WHERE account_created GROUP BY 1) AS opened
            ON opened.user_id = users.id
         WHERE coalesce(told.times, 0) <> coalesce(opened.times, 0)
            OR (coalesce(told.times, 0) = 0 AND role = 'student' AND password_hash IS NOT NULL)
    """,
    "a signup that is not told first": """
        SELECT one.event_id FROM outbox AS one JOIN outbox AS other USING (ordering_key)
         WHERE one.type = 'signup' AND other.sequence < one.sequence
    """,
    "a coupon counted otherwise than used": """
        SELECT coupons.id FROM coupons LEFT JOIN coupon_redemptions AS used
            ON used.coupon_id = coupons.id AND NOT over_limit
         GROUP BY coupons.id HAVING redemption_count <> count(used.order_id)
    """,
    "a coupon reserved otherwise than it is being paid with": """
        SELECT coupons.id FROM coupons LEFT JOIN coupon_reservations AS kept ON kept.coupon_id = coupons.id
         GROUP BY coupons.id HAVING reserved_count <> count(kept.checkout_id)
    """,
    "something reserved by what cannot be paid, or the reverse": """
        SELECT checkouts.id FROM checkouts
          LEFT JOIN coupon_reservations AS coupon ON coupon.checkout_id = checkouts.id
          LEFT JOIN credit_reservations AS credit ON credit.checkout_id = checkouts.id
         WHERE (coupon.checkout_id IS NOT NULL)
               <> (checkouts.coupon_id IS NOT NULL AND status IN ('open', 'processing'))
            OR coalesce(credit.amount_cad, 0)
               <> CASE WHEN status IN ('open', 'processing') THEN credits_applied_cad ELSE 0 END
    """,
    "a credit account that is not the sum of its ledger, or is overspent": """
        SELECT user_id FROM credit_accounts
          LEFT JOIN (SELECT user_id, sum(amount_cad) AS cad FROM credit_transactions GROUP BY 1) AS entered
              USING (user_id)
          LEFT JOIN (SELECT user_id, sum(amount_cad) AS cad FROM credit_reservations GROUP BY 1) AS kept USING (user_id)
         WHERE balance_cad <> coalesce(entered.cad, 0) OR reserved_cad <> coalesce(kept.cad, 0)
            OR reserved_cad > balance_cad OR balance_cad < 0
    """,
    "an order whose credits were not debited once, or the reverse": """
        SELECT orders.id FROM orders
          LEFT JOIN (SELECT order_id, sum(amount_cad) AS cad FROM credit_transactions
                      WHERE type = 'order_payment' GROUP BY 1) AS debit ON debit.order_id = orders.id
         WHERE coalesce(debit.cad, 0) <> -credits_applied_cad
            OR source::text <> CASE WHEN total_cad > credits_applied_cad THEN 'stripe'
                                    WHEN total_cad > 0 THEN 'credit' ELSE 'free' END
    """,
    "a refund that Make was not told of once": """
        SELECT orders.id FROM orders
          LEFT JOIN (SELECT payload->>'order_id' AS order_id, count(*) AS times,
                            max((payload->>'refund_amount')::numeric) AS cad
                       FROM (SELECT convert_from(body, 'UTF8')::jsonb->'payload' AS payload FROM outbox
                              WHERE type = 'order.refunded') AS told GROUP BY 1) AS told
            ON told.order_id = orders.id::text
         WHERE coalesce(told.times, 0) <> (status <> 'paid')::int OR told.cad <> refunded_cad
    """,
    "an order with a discount and no redemption, or the reverse": """
        SELECT orders.id FROM orders LEFT JOIN coupon_redemptions AS used ON used.order_id = orders.id
         WHERE (orders.coupon_id IS NULL) <> (used.order_id IS NULL) OR used.discount_cad <> orders.discount_cad
    """,
    "a password's hash left behind": """
        SELECT id FROM checkouts
         WHERE (status IN ('settled', 'refunded') AND buyer IS NOT NULL)
            OR (status NOT IN ('open', 'processing') AND buyer ? 'password_hash')
    """,
    "more sessions opened than accounts": """
        SELECT user_id FROM auth_sessions AS session
         WHERE created_at >= (SELECT min(created_at) FROM checkouts) -- who came signed in is not meant
         GROUP BY user_id
        HAVING count(*) > (SELECT count(*) FROM checkouts WHERE account_created AND user_id = session.user_id)
    """,
    "two open checkouts of one cart": """
        SELECT cart_id FROM checkouts WHERE status IN ('open', 'processing') GROUP BY 1 HAVING count(*) > 1
    """,
}


def audit(
    connection: Connection[Any], stripe: StripeDouble, now: datetime, heard_of: Collection[str] = ()
) -> list[str]:
    """What does not fit at this moment. `heard_of`: the payments whose success was told to us and acknowledged."""
    return [*_database(connection, now), *_stripe(connection, stripe), *_outcomes(connection, heard_of)]


def closing_audit(connection: Connection[Any], stripe: StripeDouble, now: datetime) -> list[str]:
    """What does not fit at the end: every payment has its outcome, every refund is made, the money adds up."""
    paid = [intent["id"] for intent in stripe.all("payment_intent") if intent["status"] == "succeeded"]
    return [*audit(connection, stripe, now, paid), *_closed_books(connection, stripe)]


def _database(connection: Connection[Any], now: datetime) -> Iterator[str]:
    with connection.pipeline():
        answers = {
            finding: connection.execute(question, {"now": now}) for finding, question in FINDINGS.items()
        }
    for finding, answer in answers.items():
        if found := answer.fetchall():
            yield f"{finding}: {found}"


def _stripe(connection: Connection[Any], stripe: StripeDouble) -> Iterator[str]:
    """Our rows against Stripe's objects."""
    intents = {intent["id"]: intent for intent in stripe.all("payment_intent")}
    for order in _rows(connection, "SELECT * FROM orders WHERE source = 'stripe'"):
        intent = intents.get(order["stripe_payment_intent_id"], {})
        received = Decimal(intent.get("amount_received", 0)) / 100
        if (intent.get("status"), intent.get("currency"), received) != (
            "succeeded",
            "cad",
            order["total_cad"] - order["credits_applied_cad"],
        ):
            yield f"an order that was not paid: {order['id']}"
    rows = {str(row["id"]): row for row in _rows(connection, "SELECT * FROM refunds")}
    made = stripe.all("refund")
    for refund in made:
        row = rows.get(refund["metadata"].get("refund_id", ""))
        if row is None or (row["payment_intent_id"], row["amount_cents"]) != (
            refund["payment_intent"],
            refund["amount"],
        ):
            yield f"money given back that nobody owed: {refund['id']}"
    for refund_id, times in Counter(refund["metadata"].get("refund_id") for refund in made).items():
        if times > 1:
            yield f"money given back {times} times: {refund_id}"
    known = {refund["id"] for refund in made}
    for row in rows.values():
        if row["status"] == "processed" and row["stripe_refund_id"] not in known:
            yield f"a refund that was never made: {row['id']}"
        whole = intents.get(row["payment_intent_id"], {}).get("amount_received")
        if row["order_id"] is None and row["amount_cents"] != whole:
            yield f"a payment given back in part: {row['id']}"


def _outcomes(connection: Connection[Any], heard_of: Collection[str]) -> Iterator[str]:
    """A payment we heard of became one order, or goes back whole."""
    outcomes = Counter(
        row["intent"]
        for row in _rows(
            connection,
            """
            SELECT stripe_payment_intent_id AS intent FROM orders WHERE source = 'stripe'
            UNION ALL SELECT payment_intent_id FROM refunds WHERE order_id IS NULL
            """,
        )
    )
    for intent in heard_of:
        if outcomes[intent] != 1:
            yield f"a payment with {outcomes[intent]} outcomes: {intent}"


def _closed_books(connection: Connection[Any], stripe: StripeDouble) -> Iterator[str]:
    for row in _rows(connection, "SELECT id, status FROM refunds WHERE status <> 'processed'"):
        yield f"a refund still {row['status']}: {row['id']}"
    received = sum(intent["amount_received"] for intent in stripe.all("payment_intent"))
    refunded = sum(refund["amount"] for refund in stripe.all("refund"))
    ((kept,),) = connection.execute(
        """
        SELECT coalesce((SELECT sum(total_cad - refunded_cad) FROM orders), 0)
             + coalesce((SELECT sum(amount_cad) FROM credit_transactions
                          WHERE type IN ('order_payment', 'order_refund')), 0)
        """
    ).fetchall()
    if Decimal(received - refunded) / 100 != kept:
        yield f"Stripe keeps {received - refunded} cents, the orders say {kept}"


def _rows(connection: Connection[Any], query: str) -> list[dict[str, Any]]:
    return connection.cursor(row_factory=dict_row).execute(query).fetchall()
