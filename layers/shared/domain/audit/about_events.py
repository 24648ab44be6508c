"""What can be wrong with what Make.com was told."""

from collections.abc import Mapping

TOLD: Mapping[str, str] = {
    "an order that was not told once": """
        SELECT orders.id FROM orders
          JOIN (SELECT order_id, count(appointments.id) AS booked,
                       sum(line_total_cad - discount_share_cad) FILTER (WHERE appointments.id IS NOT NULL) AS total
                  FROM order_items LEFT JOIN appointments ON order_item_id = order_items.id
                 GROUP BY order_id) AS sold ON sold.order_id = orders.id
          LEFT JOIN (SELECT payload->>'order_id' AS order_id, count(*) AS times,
                            max((payload->>'item_count')::int) AS items, max((payload->>'total_cad')::numeric) AS total
                       FROM (SELECT convert_from(body, 'UTF8')::jsonb->'payload' AS payload FROM outbox
                              WHERE type = 'booking.created' AND created_at > %(now)s - interval '31 days') AS told
                      GROUP BY 1) AS told
            ON told.order_id = orders.id::text
         WHERE orders.created_at > %(now)s - interval '30 days' AND orders.source <> 'manual' AND product = 'tutoring'
           AND (coalesce(told.times, 0) <> least(sold.booked, 1)
                OR (booked > 0 AND (told.items, told.total) <> (sold.booked, sold.total)))
    """,
    "a refund that Make was not told of once": """
        SELECT orders.id FROM orders
          JOIN (SELECT order_id, count(*) FILTER (WHERE appointments.id IS NULL) AS items,
                       sum(line_total_cad - discount_share_cad) FILTER (WHERE appointments.id IS NULL) AS cad
                  FROM order_items LEFT JOIN appointments ON order_item_id = order_items.id
                 GROUP BY 1) AS lost ON lost.order_id = orders.id
          LEFT JOIN (SELECT order_id, count(*) AS times, sum(amount_cents) / 100.0 AS cad FROM refunds
                      WHERE order_item_id IS NULL GROUP BY 1) AS later
            ON later.order_id = orders.id
          LEFT JOIN (SELECT payload->>'order_id' AS order_id, count(*) AS times,
                            sum((payload->>'refund_amount')::numeric) AS cad
                       FROM (SELECT convert_from(body, 'UTF8')::jsonb->'payload' AS payload FROM outbox
                              WHERE type = 'order.refunded' AND created_at > %(now)s - interval '31 days') AS told
                      GROUP BY 1) AS told
            ON told.order_id = orders.id::text
         WHERE orders.created_at > %(now)s - interval '30 days' AND orders.source <> 'manual' AND product = 'tutoring'
           AND (coalesce(told.times, 0) <> least(lost.items, 1) + coalesce(later.times, 0)
                OR coalesce(told.cad, 0) <> coalesce(lost.cad, 0) + coalesce(later.cad, 0))
    """,
    "a sale of trainings that was not told once": """
        SELECT orders.id FROM orders
          JOIN (SELECT order_id, count(enrolments.id) AS given
                  FROM order_items LEFT JOIN enrolments ON order_item_id = order_items.id
                 GROUP BY order_id) AS sold ON sold.order_id = orders.id
          LEFT JOIN (SELECT convert_from(body, 'UTF8')::jsonb->>'orderId' AS order_id, count(*) AS times FROM outbox
                      WHERE type = 'payment.success' AND created_at > %(now)s - interval '31 days'
                      GROUP BY 1) AS told
            ON told.order_id = orders.id::text
         WHERE orders.created_at > %(now)s - interval '30 days' AND orders.source <> 'manual' AND product = 'training'
           AND coalesce(told.times, 0) <> least(sold.given, 1)
    """,
    "a refund of trainings that Make was not told of once": """
        SELECT orders.id FROM orders
          LEFT JOIN (SELECT order_id, count(*) FILTER (WHERE order_item_id IS NULL)
                            + least(count(*) FILTER (WHERE order_item_id IS NOT NULL), 1) AS times,
                            sum(amount_cents) / 100.0 AS cad
                       FROM refunds GROUP BY 1) AS made ON made.order_id = orders.id
          LEFT JOIN (SELECT event->>'orderId' AS order_id, count(*) AS times, sum((event->>'amount')::numeric) AS cad
                       FROM (SELECT convert_from(body, 'UTF8')::jsonb AS event FROM outbox
                              WHERE type = 'payment.refunded' AND created_at > %(now)s - interval '31 days') AS told
                      GROUP BY 1) AS told
            ON told.order_id = orders.id::text
         WHERE orders.created_at > %(now)s - interval '30 days' AND orders.source <> 'manual' AND product = 'training'
           AND (coalesce(told.times, 0), coalesce(told.cad, 0)) <> (coalesce(made.times, 0), coalesce(made.cad, 0))
    """,
    "an account that was not told once": """
        SELECT users.id FROM users
          LEFT JOIN (SELECT convert_from(body, 'UTF8')::jsonb->'payload'->>'user_id' AS user_id, count(*) AS times
                       FROM outbox WHERE type = 'signup' GROUP BY 1) AS told ON told.user_id = users.id::text
          LEFT JOIN (SELECT user_id, count(*) AS times FROM checkouts
                      WHERE account_created AND product = 'tutoring' GROUP BY 1) AS opened
            ON opened.user_id = users.id
         WHERE users.created_at > %(now)s - interval '30 days'
           AND coalesce(told.times, 0) <> coalesce(opened.times, 0)
    """,
    "a signup that is not told first": """
        SELECT one.event_id FROM outbox AS one JOIN outbox AS other USING (ordering_key)
         WHERE one.type = 'signup' AND other.sequence < one.sequence
    """,
}
