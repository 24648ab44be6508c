-- Payments that were late, lost, taken back or disputed, and what has become of them.

-- When Stripe was last asked how a checkout stands, and since when its intent can no longer be paid. Once it cannot, a
-- checkout that was cancelled is asked about no more, and its buyer is forgotten.
ALTER TABLE checkouts
    ADD COLUMN asked_at timestamptz,
    ADD COLUMN intent_closed_at timestamptz;
CREATE INDEX checkouts_to_ask ON checkouts (asked_at NULLS FIRST, created_at)
    WHERE status IN ('open', 'processing') OR (status = 'cancelled' AND intent_closed_at IS NULL);

-- A payment that names no checkout of ours. Ours to give back once nobody has explained it in time; one that this
-- product did not ask for (refund_after is null) is left to a person.
CREATE TABLE orphan_payments (
    payment_intent_id text PRIMARY KEY,
    amount_cents integer NOT NULL CHECK (amount_cents > 0),
    currency char(3) NOT NULL,
    received_at timestamptz NOT NULL,
    refund_after timestamptz,
    resolved_at timestamptz,
    resolution text CHECK (length(resolution) BETWEEN 1 AND 500),
    CHECK ((resolved_at IS NULL) = (resolution IS NULL))
);
CREATE INDEX orphan_payments_unresolved ON orphan_payments (refund_after) WHERE resolved_at IS NULL;

-- Superseded: the money went back another way, so nothing is owed any more.
ALTER TYPE refund_status ADD VALUE 'superseded';

-- Made in Stripe's dashboard: recorded when Stripe told us, whatever else we owe.
ALTER TABLE refunds
    ADD COLUMN made_elsewhere boolean NOT NULL DEFAULT false,
    ADD CHECK (NOT made_elsewhere OR stripe_refund_id IS NOT NULL);
DROP INDEX refunds_one_per_unbooked_payment;
CREATE UNIQUE INDEX refunds_one_per_unbooked_payment ON refunds (payment_intent_id)
    WHERE order_id IS NULL AND NOT made_elsewhere;
CREATE INDEX refunds_of_payment ON refunds (payment_intent_id);
CREATE INDEX refunds_of_order ON refunds (order_id);

CREATE TABLE payment_disputes (
    stripe_dispute_id text PRIMARY KEY,
    payment_intent_id text NOT NULL,
    amount_cents integer NOT NULL CHECK (amount_cents > 0),
    currency char(3) NOT NULL,
    reason text NOT NULL,
    status text NOT NULL,                    -- Stripe's word
    opened_at timestamptz NOT NULL,
    closed_at timestamptz
);
CREATE INDEX payment_disputes_of_payment ON payment_disputes (payment_intent_id);

-- What an order has given back so far, in CAD: to the card, or owed to it, and to the ledger. Not counted is what never
-- left: superseded refunds, those the bank returned of the dashboard's, and failed ones that no lost session demands.
CREATE FUNCTION given_back(of_order uuid) RETURNS numeric STABLE LANGUAGE plpgsql AS
$$
BEGIN
    RETURN coalesce((SELECT sum(amount_cents) FROM refunds
                      WHERE order_id = of_order AND status <> 'superseded'
                        AND (status <> 'failed' OR order_item_id IS NOT NULL)), 0) / 100.0
         + coalesce((SELECT sum(amount_cad) FROM credit_transactions
                      WHERE order_id = of_order AND type = 'order_refund'), 0);
END
$$;
