-- The ledger by order: without this, looking at an order, and the audit, read it whole. Deleting a hold asks
-- appointments for it.
CREATE INDEX credit_transactions_of_order ON credit_transactions (order_id) WHERE order_id IS NOT NULL;
CREATE INDEX appointments_of_claim ON appointments (claim_id) WHERE claim_id IS NOT NULL;

-- Payments that were taken for orphans because their checkouts had been deleted (5.9): they are orders'.
UPDATE orphan_payments SET resolved_at = received_at, resolution = 'an order''s'
 WHERE resolved_at IS NULL
   AND EXISTS (SELECT FROM orders WHERE stripe_payment_intent_id = orphan_payments.payment_intent_id);
