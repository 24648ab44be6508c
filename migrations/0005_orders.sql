-- From a frozen cart to an order. A checkout is the snapshot that settlement books from; it outlives settlement.

CREATE TYPE checkout_status AS ENUM ('open', 'processing', 'settled', 'failed', 'cancelled', 'refunded');

CREATE TABLE checkouts (
    id uuid PRIMARY KEY,
    product product NOT NULL,
    status checkout_status NOT NULL DEFAULT 'open',
    payment_intent_id text UNIQUE,
    client_secret_hash bytea CHECK (length(client_secret_hash) = 32),
    cart_id uuid,
    cart_version integer NOT NULL,
    session_hash bytea CHECK (length(session_hash) = 32),
    user_id uuid REFERENCES users,
    buyer jsonb,          -- guest account details, with the password's hash; emptied at settlement or expiry
    billing jsonb,
    items jsonb NOT NULL CHECK (jsonb_array_length(items) > 0),
    coupon_id uuid,
    coupon_code text,
    subtotal_cad numeric(10, 2) NOT NULL CHECK (subtotal_cad >= 0),
    discount_cad numeric(10, 2) NOT NULL CHECK (discount_cad BETWEEN 0 AND subtotal_cad),
    total_cad numeric(10, 2) NOT NULL CHECK (total_cad = subtotal_cad - discount_cad),
    credits_applied_cad numeric(10, 2) NOT NULL DEFAULT 0 CHECK (credits_applied_cad BETWEEN 0 AND total_cad),
    amount_cents integer NOT NULL CHECK (amount_cents = (total_cad - credits_applied_cad) * 100),
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    settled_at timestamptz,
    order_id uuid UNIQUE,
    failure_code text,          -- why the card was last refused, in Stripe's words
    failure_decline_code text,
    failure_kind text,
    account_created boolean NOT NULL DEFAULT false,  -- settlement made the buyer's account
    signed_in_at timestamptz,                        -- the buyer's session was opened, once
    CHECK (session_hash IS NOT NULL OR user_id IS NOT NULL),
    CHECK ((status = 'settled') = (order_id IS NOT NULL)),
    CONSTRAINT checkouts_cart_of_their_product FOREIGN KEY (cart_id, product)
        REFERENCES carts (id, product) ON DELETE SET NULL (cart_id),
    CONSTRAINT checkouts_coupon_of_their_product FOREIGN KEY (coupon_id, product)
        REFERENCES coupons (id, product) ON DELETE SET NULL (coupon_id)
);
-- One open checkout per cart: two tabs of one cart pay one intent (spec 5.8).
CREATE UNIQUE INDEX checkouts_one_open_per_cart ON checkouts (cart_id) WHERE status IN ('open', 'processing');
CREATE INDEX checkouts_waiting ON checkouts (created_at) WHERE status IN ('open', 'processing');

CREATE TYPE order_status AS ENUM ('created', 'paid', 'failed', 'refunded', 'partially_refunded');
CREATE TYPE order_source AS ENUM ('stripe', 'credit', 'free', 'manual');

CREATE TABLE orders (
    id uuid PRIMARY KEY,
    product product NOT NULL,
    order_number bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
    user_id uuid NOT NULL REFERENCES users,
    status order_status NOT NULL,
    source order_source NOT NULL,
    subtotal_cad numeric(10, 2) NOT NULL CHECK (subtotal_cad >= 0),
    discount_cad numeric(10, 2) NOT NULL CHECK (discount_cad BETWEEN 0 AND subtotal_cad),
    total_cad numeric(10, 2) NOT NULL CHECK (total_cad >= 0 AND total_cad = subtotal_cad - discount_cad),
    credits_applied_cad numeric(10, 2) NOT NULL DEFAULT 0 CHECK (credits_applied_cad BETWEEN 0 AND total_cad),
    refunded_cad numeric(10, 2) NOT NULL DEFAULT 0 CHECK (refunded_cad BETWEEN 0 AND total_cad),
    currency char(3) NOT NULL DEFAULT 'CAD' CHECK (currency = 'CAD'),
    stripe_payment_intent_id text UNIQUE,
    coupon_id uuid,
    coupon_code text,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    CHECK ((source = 'stripe') = (stripe_payment_intent_id IS NOT NULL)),
    UNIQUE (id, product),
    CONSTRAINT orders_coupon_of_their_product FOREIGN KEY (coupon_id, product)
        REFERENCES coupons (id, product) ON DELETE SET NULL (coupon_id)
);
CREATE INDEX orders_of_user ON orders (user_id, created_at);

ALTER TABLE checkouts ADD CONSTRAINT checkouts_order FOREIGN KEY (order_id, product) REFERENCES orders (id, product);

-- What is sold, whatever it is, is a line with a kind, a title and a price. What it is besides is its other half, in the
-- table of its kind: the reference with the kind lets a line have none but its own.
CREATE TYPE item_kind AS ENUM ('session', 'access');

