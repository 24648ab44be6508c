"""The ledger of store credit. The database keeps every balance at or above what is reserved of it (0009)."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal
from uuid import UUID

from psycopg import Connection
from psycopg.errors import CheckViolation

from domain.ids import new_id

type EntryType = Literal["cancellation", "order_payment", "order_refund", "admin_adjustment", "reversal"]


@dataclass(frozen=True, slots=True)
class Entry:
    """One movement: positive for what a student is given, negative for what is spent or taken back.

    `order_item_id` is the order line whose money it is; `order_id` the order that counts it as refunded, or that it
    paid for.
    """

    user_id: UUID
    amount_cad: Decimal
    type: EntryType
    order_id: UUID | None = None
    order_item_id: UUID | None = None
    reverses: UUID | None = None
    reason: str | None = None
    created_by: UUID | None = None


def enter(connection: Connection[Any], entry: Entry, now: datetime) -> UUID:
    """Write one movement; answers its id.

    Raises psycopg.errors.CheckViolation (`credit_accounts_…`) when the balance would fall below what is reserved.
    """
    entry_id = new_id()
    connection.execute(
        """
        INSERT INTO credit_transactions (id, user_id, amount_cad, type, order_id, order_item_id, reverses, reason,
                                         created_by, created_at)
        VALUES (%(id)s, %(user_id)s, %(amount_cad)s, %(type)s, %(order_id)s, %(order_item_id)s, %(reverses)s,
                %(reason)s, %(created_by)s, %(now)s)
        """,
        {
            "id": entry_id,
            "user_id": entry.user_id,
            "amount_cad": entry.amount_cad,
            "type": entry.type,
            "order_id": entry.order_id,
            "order_item_id": entry.order_item_id,
            "reverses": entry.reverses,
            "reason": entry.reason,
            "created_by": entry.created_by,
            "now": now,
        },
    )
    return entry_id


def reserve(
    connection: Connection[Any], checkout_id: UUID, user_id: UUID, amount_cad: Decimal, now: datetime
) -> None:
    """Keep an amount for a payment that is being made, until its checkout ends (0010).

    Raises psycopg.errors.CheckViolation (`credit_accounts_spend_what_is_there`) when there is less.
    """
    connection.execute(
        """
        INSERT INTO credit_reservations (checkout_id, user_id, amount_cad, created_at)
        VALUES (%(checkout_id)s, %(user_id)s, %(amount_cad)s, %(now)s)
        """,
        {"checkout_id": checkout_id, "user_id": user_id, "amount_cad": amount_cad, "now": now},
    )


def is_overdrawn(error: CheckViolation) -> bool:
    """Whether the database refused to spend or reserve credit that is not there (0009)."""
    return (error.diag.table_name, error.diag.constraint_name) in (
        ("credit_accounts", "credit_accounts_spend_what_is_there"),
        ("credit_accounts", "credit_accounts_balance_cad_check"),
    )
