-- What a person is about to buy, and the discounts they may use.

-- Carts, checkouts, orders and coupons are of one product, and never of two: references carry it along.
CREATE TYPE product AS ENUM ('tutoring', 'training');

CREATE TYPE coupon_type AS ENUM ('percent', 'fixed');

CREATE TABLE coupons (
    id uuid PRIMARY KEY,
    product product NOT NULL,
    code text NOT NULL CHECK (code ~ '^[A-Z0-9_-]{3,40}$'),
    type coupon_type NOT NULL,
    value numeric(10, 2) NOT NULL CHECK (value > 0),
    starts_at timestamptz,
    ends_at timestamptz,
    max_redemptions integer CHECK (max_redemptions > 0),
    redemption_count integer NOT NULL DEFAULT 0 CHECK (redemption_count >= 0),
    max_per_person integer CONSTRAINT coupons_max_per_person CHECK (max_per_person > 0),
    active boolean NOT NULL DEFAULT true,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CHECK (type <> 'percent' OR value <= 100),
    CHECK (starts_at < ends_at),
    CHECK (redemption_count <= max_redemptions),
    CONSTRAINT coupons_one_per_code UNIQUE (code, product),
    UNIQUE (id, product)
);

-- A cart belongs to an account or to the SHA-256 of a guest's cookie, never to both; each has one of each product.
CREATE TABLE carts (
    id uuid PRIMARY KEY,
    product product NOT NULL,
    user_id uuid REFERENCES users ON DELETE CASCADE,
    session_hash bytea CHECK (length(session_hash) = 32),
    coupon_id uuid,
    version integer NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    CHECK (num_nonnulls(user_id, session_hash) = 1),
    UNIQUE (id, product),
    CONSTRAINT carts_one_per_account UNIQUE (user_id, product),
    CONSTRAINT carts_one_per_guest UNIQUE (session_hash, product),
    CONSTRAINT carts_coupon_of_their_product FOREIGN KEY (coupon_id, product)
        REFERENCES coupons (id, product) ON DELETE SET NULL (coupon_id)
);

CREATE TYPE tutor_selection AS ENUM ('auto', 'explicit');

CREATE TABLE cart_sessions (
    id uuid PRIMARY KEY,
    cart_id uuid NOT NULL,
    product product NOT NULL DEFAULT 'tutoring' CHECK (product = 'tutoring'),
    course_id uuid NOT NULL,
    tutor_id uuid NOT NULL,
    tutor_selection tutor_selection NOT NULL,
    start_datetime timestamptz NOT NULL CHECK (extract(epoch FROM start_datetime) % 1800 = 0),
    duration_min smallint NOT NULL CHECK (duration_min IN (60, 90, 120)),
    unit_price_cad numeric(10, 2) NOT NULL CHECK (unit_price_cad > 0),
    line_total_cad numeric(10, 2) NOT NULL CHECK (line_total_cad = unit_price_cad),
    hold_expires_at timestamptz NOT NULL,
    created_at timestamptz NOT NULL,
    removed_at timestamptz, -- kept, so that removing twice is harmless and a stranger's item is unknown
    FOREIGN KEY (tutor_id, course_id) REFERENCES tutor_courses,
    CONSTRAINT cart_sessions_of_their_cart FOREIGN KEY (cart_id, product)
        REFERENCES carts (id, product) ON DELETE CASCADE
);
CREATE INDEX cart_sessions_of_cart ON cart_sessions (cart_id) WHERE removed_at IS NULL;

-- The owner's cart of a product.
CREATE FUNCTION find_cart(sold product, owner_id uuid, owner_session bytea) RETURNS uuid STABLE LANGUAGE plpgsql AS
$$
BEGIN
    IF owner_id IS NOT NULL THEN
        RETURN (SELECT id FROM carts WHERE user_id = owner_id AND product = sold);
    END IF;
    RETURN (SELECT id FROM carts WHERE session_hash = owner_session AND product = sold);
