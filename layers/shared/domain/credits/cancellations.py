"""The credit of a cancelled session: given once, taken back when the session takes place after all (spec 3.6)."""

from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from psycopg import Connection
from psycopg.errors import CheckViolation
from psycopg.rows import tuple_row

from domain.credits.ledger import Entry, enter, is_overdrawn
from domain.errors import Refused
from domain.money import ZERO


def issue(
    connection: Connection[Any],
    user_id: UUID,
    appointment_id: UUID,
    amount_cad: Decimal,
    by: UUID | None,
    now: datetime,
) -> Decimal:
    """Credit the student of a locked appointment; answers what was added.

    Nothing is when the amount is zero or an earlier cancellation's credit still stands; when that was taken back,
    taking it back is undone: the ledger holds one `cancellation` per appointment.
    """
    last_id, standing = _last_entry(connection, appointment_id)
    if not amount_cad or standing > 0:
        return ZERO
    entry = Entry(
        user_id,
        amount_cad,
        "reversal" if last_id else "cancellation",
        appointment_id=appointment_id,
        reverses=last_id,
        created_by=by,
    )
    enter(connection, entry, now)
    return amount_cad


def take_back(
    connection: Connection[Any], user_id: UUID, appointment_id: UUID, by: UUID | None, now: datetime
) -> Decimal:
    """Take back what a locked appointment's cancellation gave; answers how much. Refuses with CREDIT_SPENT."""
    last_id, standing = _last_entry(connection, appointment_id)
    if standing <= 0:
        return ZERO
    entry = Entry(
        user_id, -standing, "reversal", appointment_id=appointment_id, reverses=last_id, created_by=by
    )
    try:
        enter(connection, entry, now)
    except CheckViolation as error:
        if not is_overdrawn(error):
            raise
        raise Refused("CREDIT_SPENT") from error
    return standing


def _last_entry(connection: Connection[Any], appointment_id: UUID) -> tuple[UUID | None, Decimal]:
    """The last entry about an appointment that no other takes back, and the sum of them all."""
    row = (
        connection.cursor(row_factory=tuple_row)
        .execute(
            """
            SELECT (array_agg(entry.id) FILTER (WHERE taken.id IS NULL))[1], coalesce(sum(entry.amount_cad), 0.00)
              FROM credit_transactions AS entry LEFT JOIN credit_transactions AS taken ON taken.reverses = entry.id
             WHERE entry.appointment_id = %(appointment_id)s AND entry.type IN ('cancellation', 'reversal')
            """,
            {"appointment_id": appointment_id},
        )
        .fetchone()
    )
    return (row[0], row[1]) if row else (None, ZERO)
