-- Money that has to go back, and what Stripe has told us. A refund is a row first and a call second.

CREATE TYPE refund_status AS ENUM ('pending', 'processed', 'failed');

CREATE TABLE refunds (
    id uuid PRIMARY KEY,                     -- also the idempotency key of the call to Stripe
    payment_intent_id text NOT NULL,
    order_id uuid REFERENCES orders,         -- none when the payment could not be booked at all
    order_item_id uuid UNIQUE REFERENCES order_items,
    amount_cents integer NOT NULL CHECK (amount_cents > 0),
    reason text NOT NULL CHECK (length(reason) BETWEEN 1 AND 500),
    status refund_status NOT NULL DEFAULT 'pending',
    stripe_refund_id text UNIQUE,
    attempts integer NOT NULL DEFAULT 0,
    next_attempt_at timestamptz NOT NULL,
    created_at timestamptz NOT NULL,
    processed_at timestamptz,
    CHECK ((status = 'processed') = (processed_at IS NOT NULL)),
    CHECK (status <> 'processed' OR stripe_refund_id IS NOT NULL)
);
-- A payment that bought nothing goes back whole, once.
CREATE UNIQUE INDEX refunds_one_per_unbooked_payment ON refunds (payment_intent_id) WHERE order_id IS NULL;
CREATE INDEX refunds_due ON refunds (next_attempt_at) WHERE status = 'pending';

CREATE TABLE webhook_events (
    source text NOT NULL,
    external_event_id text NOT NULL,
    type text NOT NULL,
    received_at timestamptz NOT NULL,
    processed_at timestamptz,                -- set by the transaction that did what the event asks
    attempts integer NOT NULL DEFAULT 1,
    PRIMARY KEY (source, external_event_id)
);
