-- What Stripe tells may be acted on in another order than it happened.

-- Refunds of a payment are read from Stripe before its rows are locked. Each reading draws a number first; one that is
-- older than what was applied before is not applied any more.
CREATE TABLE refund_readings (
    payment_intent_id text PRIMARY KEY,
    drawn bigint NOT NULL DEFAULT 1,
    applied bigint NOT NULL DEFAULT 0 CHECK (applied <= drawn)
);

-- A dispute only goes on: an inquiry may become a dispute, a dispute is decided, and never the reverse.
CREATE FUNCTION dispute_phase(status text) RETURNS smallint IMMUTABLE LANGUAGE sql
    RETURN CASE WHEN status LIKE 'warning\_%' THEN 0 WHEN status IN ('needs_response', 'under_review') THEN 1 ELSE 2 END;

-- What a line still owes its student as store credit, in CAD. A cancellation promised whatever is left of it; a session
-- that could not be booked, its share of the credits that paid for it (the rest is the card's).
CREATE FUNCTION credit_owed(item order_items, was_lost boolean) RETURNS numeric STABLE LANGUAGE sql
    RETURN least(
        item.line_total_cad - item.discount_share_cad - item.returned_cad,
        CASE WHEN item.credit_promised THEN item.line_total_cad
             WHEN was_lost
             THEN coalesce((SELECT amount_cad FROM credit_transactions
                             WHERE order_item_id = item.id AND type = 'order_refund'), 0)
                  - coalesce((SELECT amount_cad FROM line_returns
                               WHERE order_item_id = item.id AND way = 'credit' AND undone_at IS NULL), 0)
             ELSE 0 END);
CREATE INDEX credit_transactions_of_line ON credit_transactions (order_item_id) WHERE order_item_id IS NOT NULL;

-- As 0018 has it, but that a failed refund of a lost session counts for what its line has not given back another way.
CREATE OR REPLACE FUNCTION given_back_so_far(of_order uuid) RETURNS numeric STABLE LANGUAGE plpgsql AS
$$
BEGIN
    RETURN coalesce((SELECT sum(CASE WHEN status <> 'failed' THEN amount_cents / 100.0
                                     ELSE least(amount_cents / 100.0,
                                                line_total_cad - discount_share_cad - returned_cad) END)
                       FROM refunds LEFT JOIN order_items AS item ON item.id = refunds.order_item_id
                      WHERE refunds.order_id = of_order AND status <> 'superseded'
                        AND (status <> 'failed' OR item.id IS NOT NULL)), 0)
         + coalesce((SELECT sum(amount_cad) FROM credit_transactions
                      WHERE order_id = of_order AND type IN ('order_refund', 'reversal')), 0);
END
$$;
