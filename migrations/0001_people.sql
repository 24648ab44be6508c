-- Accounts. An identity is a row here and nothing else (decision 7): a signed-in person without a row cannot exist.

CREATE EXTENSION IF NOT EXISTS citext;
CREATE EXTENSION IF NOT EXISTS btree_gist;

CREATE TYPE user_role AS ENUM ('student', 'tutor', 'admin');
CREATE TYPE user_status AS ENUM ('active', 'suspended');

CREATE TABLE users (
    id uuid PRIMARY KEY,
    email citext NOT NULL UNIQUE CHECK (email = btrim(email) AND email::text = lower(email::text)),
    first_name text NOT NULL CHECK (length(first_name) <= 100), -- empty where none was asked for
    last_name text NOT NULL CHECK (length(last_name) <= 100),
    phone text CHECK (phone ~ '^\+[1-9][0-9]{9,14}$'), -- E.164, as Make.com is promised
    role user_role NOT NULL DEFAULT 'student',
    status user_status NOT NULL DEFAULT 'active',
    password_hash text,
    stripe_customer_id text UNIQUE,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);

-- The token itself is only ever in the person's cookie; here is its SHA-256.
CREATE TABLE auth_sessions (
    token_hash bytea PRIMARY KEY CHECK (length(token_hash) = 32),
    user_id uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL CHECK (expires_at > created_at),
    revoked_at timestamptz
);
CREATE INDEX auth_sessions_of_user ON auth_sessions (user_id);
