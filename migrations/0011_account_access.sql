-- The way back into an account whose password is lost: one token a person, good for an hour, used by being deleted.
-- The token itself is only in the event that Make.com turns into an e-mail; here is its SHA-256.
CREATE TABLE password_reset_tokens (
    token_hash bytea PRIMARY KEY CHECK (length(token_hash) = 32),
    user_id uuid UNIQUE REFERENCES users ON DELETE CASCADE, -- nobody's when the e-mail has no account
    expires_at timestamptz NOT NULL
);
CREATE INDEX password_reset_tokens_expiring ON password_reset_tokens (expires_at);
