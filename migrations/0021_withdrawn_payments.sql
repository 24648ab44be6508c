-- A changed cart withdraws its open payment, in the transaction that changes it (decision 19). What the payment had
-- reserved is free at once. Its intent can still be paid until the reconciliation, or the next checkout of the cart,
-- has cancelled it at Stripe.

-- Whoever changes a cart, and however, advances its version. Those who do have locked the cart, so that nobody holds
-- one of its checkouts and waits for something of theirs.
CREATE FUNCTION withdraw_payment_of_changed_cart() RETURNS trigger LANGUAGE plpgsql AS
$$
BEGIN
    UPDATE checkouts SET status = 'cancelled' WHERE cart_id = NEW.id AND status IN ('open', 'processing');
    RETURN NULL;
END
$$;
CREATE TRIGGER carts_withdraw_payment AFTER UPDATE OF version ON carts FOR EACH ROW
    WHEN (OLD.version <> NEW.version)
    EXECUTE FUNCTION withdraw_payment_of_changed_cart();

-- In place of withdraw_checkout (0010): the password's hash stays while the intent of a withdrawn checkout may still
-- be paid, because then it opens the account. It is gone at once when there is no intent that anybody could pay.
-- Nobody has asked Stripe about it since it was withdrawn, so it is the next to be asked about.
CREATE FUNCTION give_up_checkout() RETURNS trigger LANGUAGE plpgsql AS
$$
BEGIN
    DELETE FROM coupon_reservations WHERE checkout_id = NEW.id;
    DELETE FROM credit_reservations WHERE checkout_id = NEW.id;
    IF NEW.status <> 'cancelled' OR NEW.payment_intent_id IS NULL OR NEW.intent_closed_at IS NOT NULL THEN
        NEW.buyer := NEW.buyer - 'password_hash';
    END IF;
    NEW.asked_at := NULL;
    RETURN NEW;
END
$$;
CREATE TRIGGER checkouts_give_up BEFORE UPDATE OF status ON checkouts FOR EACH ROW
    WHEN (OLD.status IN ('open', 'processing') AND NEW.status NOT IN ('open', 'processing'))
    EXECUTE FUNCTION give_up_checkout();
DROP TRIGGER checkouts_withdraw ON checkouts;

-- What the reconciliation takes first.
CREATE INDEX checkouts_to_close ON checkouts (asked_at NULLS FIRST, created_at)
    WHERE status = 'cancelled' AND intent_closed_at IS NULL;

-- An order that lost every session while it was being paid gives the use of its coupon back. Those that did before:
WITH given_back AS (
    DELETE FROM coupon_redemptions AS used
     WHERE NOT EXISTS (SELECT FROM order_items AS item JOIN appointments ON order_item_id = item.id
                        WHERE item.order_id = used.order_id)
    RETURNING coupon_id, over_limit),
uses AS (SELECT coupon_id, count(*) AS given_back FROM given_back WHERE NOT over_limit GROUP BY 1)
UPDATE coupons SET redemption_count = redemption_count - given_back FROM uses WHERE coupons.id = uses.coupon_id;
