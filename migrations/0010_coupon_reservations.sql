-- What an open payment keeps for itself: one use of its coupon (spec 3.4), beside the credits of 0009. Both are kept as
-- long as the checkout can be paid, and given up by whatever ends it.

ALTER TABLE coupons ADD COLUMN reserved_count integer NOT NULL DEFAULT 0 CHECK (reserved_count >= 0);

CREATE TABLE coupon_reservations (
    checkout_id uuid PRIMARY KEY REFERENCES checkouts,
    coupon_id uuid NOT NULL REFERENCES coupons ON DELETE CASCADE, -- a coupon may go while somebody pays: it is honoured
    created_at timestamptz NOT NULL
);
CREATE INDEX coupon_reservations_of_coupon ON coupon_reservations (coupon_id);

-- How often one person used a coupon or is paying with it elsewhere: the account of a checkout, or the guest who would
-- open one with its e-mail.
CREATE FUNCTION uses_by_buyer_of(paying uuid, used_coupon uuid) RETURNS bigint STABLE LANGUAGE sql AS
$$
    SELECT (SELECT count(*) FROM coupon_redemptions AS used
             WHERE used.coupon_id = used_coupon AND used.user_id = own.user_id)
         + (SELECT count(*) FROM coupon_reservations AS kept JOIN checkouts AS other ON other.id = kept.checkout_id
             WHERE kept.coupon_id = used_coupon AND other.id <> own.id
               AND (other.user_id = own.user_id OR lower(other.buyer ->> 'email') = lower(own.buyer ->> 'email')))
      FROM checkouts AS own WHERE own.id = paying
$$;

-- Whoever reserves waits for the coupon's row and then judges it as it stands, so the last use goes to one of two, and
-- one person who pays twice at once is counted. No CHECK says the same: an administrator may lower the limit of a coupon
-- somebody is paying with.
CREATE FUNCTION reserve_coupon() RETURNS trigger LANGUAGE plpgsql AS
$$
BEGIN
    IF TG_OP = 'INSERT' THEN
        UPDATE coupons SET reserved_count = reserved_count + 1
         WHERE id = NEW.coupon_id
           AND (max_redemptions IS NULL OR redemption_count + reserved_count < max_redemptions);
        IF NOT FOUND THEN
            RAISE EXCEPTION 'every use of this coupon is taken'
                  USING ERRCODE = 'check_violation', CONSTRAINT = 'coupons_use_what_is_left';
        END IF;
        IF EXISTS (SELECT FROM coupons
                    WHERE id = NEW.coupon_id AND max_per_person <= uses_by_buyer_of(NEW.checkout_id, id)) THEN
            RAISE EXCEPTION 'this person has used the coupon'
                  USING ERRCODE = 'check_violation', CONSTRAINT = 'coupons_use_per_person';
        END IF;
    ELSE
        UPDATE coupons SET reserved_count = reserved_count - 1 WHERE id = OLD.coupon_id;
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER coupon_reservations_reserve AFTER INSERT OR DELETE ON coupon_reservations
    FOR EACH ROW EXECUTE FUNCTION reserve_coupon();
CREATE TRIGGER coupon_reservations_stay BEFORE UPDATE ON coupon_reservations
    FOR EACH ROW EXECUTE FUNCTION refuse_change();

-- Whoever ends a checkout, and however, only sets its status: what it kept is free again, and the password's hash of
-- the account it would have opened is gone (P6).
CREATE FUNCTION withdraw_checkout() RETURNS trigger LANGUAGE plpgsql AS
$$
BEGIN
    DELETE FROM coupon_reservations WHERE checkout_id = NEW.id;
    DELETE FROM credit_reservations WHERE checkout_id = NEW.id;
    NEW.buyer := NEW.buyer - 'password_hash';
    RETURN NEW;
END
$$;
CREATE TRIGGER checkouts_withdraw BEFORE UPDATE OF status ON checkouts FOR EACH ROW
    WHEN (OLD.status IN ('open', 'processing') AND NEW.status NOT IN ('open', 'processing'))
    EXECUTE FUNCTION withdraw_checkout();

-- How often a coupon was used or is being paid with, by anybody but this cart.
CREATE FUNCTION uses_taken(coupon coupons, cart uuid) RETURNS integer STABLE LANGUAGE plpgsql AS
$$
BEGIN
    IF coupon.reserved_count = 0 THEN
        RETURN coupon.redemption_count;
    END IF;
    RETURN coupon.redemption_count + coupon.reserved_count - (
        SELECT count(*) FROM checkouts JOIN coupon_reservations AS own ON own.checkout_id = checkouts.id
         WHERE checkouts.cart_id = cart AND status IN ('open', 'processing') AND own.coupon_id = coupon.id);
END
$$;

-- What a student can spend in this cart: the balance less what other payments have reserved.
CREATE FUNCTION credits_available(account credit_accounts, cart uuid) RETURNS numeric STABLE LANGUAGE plpgsql AS
$$
BEGIN
    IF account.reserved_cad = 0 THEN
        RETURN account.balance_cad;
    END IF;
    RETURN account.balance_cad - account.reserved_cad + coalesce((
        SELECT sum(amount_cad) FROM checkouts JOIN credit_reservations AS own ON own.checkout_id = checkouts.id
         WHERE checkouts.cart_id = cart AND status IN ('open', 'processing') AND own.user_id = account.user_id), 0);
END
$$;
