"""What an order and its lines say of money that went back, whatever the way."""

from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg import Connection


def promise_credit(connection: Connection[Any], line_id: UUID, *, promised: bool) -> None:
    """Note whether a line owes its student what is left of it as store credit."""
    connection.execute(
        "UPDATE order_items SET credit_promised = %(promised)s WHERE id = %(line_id)s",
        {"line_id": line_id, "promised": promised},
    )


def count_given_back(connection: Connection[Any], order_id: UUID, now: datetime) -> None:
    """The cumulative rule: what was given back so far, at most the total, and the status that follows (spec 3.9)."""
    connection.execute(
        """
        UPDATE orders
           SET refunded_cad = least(total_cad, given_back_so_far(id)), updated_at = %(now)s,
               status = CASE least(total_cad, given_back_so_far(id))
                             WHEN 0 THEN 'paid' WHEN total_cad THEN 'refunded'
                             ELSE 'partially_refunded' END::order_status
         WHERE id = %(id)s AND refunded_cad <> least(total_cad, given_back_so_far(id))
        """,
        {"id": order_id, "now": now},
    )