CREATE TABLE order_items (
    id uuid PRIMARY KEY,
    order_id uuid NOT NULL REFERENCES orders,
    kind item_kind NOT NULL,
    position smallint NOT NULL CHECK (position >= 0),
    title_fr text NOT NULL CHECK (title_fr <> ''), -- as it was sold
    unit_price_cad numeric(10, 2) NOT NULL CHECK (unit_price_cad >= 0),
    line_total_cad numeric(10, 2) NOT NULL CHECK (line_total_cad >= 0),
    discount_share_cad numeric(10, 2) NOT NULL CHECK (discount_share_cad BETWEEN 0 AND line_total_cad),
    credit_share_cad numeric(10, 2) NOT NULL DEFAULT 0,
    UNIQUE (id, kind),
    CONSTRAINT order_items_position UNIQUE (order_id, position),
    CONSTRAINT order_items_credit_share CHECK (credit_share_cad BETWEEN 0 AND line_total_cad - discount_share_cad)
);

CREATE TABLE session_items (
    id uuid PRIMARY KEY,
    kind item_kind NOT NULL DEFAULT 'session' CHECK (kind = 'session'),
    course_id uuid NOT NULL REFERENCES courses,
    tutor_id uuid NOT NULL REFERENCES tutors,
    start_datetime timestamptz NOT NULL,
    end_datetime timestamptz NOT NULL,
    duration_min smallint NOT NULL CHECK (duration_min IN (60, 90, 120)),
    UNIQUE (id, tutor_id),
    CONSTRAINT session_items_of_their_kind FOREIGN KEY (id, kind) REFERENCES order_items (id, kind),
    CONSTRAINT session_items_end CHECK (end_datetime = start_datetime + make_interval(mins => duration_min::int))
);
CREATE INDEX session_items_of_tutor ON session_items (tutor_id, start_datetime);

-- What a tutor is owed for a session: theirs alone, and never read where a student may see it.
CREATE TYPE earnings_status AS ENUM ('scheduled', 'earned', 'paid', 'cancelled');
CREATE TABLE earnings (
    order_item_id uuid PRIMARY KEY,
    tutor_id uuid NOT NULL,
    hours numeric(5, 2) NOT NULL CHECK (hours > 0),
    rate_cad numeric(10, 2) NOT NULL CHECK (rate_cad > 0),
    amount_cad numeric(10, 2) NOT NULL CHECK (amount_cad >= 0),
    status earnings_status NOT NULL DEFAULT 'scheduled',
    paid_at timestamptz,
    CONSTRAINT earnings_of_their_session FOREIGN KEY (order_item_id, tutor_id) REFERENCES session_items (id, tutor_id),
    CONSTRAINT earnings_paid_some_time CHECK ((status = 'paid') = (paid_at IS NOT NULL))
);

CREATE TYPE appointment_status AS ENUM ('scheduled', 'cancelled', 'completed', 'refunded');

CREATE TABLE appointments (
    id uuid PRIMARY KEY,
    user_id uuid NOT NULL REFERENCES users,
    tutor_id uuid NOT NULL REFERENCES tutors,
    course_id uuid NOT NULL REFERENCES courses,
    order_item_id uuid UNIQUE REFERENCES session_items,
    start_datetime timestamptz NOT NULL,
    end_datetime timestamptz NOT NULL,
    status appointment_status NOT NULL DEFAULT 'scheduled',
    meeting_link text CHECK (meeting_link ~ '^https?://' AND length(meeting_link) <= 2048),
    cancellation_reason text,
    cancelled_by uuid REFERENCES users,
    cancelled_at timestamptz,
    completed_at timestamptz,
    reminder_sent_at timestamptz,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    CHECK (end_datetime > start_datetime),
    CHECK ((status = 'cancelled') = (cancelled_at IS NOT NULL)),
    -- An appointment that takes place owns exactly its minutes of its tutor: the claim must exist, say the same,
    -- and cannot be deleted or moved alone.
    claim_id uuid GENERATED ALWAYS AS (CASE WHEN status IN ('scheduled', 'completed') THEN id END) STORED,
    during tstzrange GENERATED ALWAYS AS (tstzrange(start_datetime, end_datetime)) STORED,
    CONSTRAINT appointments_own_their_time FOREIGN KEY (claim_id, tutor_id, during)
        REFERENCES time_claims (id, tutor_id, during) DEFERRABLE INITIALLY DEFERRED
);
CREATE INDEX appointments_of_user ON appointments (user_id, status, start_datetime);
CREATE INDEX appointments_of_tutor ON appointments (tutor_id, start_datetime);

-- Exact usage of every coupon: one row per order that used it (X-10).
CREATE TABLE coupon_redemptions (
    order_id uuid PRIMARY KEY REFERENCES orders,
    coupon_id uuid NOT NULL REFERENCES coupons,
    user_id uuid NOT NULL REFERENCES users,
    code text NOT NULL,
    discount_cad numeric(10, 2) NOT NULL CHECK (discount_cad >= 0),
    over_limit boolean NOT NULL DEFAULT false,
    created_at timestamptz NOT NULL
);
CREATE INDEX coupon_redemptions_of_coupon ON coupon_redemptions (coupon_id, created_at);
