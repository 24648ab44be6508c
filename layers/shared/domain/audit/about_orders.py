"""What can be wrong with orders, their lines and the checkouts that paid for them."""

from collections.abc import Mapping

ORDERS: Mapping[str, str] = {
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
          LEFT JOIN earnings ON earnings.order_item_id = item.id
          LEFT JOIN appointments ON appointments.order_item_id = item.id
          LEFT JOIN enrolments ON enrolments.order_item_id = item.id
          LEFT JOIN refunds ON refunds.order_item_id = item.id
          LEFT JOIN credit_transactions AS credit
            ON credit.order_item_id = item.id AND credit.type = 'order_refund'
         WHERE orders.source <> 'manual'
           AND CASE WHEN appointments.id IS NULL AND enrolments.id IS NULL
                    THEN (item.kind = 'session' AND earnings.status IS DISTINCT FROM 'cancelled')
                         OR coalesce(refunds.amount_cents, 0) + coalesce(credit.amount_cad, 0) * 100
                            <> (line_total_cad - discount_share_cad) * 100
                    WHEN enrolments.id IS NOT NULL THEN refunds.id IS NOT NULL OR credit.id IS NOT NULL
                    ELSE appointments.status = 'scheduled'
                         AND (earnings.status IS DISTINCT FROM 'scheduled'
                              OR refunds.id IS NOT NULL OR credit.id IS NOT NULL)
               END
    """,
    "an appointment that is not what was paid for": """
        SELECT appointments.id FROM appointments
          JOIN session_items AS session ON session.id = order_item_id
          JOIN order_items AS item ON item.id = session.id
          JOIN orders ON orders.id = item.order_id
         WHERE (appointments.course_id, appointments.tutor_id, appointments.user_id)
            <> (session.course_id, session.tutor_id, orders.user_id)
            OR appointments.end_datetime - appointments.start_datetime
               <> session.end_datetime - session.start_datetime
            OR (appointments.sequence = 0 AND appointments.start_datetime <> session.start_datetime)
    """,
    "a line without its other half, or a session without its tutor's pay": """
        SELECT item.id FROM order_items AS item
          LEFT JOIN session_items AS session ON session.id = item.id
          LEFT JOIN earnings ON earnings.order_item_id = session.id
          LEFT JOIN access_items AS access ON access.id = item.id
         WHERE CASE item.kind WHEN 'access' THEN access.id IS NULL
               ELSE earnings.order_item_id IS NULL OR earnings.hours * 60 <> session.duration_min END
    """,
    "credits of an order that are not those of its lines": """
        SELECT orders.id FROM orders JOIN order_items AS item ON item.order_id = orders.id
         GROUP BY orders.id HAVING credits_applied_cad <> sum(credit_share_cad)
    """,
    "a settled checkout that is not its order": """
        SELECT checkouts.id FROM checkouts LEFT JOIN orders ON orders.id = checkouts.order_id
         WHERE checkouts.status = 'settled'
           AND (orders.id IS NULL
                OR checkouts.payment_intent_id IS DISTINCT FROM orders.stripe_payment_intent_id
                OR (checkouts.subtotal_cad, checkouts.discount_cad, checkouts.credits_applied_cad)
                   <> (orders.subtotal_cad, orders.discount_cad, orders.credits_applied_cad)
                OR jsonb_array_length(checkouts.items)
                   <> (SELECT count(*) FROM order_items WHERE order_id = orders.id))
    """,
    "an order that no checkout paid for": """
        SELECT orders.id FROM orders LEFT JOIN checkouts ON checkouts.order_id = orders.id
         WHERE orders.source <> 'manual' AND checkouts.id IS NULL AND orders.created_at > %(now)s - interval '30 days'
    """,
    "two open checkouts of one cart": """
        SELECT cart_id FROM checkouts WHERE status IN ('open', 'processing') GROUP BY 1 HAVING count(*) > 1
    """,
    "an open payment of a cart that was changed since": """
        SELECT checkouts.id FROM checkouts JOIN carts ON carts.id = checkouts.cart_id
         WHERE status IN ('open', 'processing') AND cart_version <> version
    """,
    "a password's hash left behind": """
        SELECT id FROM checkouts
         WHERE (status IN ('settled', 'refunded') AND buyer IS NOT NULL)
            OR (status IN ('cancelled', 'failed') AND buyer ? 'password_hash'
                AND (payment_intent_id IS NULL OR intent_closed_at IS NOT NULL))
    """,
}
