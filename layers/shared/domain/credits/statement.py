"""What a student sees of their store credit: the balance, what open payments keep of it, and every movement."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Literal
from uuid import UUID

from psycopg import Connection, Cursor
from psycopg.rows import class_row
from pydantic import BaseModel, Field

from domain.clock import on_toronto_clock
from domain.money import ZERO
from domain.paging import Place, page_of, read_cursor

LABELS_FR = {
    "cancellation": "Séance annulée",
    "order_payment": "Paiement d'une commande",
    "order_refund": "Remboursement d'une commande",
    "admin_adjustment": "Ajustement par 4AS",
    "reversal": "Correction",
}

type SignedCad = Annotated[
    str, Field(pattern=r"^-?\d+\.\d{2}$", examples=["-45.00"], description="Dollars canadiens")
]


@dataclass(frozen=True, slots=True)
class Balance:
    """In CAD. What open payments have reserved cannot be spent twice."""

    balance_cad: Decimal
    reserved_cad: Decimal


@dataclass(frozen=True, slots=True)
class Movement:
    id: UUID
    amount_cad: Decimal
    type: str
    appointment_id: UUID | None
    order_id: UUID | None
    reason: str | None
    created_at: datetime

    @property
    def place(self) -> Place:
        return Place(self.created_at, self.id)


class CreditMovement(BaseModel):
    """Positive for what was given, negative for what was spent or taken back."""

    id: UUID
    type: Literal["cancellation", "order_payment", "order_refund", "admin_adjustment", "reversal"]
    label_fr: str
    amount_cad: SignedCad
    appointment_id: UUID | None
    order_id: UUID | None
    reason: str | None
    created_at: datetime


class CreditStatement(BaseModel):
    """`available_cad` is the balance without what open payments have reserved."""

    balance_cad: SignedCad
    reserved_cad: SignedCad
    available_cad: SignedCad
    items: list[CreditMovement]
    next_cursor: str | None


def show_credits(
    connection: Connection[Any], user_id: UUID, cursor: str | None, limit: int
) -> CreditStatement:
    """The balance and a page of the ledger, newest first (OP-S09). Refuses with CURSOR_INVALID."""
    balance = find_balance(connection, user_id)
    rows = _select_movements(connection, user_id, read_cursor(cursor), limit).fetchall()
    page = page_of(rows, limit, lambda row: row.place)
    return CreditStatement(
        balance_cad=str(balance.balance_cad),
        reserved_cad=str(balance.reserved_cad),
        available_cad=str(balance.balance_cad - balance.reserved_cad),
        items=[_view(row) for row in page.items],
        next_cursor=page.next_cursor,
    )


def find_balance(connection: Connection[Any], user_id: UUID) -> Balance:
    """A student's balance; zero for who never had credit."""
    balance = (
        connection.cursor(row_factory=class_row(Balance))
        .execute(
            "SELECT balance_cad, reserved_cad FROM credit_accounts WHERE user_id = %(user_id)s",
            {"user_id": user_id},
        )
        .fetchone()
    )
    return balance or Balance(ZERO, ZERO)


def _view(row: Movement) -> CreditMovement:
    return CreditMovement(
        id=row.id,
        type=row.type,
        label_fr=LABELS_FR[row.type],
        amount_cad=str(row.amount_cad),
        appointment_id=row.appointment_id,
        order_id=row.order_id,
        reason=row.reason,
        created_at=on_toronto_clock(row.created_at),
    )


def _select_movements(
    connection: Connection[Any], user_id: UUID, before: Place | None, limit: int
) -> Cursor[Movement]:
    """A student's movements, newest first, those before a place, one more than `limit`.

    A movement about an order line that is a booked session names its appointment.
    """
    return connection.cursor(row_factory=class_row(Movement)).execute(
        """
        SELECT entry.id, entry.amount_cad, entry.type::text, appointments.id AS appointment_id, entry.order_id,
               entry.reason, entry.created_at
          FROM credit_transactions AS entry
          LEFT JOIN appointments ON appointments.order_item_id = entry.order_item_id
         WHERE entry.user_id = %(user_id)s
           AND (%(at)s::timestamptz IS NULL OR (entry.created_at, entry.id) < (%(at)s, %(id)s))
         ORDER BY entry.created_at DESC, entry.id DESC
         LIMIT %(limit)s
        """,
        {
            "user_id": user_id,
            "at": before.at if before else None,
            "id": before.id if before else None,
            "limit": limit + 1,
        },
    )