END
$$;

-- Sessions into a cart that still is as the caller has read it: all of them or none. Each wanted session names the
-- tutors who may give it, best first. A row per session with the tutor who gives it; no row when a time cannot be
-- had; one row of nulls when the cart has changed. Without a version the cart is made.
-- Who claims one time waits for nobody while holding something others could want, so nothing needs to be locked
-- first; who claims several, or clears expired holds out of the way, locks the tutors, in order.
-- It does not wait for the disk: should PostgreSQL crash, carts and holds of its last half second are gone together, and
-- a hold lives fifteen minutes anyway. Whatever is paid waits, and takes all before it along.
CREATE FUNCTION put_in_cart(
    cart uuid, expected_version integer, owner_id uuid, owner_session bytea, wanted jsonb, replaced jsonb,
    expires_at timestamptz, at timestamptz)
    RETURNS TABLE (item_id uuid, given_by uuid) VOLATILE LANGUAGE plpgsql AS
$$
DECLARE
    session record;
    done uuid[] := '{}';
    givers uuid[] := '{}';
BEGIN
    PERFORM set_config('synchronous_commit', 'off', true);
    IF expected_version IS NULL THEN
        INSERT INTO carts (product, id, user_id, session_hash, version, created_at, updated_at)
        VALUES ('tutoring', cart, owner_id, owner_session, 1, at, at) ON CONFLICT DO NOTHING;
    ELSE
        PERFORM FROM carts WHERE id = cart AND version = expected_version FOR UPDATE;
    END IF;
    IF NOT FOUND THEN
        RETURN QUERY SELECT NULL::uuid, NULL::uuid;
        RETURN;
    END IF;
    IF jsonb_array_length(wanted) > 1 THEN
        PERFORM lock_tutors(ARRAY(SELECT jsonb_array_elements_text(jsonb_path_query(wanted, '$[*].tutors'))::uuid));
    END IF;
    FOR session IN
        SELECT * FROM jsonb_to_recordset(wanted) AS asked (
            id uuid, course_id uuid, selection tutor_selection, tutors uuid[], starts timestamptz, ends timestamptz,
            minutes smallint, price numeric)
    LOOP
        item_id := session.id;
        given_by := session.tutors[1];
        IF NOT EXISTS (SELECT FROM claim_time(item_id, given_by, session.starts, session.ends, 'hold', expires_at)) THEN
            given_by := claim_with_any(item_id, session.tutors, session.starts, session.ends, expires_at, at);
        END IF;
        IF given_by IS NULL THEN
            DELETE FROM cart_sessions WHERE id = ANY (done);
            DELETE FROM time_claims WHERE id = ANY (done);
            DELETE FROM carts WHERE id = cart AND expected_version IS NULL;
            RETURN;
        END IF;
        INSERT INTO cart_sessions (id, cart_id, course_id, tutor_id, tutor_selection, start_datetime, duration_min,
                                unit_price_cad, line_total_cad, hold_expires_at, created_at)
        VALUES (item_id, cart, session.course_id, given_by, session.selection, session.starts, session.minutes,
                session.price, session.price, put_in_cart.expires_at, at);
        done := done || item_id;
        givers := givers || given_by;
    END LOOP;
    IF expected_version IS NOT NULL THEN
        UPDATE carts SET version = version + 1, updated_at = at WHERE id = cart;
    END IF;
    IF replaced <> '[]' THEN
        UPDATE cart_sessions SET removed_at = at
         WHERE id IN (SELECT jsonb_array_elements_text(replaced)::uuid) AND removed_at IS NULL;
        DELETE FROM time_claims WHERE id IN (SELECT jsonb_array_elements_text(replaced)::uuid) AND kind = 'hold';
    END IF;
    RETURN QUERY SELECT * FROM unnest(done, givers);
END
$$;
