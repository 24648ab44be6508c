-- Access to trainings: in a cart, in an order, in time.

-- What a cart of trainings holds. `shown_cad` is the price as its owner last saw it: another one is told before it is
-- charged.
CREATE TABLE cart_trainings (
    id uuid PRIMARY KEY,
    cart_id uuid NOT NULL,
    product product NOT NULL DEFAULT 'training' CONSTRAINT cart_trainings_product CHECK (product = 'training'),
    training_id uuid NOT NULL CONSTRAINT cart_trainings_training REFERENCES trainings,
    shown_cad numeric(10, 2) NOT NULL CONSTRAINT cart_trainings_price CHECK (shown_cad >= 0),
    created_at timestamptz NOT NULL,
    removed_at timestamptz, -- kept, so that removing twice is harmless and a stranger's item is unknown
    CONSTRAINT cart_trainings_of_their_cart FOREIGN KEY (cart_id, product)
        REFERENCES carts (id, product) ON DELETE CASCADE
);
CREATE UNIQUE INDEX cart_trainings_once ON cart_trainings (cart_id, training_id) WHERE removed_at IS NULL;
CREATE INDEX cart_trainings_of_cart ON cart_trainings (cart_id);
CREATE INDEX cart_trainings_of_training ON cart_trainings (training_id);

-- Which trainings a coupon is for; one without rows is for all.
CREATE TABLE coupon_trainings (
    coupon_id uuid NOT NULL,
    product product NOT NULL DEFAULT 'training' CONSTRAINT coupon_trainings_product CHECK (product = 'training'),
    training_id uuid NOT NULL CONSTRAINT coupon_trainings_training REFERENCES trainings,
    CONSTRAINT coupon_trainings_pkey PRIMARY KEY (coupon_id, training_id),
    CONSTRAINT coupon_trainings_of_their_coupon FOREIGN KEY (coupon_id, product)
        REFERENCES coupons (id, product) ON DELETE CASCADE
);
CREATE INDEX coupon_trainings_of_training ON coupon_trainings (training_id);

-- The other half of an order's line that sells access.
CREATE TABLE access_items (
    id uuid PRIMARY KEY,
    kind item_kind NOT NULL DEFAULT 'access' CONSTRAINT access_items_kind CHECK (kind = 'access'),
    training_id uuid NOT NULL CONSTRAINT access_items_training REFERENCES trainings,
    access_days integer NOT NULL CONSTRAINT access_items_days CHECK (access_days > 0),
    CONSTRAINT access_items_of_their_kind FOREIGN KEY (id, kind) REFERENCES order_items (id, kind)
);
CREATE INDEX access_items_of_training ON access_items (training_id);

-- Who may follow a training, and when. Nobody twice at one time: of two purchases at once, one is an enrolment. The line
-- that was paid is written after it, in the same transaction.
CREATE TYPE enrolment_source AS ENUM ('purchase', 'grant', 'import');
CREATE TABLE enrolments (
    id uuid PRIMARY KEY,
    user_id uuid NOT NULL CONSTRAINT enrolments_user REFERENCES users,
    training_id uuid NOT NULL CONSTRAINT enrolments_training REFERENCES trainings,
    source enrolment_source NOT NULL,
    order_item_id uuid CONSTRAINT enrolments_once_per_line UNIQUE
        CONSTRAINT enrolments_line REFERENCES access_items DEFERRABLE INITIALLY DEFERRED,
    starts_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    revoked_at timestamptz,
    created_at timestamptz NOT NULL,
    during tstzrange GENERATED ALWAYS AS (tstzrange(starts_at, expires_at)) STORED,
    CONSTRAINT enrolments_last CHECK (expires_at > starts_at),
    CONSTRAINT enrolments_paid_by_a_line CHECK ((source = 'purchase') = (order_item_id IS NOT NULL)),
    CONSTRAINT enrolments_one_at_a_time
        EXCLUDE USING gist (user_id WITH =, training_id WITH =, during WITH &&) WHERE (revoked_at IS NULL)
);
CREATE INDEX enrolments_of_user ON enrolments (user_id, created_at, id);
CREATE INDEX enrolments_of_training ON enrolments (training_id);

-- How an enrolment stands. At the very moment when it expires it has expired; of none at all, null.
CREATE FUNCTION enrolment_status(enrolment enrolments, at timestamptz) RETURNS text
    IMMUTABLE LANGUAGE sql
    RETURN CASE WHEN (enrolment).revoked_at IS NOT NULL THEN 'revoked'
                WHEN (enrolment).expires_at <= at THEN 'expired'
                WHEN (enrolment).expires_at > at THEN 'active' END;

-- A cart of trainings as it stands: a row per line by the time it was put there (one without a line when it is empty).
-- What a line costs now stands beside what was shown; `enrolled` says that the account follows the training already.
CREATE TYPE training_cart_row AS (
    cart_id uuid, version integer,
    coupon_id uuid, code text, coupon_type text, value numeric, starts_at timestamptz, ends_at timestamptz,
    max_redemptions integer, uses_taken integer, coupon_active boolean, max_per_person integer, uses_by_person integer,
    item_id uuid, training_id uuid, slug text, title_fr text, category_slug text, category_name_fr text,
    shown_cad numeric, price_cad numeric, access_days integer, published boolean, enrolled boolean,
    takes_coupon boolean);

CREATE FUNCTION cart_of_trainings(cart uuid, at timestamptz)
    RETURNS SETOF training_cart_row
    STABLE LANGUAGE sql AS
