-- What becomes of facts on their way to Make.com (make-webhooks b.3, b.7, e.2), and who did what about it.

CREATE TYPE endpoint_state AS ENUM ('active', 'open', 'paused');

-- The health of each of Make's URLs; no row is an active one. `probe_at` is empty when only a person resumes it.
CREATE TABLE webhook_endpoints (
    area text PRIMARY KEY,
    state endpoint_state NOT NULL DEFAULT 'active',
    reason text,
    consecutive_failures integer NOT NULL DEFAULT 0,
    failing_since timestamptz,
    opened_at timestamptz,
    probe_at timestamptz,
    probe_wait_seconds integer NOT NULL DEFAULT 0,
    last_success_at timestamptz,
    CHECK (state = 'active' OR (opened_at IS NOT NULL AND reason IS NOT NULL)),
    CHECK (state <> 'open' OR probe_at IS NOT NULL)
);

CREATE TABLE webhook_redeliveries (
    id uuid PRIMARY KEY,
    actor_id uuid REFERENCES users,
    events integer NOT NULL,
    created_at timestamptz NOT NULL,
    stopped_at timestamptz
);

ALTER TABLE outbox
    ADD COLUMN endpoint text,                -- the area it goes to, fallback applied; known once it was tried
    ADD COLUMN trigger text NOT NULL DEFAULT 'auto' CHECK (trigger IN ('auto', 'canary', 'manual')),
    ADD COLUMN actor_id uuid REFERENCES users,
    ADD COLUMN redelivery_id uuid REFERENCES webhook_redeliveries,
    ADD COLUMN resting_status delivery_status, -- what it was when somebody asked for it again
    ADD COLUMN forced integer NOT NULL DEFAULT 0,
    ADD COLUMN last_status_code integer,
    DROP CONSTRAINT outbox_check,
    ADD CONSTRAINT delivered_some_time CHECK (status <> 'delivered' OR delivered_at IS NOT NULL);

DROP INDEX outbox_due;
CREATE INDEX outbox_due ON outbox (next_attempt_at) WHERE status IN ('pending', 'retrying');
CREATE INDEX outbox_waiting ON outbox (endpoint, created_at) WHERE status IN ('pending', 'retrying', 'held');
CREATE INDEX outbox_undelivered ON outbox (created_at, event_id) WHERE status IN ('exhausted', 'held', 'skipped');
CREATE INDEX outbox_by_age ON outbox (created_at, event_id);
CREATE INDEX outbox_of_redelivery ON outbox (redelivery_id) WHERE redelivery_id IS NOT NULL;

-- Failed attempts and manual ones; a first-try success leaves none (R-2).
CREATE TABLE webhook_attempts (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    event_id text NOT NULL REFERENCES outbox ON DELETE CASCADE,
    attempt_no integer NOT NULL,
    trigger text NOT NULL,
    started_at timestamptz NOT NULL,
    duration_ms integer NOT NULL,
    status_code integer,
    error_class text,                        -- empty when it was delivered
    response_excerpt text CHECK (length(response_excerpt) <= 4096),
    actor_id uuid REFERENCES users
);
CREATE INDEX webhook_attempts_of_event ON webhook_attempts (event_id);
CREATE INDEX webhook_attempts_by_age ON webhook_attempts (started_at);

-- Facts whose row was deleted once they were delivered (R-1): never told again (b.4), their numbers not given out
-- again (b.5). Not what they said, nor when, nor what came of them.
CREATE TABLE outbox_forgotten (
    dedupe_key text PRIMARY KEY,
    ordering_key text NOT NULL,
    sequence integer NOT NULL,
    UNIQUE (ordering_key, sequence)
);

-- Who did what to what. Only ever added to.
CREATE TABLE audit_log (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at timestamptz NOT NULL,
    actor_id uuid REFERENCES users,          -- empty when it was done from the command line
    action text NOT NULL,
    entity text NOT NULL,
    entity_id text NOT NULL,
    before jsonb,
    after jsonb
);
CREATE INDEX audit_log_of_entity ON audit_log (entity, entity_id, id);
CREATE INDEX audit_log_by_age ON audit_log (at, id);
