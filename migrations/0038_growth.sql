-- What is done all day costs the same however long the past is (bench/growth.py), and whoever deletes something finds
-- what refers to it by an index (tests/integration/test_indexes.py).

-- Carts. One index says both which sessions are in a cart and which are or were: the two it replaces were written with
-- every session that is put in one. What it saves pays for the next, which a tutor's course looks for when it is deleted.
CREATE INDEX cart_sessions_in_cart ON cart_sessions (cart_id, removed_at);
DROP INDEX cart_sessions_of_cart, cart_sessions_by_cart;
CREATE INDEX cart_sessions_of_tutor ON cart_sessions (tutor_id, course_id);
CREATE INDEX carts_with_coupon ON carts (coupon_id) WHERE coupon_id IS NOT NULL;

-- Checkouts. Retention looked at every paid one each night to find those that are old (by_age), and nobody looks for
-- them by when they were made (waiting). Those that were withdrawn stood in two indexes (to_ask, to_close). Whose they
-- are was only known of paid ones (bought_by).
DROP INDEX checkouts_by_age, checkouts_waiting, checkouts_to_ask, checkouts_bought_by;
CREATE INDEX checkouts_to_ask ON checkouts (asked_at NULLS FIRST, created_at) WHERE status IN ('open', 'processing');
CREATE INDEX checkouts_paid ON checkouts (settled_at) WHERE status IN ('settled', 'refunded');
CREATE INDEX checkouts_given_up ON checkouts (expires_at) WHERE status IN ('failed', 'cancelled');
CREATE INDEX checkouts_with_hash ON checkouts (expires_at) WHERE buyer ? 'password_hash';
CREATE INDEX checkouts_of_user ON checkouts (user_id, settled_at) WHERE user_id IS NOT NULL;
CREATE INDEX checkouts_with_coupon ON checkouts (coupon_id) WHERE coupon_id IS NOT NULL;

-- Whether the lines of an order know that a refund came to nothing. Before, every refund that ever did was looked at
-- each minute (refunds_that_came_to_nothing).
ALTER TABLE refunds ADD COLUMN undone boolean NOT NULL DEFAULT false;
UPDATE refunds SET undone = true
 WHERE status IN ('failed', 'superseded')
   AND NOT EXISTS (SELECT FROM line_returns WHERE refund_id = refunds.id AND undone_at IS NULL);

CREATE FUNCTION forget_undone() RETURNS trigger LANGUAGE plpgsql AS
$$
BEGIN
    NEW.undone := false;
    RETURN NEW;
END
$$;
CREATE TRIGGER refunds_forget_undone BEFORE UPDATE OF status ON refunds FOR EACH ROW
    WHEN (OLD.status <> NEW.status)
    EXECUTE FUNCTION forget_undone();

DROP INDEX refunds_that_came_to_nothing;
CREATE INDEX refunds_to_undo ON refunds (order_id)
    WHERE status IN ('failed', 'superseded') AND NOT undone AND order_id IS NOT NULL;
CREATE INDEX refunds_owed ON refunds (created_at) WHERE status = 'pending' OR (status = 'failed' AND NOT made_elsewhere);
CREATE INDEX refunds_by_age ON refunds (created_at) WHERE order_id IS NOT NULL;
CREATE INDEX payment_disputes_open ON payment_disputes (opened_at) WHERE closed_at IS NULL;

-- What became of a refund, a dispute or a credit entry: that which was undone or resolved counts as well.
DROP INDEX line_returns_of_line;
CREATE INDEX line_returns_of_line ON line_returns (order_item_id);
CREATE INDEX line_returns_of_refund ON line_returns (refund_id) WHERE refund_id IS NOT NULL;
CREATE INDEX line_returns_of_dispute ON line_returns (dispute_id) WHERE dispute_id IS NOT NULL;
CREATE INDEX line_returns_of_entry ON line_returns (credit_entry_id) WHERE credit_entry_id IS NOT NULL;
CREATE INDEX over_returns_of_refund ON over_returns (refund_id) WHERE refund_id IS NOT NULL;
CREATE INDEX over_returns_of_dispute ON over_returns (dispute_id) WHERE dispute_id IS NOT NULL;
CREATE INDEX over_returns_of_entry ON over_returns (credit_entry_id) WHERE credit_entry_id IS NOT NULL;

-- Events. One index of those that are neither delivered nor given up, for whoever counts them or looks for what is due,
-- in place of two (due, leased). Canaries that fly; bodies that may be forgotten; the filters of an administrator.
CREATE INDEX outbox_unfinished ON outbox (status, next_attempt_at)
    WHERE status IN ('pending', 'retrying', 'enqueued', 'delivering', 'held', 'skipped', 'exhausted');
DROP INDEX outbox_due, outbox_leased;
CREATE INDEX outbox_canaries ON outbox (endpoint, lease_until) WHERE trigger = 'canary';
CREATE INDEX outbox_with_body ON outbox (created_at) WHERE body IS NOT NULL;
CREATE INDEX outbox_by_type ON outbox (type, created_at, event_id);
CREATE INDEX outbox_by_endpoint ON outbox (endpoint, created_at, event_id) WHERE endpoint IS NOT NULL;

-- What administrators delete, and who did what.
DROP INDEX tutor_courses_of_course;
CREATE INDEX tutor_courses_of_course ON tutor_courses (course_id);
CREATE INDEX appointments_of_course ON appointments (course_id);
CREATE INDEX session_items_of_course ON session_items (course_id);
CREATE INDEX orders_with_coupon ON orders (coupon_id) WHERE coupon_id IS NOT NULL;
CREATE INDEX coupon_redemptions_of_user ON coupon_redemptions (user_id);
CREATE INDEX appointments_cancelled_by ON appointments (cancelled_by) WHERE cancelled_by IS NOT NULL;
CREATE INDEX appointment_modifications_by ON appointment_modifications (modified_by) WHERE modified_by IS NOT NULL;
CREATE INDEX credit_transactions_created_by ON credit_transactions (created_by) WHERE created_by IS NOT NULL;
CREATE INDEX audit_log_of_actor ON audit_log (actor_id) WHERE actor_id IS NOT NULL;
CREATE INDEX outbox_of_actor ON outbox (actor_id) WHERE actor_id IS NOT NULL;
CREATE INDEX webhook_attempts_of_actor ON webhook_attempts (actor_id) WHERE actor_id IS NOT NULL;
CREATE INDEX webhook_redeliveries_of_actor ON webhook_redeliveries (actor_id) WHERE actor_id IS NOT NULL;
