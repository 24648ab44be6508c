-- Store credit (spec 3.6). The ledger is only ever added to; the account beside it carries its sum and what open
-- payments have reserved of it, so that the database itself refuses to spend what is not there, or to spend it twice.

CREATE TYPE credit_entry_type AS ENUM
    ('cancellation', 'order_payment', 'order_refund', 'admin_adjustment', 'reversal');

CREATE TABLE credit_accounts (
    user_id uuid PRIMARY KEY REFERENCES users,
    balance_cad numeric(10, 2) NOT NULL DEFAULT 0 CHECK (balance_cad >= 0),
    reserved_cad numeric(10, 2) NOT NULL DEFAULT 0 CHECK (reserved_cad >= 0),
    CONSTRAINT credit_accounts_spend_what_is_there CHECK (reserved_cad <= balance_cad)
);

CREATE TABLE credit_transactions (
    id uuid PRIMARY KEY,
    user_id uuid NOT NULL REFERENCES users,
    amount_cad numeric(10, 2) NOT NULL CHECK (amount_cad <> 0),
    type credit_entry_type NOT NULL,
    order_id uuid REFERENCES orders,
    order_item_id uuid REFERENCES order_items, -- the line whose money it is
    reverses uuid UNIQUE REFERENCES credit_transactions, -- an entry is taken back once
    reason text CHECK (length(reason) BETWEEN 1 AND 500),
    created_by uuid REFERENCES users,
    created_at timestamptz NOT NULL,
    CHECK ((type = 'cancellation') <= (order_item_id IS NOT NULL AND amount_cad > 0)),
    CHECK ((type = 'order_payment') <= (order_id IS NOT NULL AND amount_cad < 0)),
    CHECK ((type = 'reversal') = (reverses IS NOT NULL)),
    CHECK ((type = 'order_refund') <= (order_item_id IS NOT NULL AND amount_cad > 0)),
    CHECK ((type = 'admin_adjustment') <= (reason IS NOT NULL AND created_by IS NOT NULL))
);
CREATE UNIQUE INDEX credit_transactions_one_payment_per_order
    ON credit_transactions (order_id) WHERE type = 'order_payment';
CREATE UNIQUE INDEX credit_transactions_one_per_cancellation
    ON credit_transactions (order_item_id) WHERE type = 'cancellation';
CREATE UNIQUE INDEX credit_transactions_one_refund_per_item
    ON credit_transactions (order_item_id) WHERE type = 'order_refund';
CREATE INDEX credit_transactions_of_user ON credit_transactions (user_id, created_at, id);

CREATE FUNCTION enter_credit() RETURNS trigger LANGUAGE plpgsql AS
$$
BEGIN
    INSERT INTO credit_accounts (user_id, balance_cad) VALUES (NEW.user_id, 0) ON CONFLICT DO NOTHING;
    UPDATE credit_accounts SET balance_cad = balance_cad + NEW.amount_cad WHERE user_id = NEW.user_id;
    RETURN NULL;
END
$$;
CREATE TRIGGER credit_transactions_enter AFTER INSERT ON credit_transactions
    FOR EACH ROW EXECUTE FUNCTION enter_credit();

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS
$$
BEGIN
    RAISE EXCEPTION '% is only ever added to', TG_TABLE_NAME USING ERRCODE = 'integrity_constraint_violation';
END
$$;
CREATE TRIGGER credit_transactions_stay BEFORE UPDATE OR DELETE ON credit_transactions
    FOR EACH ROW EXECUTE FUNCTION refuse_change();

-- What an open card payment will take of the buyer's credits when it succeeds: as long as the checkout can be paid.
CREATE TABLE credit_reservations (
    checkout_id uuid PRIMARY KEY REFERENCES checkouts,
    user_id uuid NOT NULL REFERENCES users,
    amount_cad numeric(10, 2) NOT NULL CHECK (amount_cad > 0),
    created_at timestamptz NOT NULL
);
CREATE INDEX credit_reservations_of_user ON credit_reservations (user_id);

CREATE FUNCTION reserve_credit() RETURNS trigger LANGUAGE plpgsql AS
$$
BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO credit_accounts (user_id) VALUES (NEW.user_id) ON CONFLICT DO NOTHING;
        UPDATE credit_accounts SET reserved_cad = reserved_cad + NEW.amount_cad WHERE user_id = NEW.user_id;
    ELSE
        UPDATE credit_accounts SET reserved_cad = reserved_cad - OLD.amount_cad WHERE user_id = OLD.user_id;
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER credit_reservations_reserve AFTER INSERT OR DELETE ON credit_reservations
    FOR EACH ROW EXECUTE FUNCTION reserve_credit();
CREATE TRIGGER credit_reservations_stay BEFORE UPDATE ON credit_reservations
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
