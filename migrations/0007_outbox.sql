-- Facts on their way out, written by the transaction that made them true (make-webhooks b.4 to b.7).

CREATE TYPE delivery_status AS ENUM
    ('pending', 'enqueued', 'delivering', 'retrying', 'held', 'skipped', 'delivered', 'exhausted', 'cancelled');

CREATE TABLE outbox (
    event_id text PRIMARY KEY CHECK (event_id ~ '^evt_[0-9a-f]{32}$'),
    type text NOT NULL,
    dedupe_key text NOT NULL UNIQUE,
    ordering_key text NOT NULL,
    sequence integer NOT NULL CHECK (sequence > 0),
    body bytea,                              -- the exact bytes that are signed and sent, every time
    status delivery_status NOT NULL DEFAULT 'pending',
    attempts integer NOT NULL DEFAULT 0,
    next_attempt_at timestamptz NOT NULL,
    lease_until timestamptz,
    last_error text CHECK (length(last_error) <= 4096),
    created_at timestamptz NOT NULL,
    delivered_at timestamptz,
    UNIQUE (ordering_key, sequence),
    CHECK ((status = 'delivered') = (delivered_at IS NOT NULL))
);
CREATE INDEX outbox_due ON outbox (next_attempt_at, sequence) WHERE status IN ('pending', 'retrying');
CREATE INDEX outbox_leased ON outbox (lease_until) WHERE status IN ('enqueued', 'delivering');
