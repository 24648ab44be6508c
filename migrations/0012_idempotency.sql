-- What was answered to a POST that bore an Idempotency-Key (decision 9): a row that commits with the effect it guards.
-- Neither the key nor who sent it is here, only a digest of both; the answer is masked with what only they know.
CREATE TABLE idempotency_keys (
    scope bytea PRIMARY KEY CHECK (length(scope) = 32),
    body_hash bytea NOT NULL CHECK (length(body_hash) = 32),
    answer bytea,
    checkout_id uuid REFERENCES checkouts ON DELETE CASCADE, -- begun under this key, perhaps not answered yet
    leased_until timestamptz,                                -- somebody is working on the answer
    created_at timestamptz NOT NULL
);
CREATE INDEX idempotency_keys_by_age ON idempotency_keys (created_at);
CREATE INDEX idempotency_keys_of_checkout ON idempotency_keys (checkout_id) WHERE checkout_id IS NOT NULL;
