"""The one way to write down that a line has given money back."""

from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from psycopg import Connection

from domain.ids import new_id
from domain.returns.lines import ReturnWay


def record_return(
    connection: Connection[Any],
    line_id: UUID,
    way: ReturnWay,
    amount_cad: Decimal,
    now: datetime,
    *,
    refund_id: UUID | None = None,
    dispute_id: str | None = None,
    credit_entry_id: UUID | None = None,
) -> None:
    """A line has given that much back; the database counts it in `order_items.returned_cad` (0018).

    Exactly one of the three ids says what brought it back. Raises psycopg.errors.CheckViolation when the line was
    paid less than it would have returned in all.
    """
    connection.execute(
        """
        INSERT INTO line_returns (id, order_item_id, way, amount_cad, refund_id, dispute_id, credit_entry_id,
                                  created_at)
        VALUES (%(id)s, %(line_id)s, %(way)s, %(amount_cad)s, %(refund_id)s, %(dispute_id)s, %(credit_entry_id)s,
                %(now)s)
        """,
        {
            "id": new_id(),
            "line_id": line_id,
            "way": way,
            "amount_cad": amount_cad,
            "refund_id": refund_id,
            "dispute_id": dispute_id,
            "credit_entry_id": credit_entry_id,
            "now": now,
        },
    )