$$
    SELECT carts.id, carts.version,
           coupons.id, coupons.code, coupons.type::text, coupons.value, coupons.starts_at, coupons.ends_at,
           coupons.max_redemptions,
           CASE WHEN coupons.id IS NOT NULL THEN uses_taken(coupons, carts.id) END,
           coupons.active, coupons.max_per_person,
           (SELECT count(*) FROM coupon_redemptions AS used
             WHERE used.coupon_id = coupons.id AND used.user_id = carts.user_id)::integer,
           item.id, item.training_id, training.slug, training.title_fr, category.slug, category.name_fr,
           item.shown_cad, training.price_cad, training.access_days, training.state = 'published',
           EXISTS (SELECT FROM enrolments AS own
                    WHERE own.user_id = carts.user_id AND own.training_id = item.training_id
                      AND own.revoked_at IS NULL AND own.during @> at),
           coupons.id IS NOT NULL
           AND (NOT EXISTS (SELECT FROM coupon_trainings AS chosen WHERE chosen.coupon_id = coupons.id)
                OR EXISTS (SELECT FROM coupon_trainings AS chosen
                            WHERE chosen.coupon_id = coupons.id AND chosen.training_id = item.training_id))
      FROM carts
      LEFT JOIN coupons ON coupons.id = carts.coupon_id
      LEFT JOIN cart_trainings AS item ON item.cart_id = carts.id AND item.removed_at IS NULL
      LEFT JOIN trainings AS training ON training.id = item.training_id
      LEFT JOIN training_categories AS category ON category.id = training.category_id
     WHERE carts.id = cart
     ORDER BY item.created_at, item.id
$$;

-- A training into its owner's cart, which is made when missing, and the cart as it stands after; no row when the
-- training was put there meanwhile.
CREATE FUNCTION put_training_in_cart(
    new_cart uuid, owner_id uuid, owner_session bytea, new_item uuid, wanted uuid, price numeric, at timestamptz)
    RETURNS SETOF training_cart_row VOLATILE LANGUAGE plpgsql AS
$$
DECLARE
    cart uuid;
BEGIN
    IF owner_id IS NOT NULL THEN
        INSERT INTO carts (id, product, user_id, created_at, updated_at) VALUES (new_cart, 'training', owner_id, at, at)
        ON CONFLICT (user_id, product) DO NOTHING;
    ELSE
        INSERT INTO carts (id, product, session_hash, created_at, updated_at)
        VALUES (new_cart, 'training', owner_session, at, at)
        ON CONFLICT (session_hash, product) DO NOTHING;
    END IF;
    SELECT id INTO cart FROM carts WHERE id = find_cart('training', owner_id, owner_session) FOR UPDATE;
    IF cart IS NULL THEN -- a sign-in has merged it in this moment: the caller tries again
        RAISE EXCEPTION 'the cart is gone' USING ERRCODE = 'deadlock_detected';
    END IF;
    INSERT INTO cart_trainings (id, cart_id, training_id, shown_cad, created_at)
    VALUES (new_item, cart, wanted, price, at)
    ON CONFLICT (cart_id, training_id) WHERE removed_at IS NULL DO NOTHING;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    UPDATE carts SET version = version + 1, updated_at = at WHERE id = cart;
    RETURN QUERY SELECT * FROM cart_of_trainings(cart, at);
END
$$;

-- A published training as a visitor sees it. A type, because what a function returns as a TABLE leaves it without its
-- scale and its collation, and would be sorted by no index.
CREATE TYPE seen_training AS (
    id uuid,
    slug text,
    title_fr text,
    description_fr text,
    price_cad numeric(10, 2),
    access_days integer,
    title_folded text COLLATE "C",
    published_at timestamptz,
    category_slug text,
    category_name_fr text,
    in_cart boolean,
    access text
);

-- What their visitor has of each stands beside it: whether it is in their cart, and whether their access is 'active' or
-- 'expired' (null: they never had any). One of owner_id and owner_session is null, both for a stranger.

-- The published trainings of a category (null: of all), those that contain what was typed ('': all). PostgreSQL puts it
-- into the statement that asks: an order and a limit outside still find their index.
CREATE FUNCTION published_trainings(
    of_category text, containing text, owner_id uuid, owner_session bytea, at timestamptz)
    RETURNS SETOF seen_training STABLE LANGUAGE sql AS
$$
    SELECT training.id, training.slug, training.title_fr, training.description_fr, training.price_cad,
           training.access_days, training.title_folded, training.published_at, category.slug, category.name_fr,
           EXISTS (SELECT FROM cart_trainings AS item
                    WHERE item.training_id = training.id AND item.removed_at IS NULL
                      AND item.cart_id = (SELECT find_cart('training', owner_id, owner_session))),
           CASE WHEN EXISTS (SELECT FROM enrolments AS own
                              WHERE own.user_id = owner_id AND own.training_id = training.id
                                AND own.revoked_at IS NULL AND own.during @> at) THEN 'active'
                WHEN EXISTS (SELECT FROM enrolments AS own
                              WHERE own.user_id = owner_id AND own.training_id = training.id) THEN 'expired' END
      FROM trainings AS training
      JOIN training_categories AS category ON category.id = training.category_id
     WHERE training.state = 'published' AND training.search_folded ~ search_pattern(containing)
       AND (of_category IS NULL OR category.slug = of_category)
$$;
