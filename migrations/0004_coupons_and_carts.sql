-- What a person is about to buy, and the discounts they may use.

CREATE TYPE coupon_type AS ENUM ('percent', 'fixed');

CREATE TABLE coupons (
    id uuid PRIMARY KEY,
    code text NOT NULL UNIQUE CHECK (code ~ '^[A-Z0-9_-]{3,40}$'),
    type coupon_type NOT NULL,
    value numeric(10, 2) NOT NULL CHECK (value > 0),
    starts_at timestamptz,
    ends_at timestamptz,
    max_redemptions integer CHECK (max_redemptions > 0),
    redemption_count integer NOT NULL DEFAULT 0 CHECK (redemption_count >= 0),
    active boolean NOT NULL DEFAULT true,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CHECK (type <> 'percent' OR value <= 100),
    CHECK (starts_at < ends_at),
    CHECK (redemption_count <= max_redemptions)
);

-- A cart belongs to an account or to the SHA-256 of a guest's cookie, never to both.
CREATE TABLE carts (
    id uuid PRIMARY KEY,
    user_id uuid UNIQUE REFERENCES users ON DELETE CASCADE,
    session_hash bytea UNIQUE CHECK (length(session_hash) = 32),
    coupon_id uuid REFERENCES coupons ON DELETE SET NULL,
    version integer NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    CHECK (num_nonnulls(user_id, session_hash) = 1)
);

CREATE TYPE tutor_selection AS ENUM ('auto', 'explicit');

CREATE TABLE cart_items (
    id uuid PRIMARY KEY,
    cart_id uuid NOT NULL REFERENCES carts ON DELETE CASCADE,
    course_id uuid NOT NULL REFERENCES courses,
    tutor_id uuid NOT NULL REFERENCES tutors,
    tutor_selection tutor_selection NOT NULL,
    start_datetime timestamptz NOT NULL CHECK (extract(epoch FROM start_datetime) % 1800 = 0),
    duration_min smallint NOT NULL CHECK (duration_min IN (60, 90, 120)),
    unit_price_cad numeric(10, 2) NOT NULL CHECK (unit_price_cad > 0),
    line_total_cad numeric(10, 2) NOT NULL CHECK (line_total_cad = unit_price_cad),
    hold_expires_at timestamptz NOT NULL,
    created_at timestamptz NOT NULL,
    removed_at timestamptz -- kept, so that removing twice is harmless and a stranger's item is unknown
);
CREATE INDEX cart_items_of_cart ON cart_items (cart_id) WHERE removed_at IS NULL;
