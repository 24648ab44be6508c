"""Refunds that came to nothing, once the lines of their order have heard of it."""

from typing import Any
from uuid import UUID

from psycopg import Connection


def supersede_returned(connection: Connection[Any], order_id: UUID) -> None:
    """A failed refund of a session that could not be booked is owed no more once its line has given all back."""
    connection.execute(
        """
        UPDATE refunds SET status = 'superseded' FROM order_items AS item
         WHERE refunds.order_id = %(order_id)s AND refunds.status = 'failed' AND NOT made_elsewhere
           AND item.id = refunds.order_item_id AND returned_cad = line_total_cad - discount_share_cad
        """,
        {"order_id": order_id},
    )


def note_undone(connection: Connection[Any], order_id: UUID) -> None:
    """Refunds of an order that came to nothing and stand in no line: nobody has to look at them again (0038)."""
    connection.execute(
        """
        UPDATE refunds SET undone = true
         WHERE order_id = %(order_id)s AND status IN ('failed', 'superseded') AND NOT undone
           AND NOT EXISTS (SELECT FROM line_returns WHERE refund_id = refunds.id AND undone_at IS NULL)
        """,
        {"order_id": order_id},
    )
