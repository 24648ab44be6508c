"""The auditor: reads the whole database and everything Stripe knows, and names what does not fit together.

`audit` holds at every moment; `closing_audit` once every message has been delivered and every refund made. They know
the business, not the code: each finding is a sentence, and none is the only good answer.
"""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, Protocol

from psycopg import Connection
from psycopg.rows import dict_row

from domain.audit.audit import look_for
from domain.audit.findings import FINDINGS

ONLY_HERE: Mapping[str, str] = {
    "more sessions opened than accounts": """
        SELECT user_id FROM auth_sessions AS session
         WHERE created_at >= (SELECT min(created_at) FROM checkouts) -- who came signed in is not meant
         GROUP BY user_id
        HAVING count(*) > (SELECT count(*) FROM checkouts WHERE account_created AND user_id = session.user_id)
    """,
    "an account with a password that nobody was told of": """
        SELECT users.id FROM users
         WHERE role = 'student' AND password_hash IS NOT NULL
           AND NOT EXISTS (SELECT FROM outbox WHERE dedupe_key = 'signup:' || users.id)
           AND NOT EXISTS (SELECT FROM checkouts -- Le Dojo tells of the account with the sale
                            WHERE user_id = users.id AND account_created AND product = 'training')
    """,
}
"""Where nobody signs in, and every account was made by buying."""

ALL_FINDINGS: Mapping[str, str] = {**FINDINGS, **ONLY_HERE}


class Stripe(Protocol):
    """Who knows what is at Stripe: the double."""

    def all(self, kind: str) -> list[dict[str, Any]]:
        """Every object of a kind."""


def audit(
    connection: Connection[Any],
    stripe: Stripe,
    now: datetime,
    heard_of: Collection[str] = (),
    findings: Mapping[str, str] = ALL_FINDINGS,
) -> list[str]:
    """What does not fit at this moment. `heard_of`: the payments whose success was told to us and acknowledged."""
    found = [str(finding) for finding in look_for(connection, findings, now)]
    return [*found, *_stripe(connection, stripe), *_outcomes(connection, heard_of)]


def closing_audit(
    connection: Connection[Any], stripe: Stripe, now: datetime, findings: Mapping[str, str] = ALL_FINDINGS
) -> list[str]:
    """What does not fit at the end: every payment has its outcome, every refund is made, the money adds up."""
    paid = [intent["id"] for intent in stripe.all("payment_intent") if intent["status"] == "succeeded"]
    return [*audit(connection, stripe, now, paid, findings), *_closed_books(connection, stripe)]


def _stripe(connection: Connection[Any], stripe: Stripe) -> Iterator[str]:
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
    elsewhere = {row["stripe_refund_id"]: row for row in rows.values() if row["made_elsewhere"]}
    made = stripe.all("refund")
    for refund in made:
        row = rows.get(refund["metadata"].get("refund_id", ""), elsewhere.get(refund["id"]))
        if row is None or (row["payment_intent_id"], row["amount_cents"]) != (
            refund["payment_intent"],
            refund["amount"],
        ):
            yield f"money given back that nobody owed: {refund['id']}"
    asked_for = [refund["metadata"]["refund_id"] for refund in made if "refund_id" in refund["metadata"]]
    for refund_id, times in Counter(asked_for).items():
        if times > 1:
            yield f"money given back {times} times: {refund_id}"
    known = {refund["id"] for refund in made}
    for row in rows.values():
        if row["status"] == "processed" and row["stripe_refund_id"] not in known:
            yield f"a refund that was never made: {row['id']}"
        whole = intents.get(row["payment_intent_id"], {}).get("amount_received")
        if row["order_id"] is None and not row["made_elsewhere"] and row["amount_cents"] != whole:
            yield f"a payment given back in part: {row['id']}"


def _outcomes(connection: Connection[Any], heard_of: Collection[str]) -> Iterator[str]:
    """A payment we heard of became one order, or goes back whole."""
    outcomes = Counter(
        row["intent"]
        for row in _rows(
            connection,
            """
            SELECT stripe_payment_intent_id AS intent FROM orders WHERE source = 'stripe'
            UNION ALL SELECT payment_intent_id FROM refunds WHERE order_id IS NULL AND NOT made_elsewhere
            """,
        )
    )
    for intent in heard_of:
        if outcomes[intent] != 1:
            yield f"a payment with {outcomes[intent]} outcomes: {intent}"


def _closed_books(connection: Connection[Any], stripe: Stripe) -> Iterator[str]:
    unpaid = """
        SELECT id, status FROM refunds
         WHERE status = 'pending' OR (status = 'failed' AND NOT made_elsewhere)
    """
    for row in _rows(connection, unpaid):
        yield f"a refund still {row['status']}: {row['id']}"
    received = sum(intent["amount_received"] for intent in stripe.all("payment_intent"))
    refunded = sum(refund["amount"] for refund in stripe.all("refund") if refund["status"] != "failed")
    ((kept,),) = connection.execute(
        """
        SELECT coalesce(sum(total_cad - credits_applied_cad), 0)
               - (SELECT coalesce(sum(amount_cents), 0) / 100.0 FROM refunds
                   WHERE order_id IS NOT NULL AND status = 'processed')
          FROM orders WHERE source = 'stripe'
        """
    ).fetchall()
    if Decimal(received - refunded) / 100 != kept:
        yield f"Stripe keeps {received - refunded} cents, the orders say {kept:.2f}"


def _rows(connection: Connection[Any], query: str) -> list[dict[str, Any]]:
    return connection.cursor(row_factory=dict_row).execute(query).fetchall()
