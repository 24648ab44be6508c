"""What the dashboard gave back instead of us, and the bank sent back to us: it is owed as before."""

from datetime import datetime
from typing import Any

from psycopg import Connection


def owe_again(connection: Connection[Any], intent_id: str, left_cents: int, now: datetime) -> bool:
    """Owe the superseded refunds of a payment that nothing replaces any more; `left_cents` of it are not given back.

    A refund of one line is replaced while the line has returned it; one of a payment that bought nothing, while less
    than its amount is left; another, while a refund of the dashboard of the same amount stands. Answers whether one is
    owed again. The payment's refunds, its order and its lines must be locked and in line. An orphan without a refund of
    ours is unexplained again.
    """
    connection.execute(
        """
        UPDATE orphan_payments SET resolved_at = NULL, resolution = NULL
         WHERE payment_intent_id = %(intent_id)s AND resolution = 'refunded'
           AND NOT EXISTS (SELECT FROM refunds
                            WHERE payment_intent_id = %(intent_id)s AND order_id IS NULL AND NOT made_elsewhere)
        """,
        {"intent_id": intent_id},
    )
    revived = connection.execute(
        """
        WITH superseded AS (
            SELECT id, order_id, order_item_id, amount_cents,
                   row_number() OVER (PARTITION BY amount_cents, order_item_id IS NULL ORDER BY created_at) AS place
              FROM refunds WHERE payment_intent_id = %(intent_id)s AND status = 'superseded')
        UPDATE refunds SET next_attempt_at = %(now)s, attempts = attempts + 1,
               -- One that the bank sent back was made: only a person knows another way.
               status = CASE WHEN stripe_refund_id IS NULL THEN 'pending' ELSE 'failed' END::refund_status
          FROM superseded AS owed
         WHERE refunds.id = owed.id AND owed.amount_cents <= %(left_cents)s
           AND CASE WHEN owed.order_id IS NULL THEN true
                    WHEN owed.order_item_id IS NULL
                    THEN place > (SELECT count(*) FROM refunds AS made
                                   WHERE made.payment_intent_id = %(intent_id)s AND made_elsewhere
                                     AND made.status = 'processed' AND made.amount_cents = owed.amount_cents)
                    ELSE EXISTS (SELECT FROM order_items AS item
                                  WHERE item.id = owed.order_item_id
                                    AND (line_total_cad - discount_share_cad - returned_cad) * 100
                                        >= owed.amount_cents) END
        """,
        {"intent_id": intent_id, "left_cents": left_cents, "now": now},
    )
    return revived.rowcount > 0
