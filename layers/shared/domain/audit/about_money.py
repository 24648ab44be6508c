"""What can be wrong with money that was taken, given back, credited, taken off."""

from collections.abc import Mapping

MONEY: Mapping[str, str] = {
    "an order whose refunds or status do not add up": """
        SELECT orders.id FROM orders
          LEFT JOIN (SELECT refunds.order_id,
                            sum(CASE WHEN status = 'failed'
                                     THEN least(amount_cents,
                                                (line_total_cad - discount_share_cad - returned_cad
                                                 + coalesce(standing.cad, 0)) * 100)
                                     ELSE amount_cents END) AS cents
                       FROM refunds LEFT JOIN order_items AS item ON item.id = refunds.order_item_id
                       LEFT JOIN LATERAL (
                            SELECT sum(amount_cad) AS cad FROM line_returns
                             WHERE refund_id = refunds.id AND order_item_id = item.id AND undone_at IS NULL
                       ) AS standing ON true -- until the lines hear that it failed
                      WHERE status IN ('pending', 'processed') OR (status = 'failed' AND item.id IS NOT NULL)
                      GROUP BY 1) AS card ON card.order_id = orders.id
          LEFT JOIN (SELECT order_id, sum(amount_cad) AS cad FROM credit_transactions
                      WHERE type IN ('order_refund', 'reversal') GROUP BY order_id) AS credit
            ON credit.order_id = orders.id
         WHERE orders.source <> 'manual'
           AND (refunded_cad * 100 <> least(total_cad * 100, coalesce(cents, 0) + coalesce(cad, 0) * 100)
                OR (total_cad > 0
                    AND status::text <> CASE refunded_cad WHEN 0 THEN 'paid' WHEN total_cad THEN 'refunded'
                                             ELSE 'partially_refunded' END))
    """,
    "more given back to a card than it was charged": """
        SELECT orders.id FROM orders JOIN refunds ON refunds.order_id = orders.id AND refunds.status = 'processed'
         GROUP BY orders.id HAVING sum(amount_cents) > (total_cad - credits_applied_cad) * 100
    """,
    "a line whose returns do not add up": """
        SELECT item.id FROM order_items AS item
          LEFT JOIN (SELECT order_item_id, sum(amount_cad) AS cad FROM line_returns WHERE undone_at IS NULL GROUP BY 1)
               AS back ON back.order_item_id = item.id
         WHERE returned_cad <> coalesce(back.cad, 0) OR returned_cad > line_total_cad - discount_share_cad
    """,
    "a refund or dispute that its order's lines do not know of": """
        SELECT fact.id FROM (
               SELECT id::text, order_id, amount_cents / 100.0 AS cad FROM refunds
                WHERE order_id IS NOT NULL AND status IN ('pending', 'processed')
                UNION ALL
               SELECT stripe_dispute_id, orders.id, amount_cents / 100.0
                 FROM payment_disputes JOIN orders ON stripe_payment_intent_id = payment_intent_id
                WHERE takes_money(payment_disputes.status)) AS fact
          LEFT JOIN (SELECT coalesce(refund_id::text, dispute_id) AS id, sum(amount_cad) AS cad FROM line_returns
                      WHERE undone_at IS NULL GROUP BY 1) AS known ON known.id = fact.id
          LEFT JOIN (SELECT coalesce(refund_id::text, dispute_id) AS id, sum(amount_cad) AS cad FROM over_returns
                      GROUP BY 1) AS beyond ON beyond.id = fact.id
         WHERE fact.cad <> coalesce(known.cad, 0) + coalesce(beyond.cad, 0)
    """,
    "a return of what came to nothing": """
        SELECT line_returns.id FROM line_returns
          LEFT JOIN refunds ON refunds.id = refund_id
          LEFT JOIN payment_disputes ON stripe_dispute_id = dispute_id
         WHERE undone_at IS NULL
           AND (refunds.status = 'superseded' OR NOT takes_money(payment_disputes.status)
                OR (refunds.status = 'failed' AND line_returns.created_at < %(now)s - interval '1 hour'))
    """,
    "credit that its line does not know of": """
        SELECT item.id FROM order_items AS item
          LEFT JOIN LATERAL (
               SELECT sum(amount_cad) AS cad FROM credit_transactions
                WHERE order_item_id = item.id AND type IN ('cancellation', 'order_refund', 'reversal')
               ) AS standing ON true
          LEFT JOIN LATERAL (
               SELECT sum(amount_cad) AS cad FROM line_returns
                WHERE order_item_id = item.id AND way = 'credit' AND undone_at IS NULL) AS known ON true
          LEFT JOIN LATERAL (
               SELECT sum(amount_cad) AS cad FROM over_returns
                WHERE credit_entry_id IN (SELECT id FROM credit_transactions WHERE order_item_id = item.id)
               ) AS beyond ON true
         WHERE coalesce(standing.cad, 0) <> coalesce(known.cad, 0) + coalesce(beyond.cad, 0)
    """,
    "a cancelled or lost session that is owed more credit": """
        SELECT item.id FROM order_items AS item LEFT JOIN appointments ON appointments.order_item_id = item.id
         WHERE CASE WHEN credit_promised THEN returned_cad < line_total_cad - discount_share_cad
                    WHEN appointments.id IS NULL
                    THEN (SELECT amount_cad FROM credit_transactions
                           WHERE order_item_id = item.id AND type = 'order_refund')
                         > (SELECT coalesce(sum(amount_cad), 0) FROM line_returns
                             WHERE order_item_id = item.id AND undone_at IS NULL
                               AND way IN ('credit', 'dispute', 'dashboard')) END
    """,
    "more given back than was paid, which nobody has resolved": """
        SELECT id FROM over_returns WHERE resolved_at IS NULL
    """,
    "a payment both booked and given back whole": """
        SELECT orders.id FROM orders JOIN refunds ON payment_intent_id = stripe_payment_intent_id
         WHERE refunds.order_id IS NULL AND NOT made_elsewhere
    """,
    "charges and credits used that are not bookings, refunds and credits given back": """
        SELECT 'taken ' || taken || ', accounted for ' || accounted
          FROM (SELECT coalesce(sum(total_cad - credits_applied_cad), 0)
                       - (SELECT coalesce(sum(amount_cad), 0) FROM credit_transactions WHERE type = 'order_payment')
                       AS taken
                  FROM orders WHERE orders.source <> 'manual') AS taken,
               (SELECT coalesce(sum(CASE WHEN appointments.id IS NOT NULL OR enrolments.id IS NOT NULL
                                         THEN line_total_cad - discount_share_cad
                                         ELSE coalesce(refunds.amount_cents, 0) / 100.0 END), 0)
                       + (SELECT coalesce(sum(amount_cad), 0) FROM credit_transactions WHERE type = 'order_refund')
                       AS accounted
                  FROM order_items AS item
                  JOIN orders ON orders.id = item.order_id AND orders.source <> 'manual'
                  LEFT JOIN appointments ON appointments.order_item_id = item.id
                  LEFT JOIN enrolments ON enrolments.order_item_id = item.id
                  LEFT JOIN refunds ON refunds.order_item_id = item.id) AS accounted
         WHERE taken <> accounted
    """,
    "an order whose credits were not debited once, or the reverse": """
        SELECT orders.id FROM orders
          LEFT JOIN (SELECT order_id, sum(amount_cad) AS cad FROM credit_transactions
                      WHERE type = 'order_payment' GROUP BY 1) AS debit ON debit.order_id = orders.id
         WHERE coalesce(debit.cad, 0) <> -credits_applied_cad
            OR (source <> 'manual'
                AND source::text <> CASE WHEN total_cad > credits_applied_cad THEN 'stripe'
                                         WHEN total_cad > 0 THEN 'credit' ELSE 'free' END)
    """,
    "an order whose card was not charged to the cent": """
        SELECT orders.id FROM orders JOIN checkouts ON checkouts.order_id = orders.id
         WHERE checkouts.amount_cents <> (orders.total_cad - orders.credits_applied_cad) * 100
    """,
    "a credit account that is not the sum of its ledger, or is overspent": """
        SELECT user_id FROM credit_accounts
          FULL JOIN (SELECT user_id, sum(amount_cad) AS cad FROM credit_transactions GROUP BY 1) AS entered
              USING (user_id)
          LEFT JOIN (SELECT user_id, sum(amount_cad) AS cad FROM credit_reservations GROUP BY 1) AS kept USING (user_id)
         WHERE coalesce(balance_cad, 0) <> coalesce(entered.cad, 0)
            OR coalesce(reserved_cad, 0) <> coalesce(kept.cad, 0)
            OR reserved_cad > balance_cad OR balance_cad < 0
    """,
    "something reserved by what cannot be paid, or the reverse": """
        SELECT checkouts.id FROM checkouts
          LEFT JOIN coupon_reservations AS coupon ON coupon.checkout_id = checkouts.id
          LEFT JOIN credit_reservations AS credit ON credit.checkout_id = checkouts.id
         WHERE (coupon.checkout_id IS NOT NULL)
               <> (checkouts.coupon_id IS NOT NULL AND status IN ('open', 'processing'))
            OR coalesce(credit.amount_cad, 0)
               <> CASE WHEN status IN ('open', 'processing') THEN credits_applied_cad ELSE 0 END
    """,
    "a coupon reserved otherwise than it is being paid with": """
        SELECT coupons.id FROM coupons LEFT JOIN coupon_reservations AS kept ON kept.coupon_id = coupons.id
         GROUP BY coupons.id HAVING reserved_count <> count(kept.checkout_id)
    """,
    "a coupon counted otherwise than used": """
        SELECT coupons.id FROM coupons LEFT JOIN coupon_redemptions AS used
            ON used.coupon_id = coupons.id AND NOT over_limit
         GROUP BY coupons.id HAVING redemption_count <> count(used.order_id)
    """,
    "a booked order with a coupon and no redemption, or the reverse": """
        SELECT orders.id FROM orders LEFT JOIN coupon_redemptions AS used ON used.order_id = orders.id
         WHERE (orders.coupon_id IS NOT NULL AND (used.order_id IS NOT NULL) <> EXISTS (
                    SELECT FROM order_items AS item
                      LEFT JOIN appointments ON appointments.order_item_id = item.id
                      LEFT JOIN enrolments ON enrolments.order_item_id = item.id
                     WHERE item.order_id = orders.id AND num_nonnulls(appointments.id, enrolments.id) > 0))
            OR (orders.discount_cad > 0 AND orders.coupon_code IS NULL)
            OR used.discount_cad <> orders.discount_cad
    """,
    "a payment nobody knows, and nobody gives back": """
        SELECT payment_intent_id FROM orphan_payments
         WHERE (resolved_at IS NULL AND refund_after < %(now)s - interval '1 hour')
            OR (resolution = 'refunded' AND payment_intent_id NOT IN (SELECT payment_intent_id FROM refunds))
    """,
}
