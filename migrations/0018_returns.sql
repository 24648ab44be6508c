-- Money that goes back, line by line. Whatever the way (a card refund of ours, one of Stripe's dashboard, a dispute,
-- store credit), a return of a line is a row here and counts against what the line was paid, by constraint.

CREATE TYPE return_way AS ENUM ('card', 'dashboard', 'dispute', 'credit');

ALTER TABLE order_items
    ADD COLUMN returned_cad numeric(10, 2) NOT NULL DEFAULT 0,
    -- A cancellation promised what is left of the line as credit: when a return is undone, the credit is raised.
    ADD COLUMN credit_promised boolean NOT NULL DEFAULT false,
    ADD CONSTRAINT order_items_return_at_most_what_was_paid
        CHECK (returned_cad BETWEEN 0 AND line_total_cad - discount_share_cad);

CREATE TABLE line_returns (
    id uuid PRIMARY KEY,
    order_item_id uuid NOT NULL REFERENCES order_items,
    way return_way NOT NULL,
    amount_cad numeric(10, 2) NOT NULL CHECK (amount_cad > 0),
    refund_id uuid REFERENCES refunds,
    dispute_id text REFERENCES payment_disputes,
    credit_entry_id uuid REFERENCES credit_transactions, -- the last entry of the line's credit
    created_at timestamptz NOT NULL,
    undone_at timestamptz,  -- the refund failed or was superseded, the dispute was won, the credit was taken back
    CONSTRAINT line_returns_way CHECK (
        (way IN ('card', 'dashboard')) = (refund_id IS NOT NULL)
        AND (way = 'dispute') = (dispute_id IS NOT NULL)
        AND (way = 'credit') = (credit_entry_id IS NOT NULL))
);
CREATE INDEX line_returns_of_line ON line_returns (order_item_id) WHERE undone_at IS NULL;
CREATE UNIQUE INDEX line_returns_one_per_refund ON line_returns (refund_id, order_item_id) WHERE undone_at IS NULL;
CREATE UNIQUE INDEX line_returns_one_per_dispute ON line_returns (dispute_id, order_item_id) WHERE undone_at IS NULL;
CREATE UNIQUE INDEX line_returns_one_credit_per_line ON line_returns (order_item_id)
    WHERE way = 'credit' AND undone_at IS NULL;

CREATE FUNCTION move_returned() RETURNS trigger LANGUAGE plpgsql AS
$$
BEGIN
    IF TG_OP = 'INSERT' THEN
        UPDATE order_items SET returned_cad = returned_cad + NEW.amount_cad WHERE id = NEW.order_item_id;
    ELSE
        UPDATE order_items SET returned_cad = returned_cad - OLD.amount_cad WHERE id = OLD.order_item_id;
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER line_returns_count AFTER INSERT ON line_returns
    FOR EACH ROW WHEN (NEW.undone_at IS NULL) EXECUTE FUNCTION move_returned();
CREATE TRIGGER line_returns_uncount AFTER UPDATE ON line_returns
    FOR EACH ROW WHEN (OLD.undone_at IS NULL AND NEW.undone_at IS NOT NULL) EXECUTE FUNCTION move_returned();

-- A return is undone once, and nothing else of it ever changes.
CREATE TRIGGER line_returns_stay BEFORE UPDATE ON line_returns FOR EACH ROW
    WHEN ((OLD.id, OLD.order_item_id, OLD.way, OLD.amount_cad, OLD.created_at)
              IS DISTINCT FROM (NEW.id, NEW.order_item_id, NEW.way, NEW.amount_cad, NEW.created_at)
          OR (OLD.refund_id, OLD.dispute_id, OLD.credit_entry_id)
              IS DISTINCT FROM (NEW.refund_id, NEW.dispute_id, NEW.credit_entry_id)
          OR OLD.undone_at IS NOT NULL)
    EXECUTE FUNCTION refuse_change();
CREATE TRIGGER line_returns_are_kept BEFORE DELETE ON line_returns
    FOR EACH ROW EXECUTE FUNCTION refuse_change();

-- What Stripe gave back, or store credit gave, beyond what an order was paid: listed until a person resolves it, or
-- until a return that is undone makes room for it.
CREATE TABLE over_returns (
    id uuid PRIMARY KEY,
    order_id uuid NOT NULL REFERENCES orders,
    way return_way NOT NULL,
    amount_cad numeric(10, 2) NOT NULL CHECK (amount_cad > 0),
    refund_id uuid REFERENCES refunds,
    dispute_id text REFERENCES payment_disputes,
    credit_entry_id uuid REFERENCES credit_transactions,
    created_at timestamptz NOT NULL,
    resolved_at timestamptz,
    resolution text CHECK (length(resolution) BETWEEN 1 AND 500),
    CHECK ((resolved_at IS NULL) = (resolution IS NULL)),
    CONSTRAINT over_returns_way CHECK (
        (way IN ('card', 'dashboard')) = (refund_id IS NOT NULL)
        AND (way = 'dispute') = (dispute_id IS NOT NULL)
        AND (way = 'credit') = (credit_entry_id IS NOT NULL))
);
CREATE INDEX over_returns_of_order ON over_returns (order_id);
CREATE UNIQUE INDEX over_returns_one_per_refund ON over_returns (refund_id) WHERE resolved_at IS NULL;
CREATE UNIQUE INDEX over_returns_one_per_dispute ON over_returns (dispute_id) WHERE resolved_at IS NULL;
CREATE INDEX over_returns_unresolved ON over_returns (created_at) WHERE resolved_at IS NULL;

CREATE INDEX refunds_that_came_to_nothing ON refunds (id) WHERE status IN ('failed', 'superseded');

-- Disputes that took money: an inquiry (`warning_…`) has not, and a won one has given it back.
CREATE FUNCTION takes_money(dispute_status text) RETURNS boolean IMMUTABLE LANGUAGE sql
    RETURN dispute_status IN ('needs_response', 'under_review', 'lost');

-- What an order has given back so far, in CAD: to the card, or owed to it, and to the ledger for sessions that could
-- not be booked. Not counted is what never left: superseded refunds, those the bank returned of the dashboard's, failed
-- ones that no lost session demands, and credit that was taken back.
CREATE FUNCTION given_back_so_far(of_order uuid) RETURNS numeric STABLE LANGUAGE plpgsql AS
$$
BEGIN
    RETURN coalesce((SELECT sum(amount_cents) FROM refunds
                      WHERE order_id = of_order AND status <> 'superseded'
                        AND (status <> 'failed' OR order_item_id IS NOT NULL)), 0) / 100.0
         + coalesce((SELECT sum(amount_cad) FROM credit_transactions
                      WHERE order_id = of_order AND type IN ('order_refund', 'reversal')), 0);
END
$$;

-- What has gone back before this table was. Lost sessions went back to the card and to the ledger, within what they
-- were paid. Credit comes next, as far as there is room; what is beyond waits for a person, as does every refund of
-- the dashboard and every dispute until reconciliation has spread them over their lines.
INSERT INTO line_returns (id, order_item_id, way, amount_cad, refund_id, created_at)
SELECT gen_random_uuid(), order_item_id, 'card', amount_cents / 100.0, id, created_at FROM refunds
 WHERE order_item_id IS NOT NULL AND status IN ('pending', 'processed');

WITH credit AS (
    SELECT item.id AS order_item_id, item.order_id, sum(entry.amount_cad) AS standing,
           item.line_total_cad - item.discount_share_cad - item.returned_cad AS room, max(entry.created_at) AS last_at,
           (array_agg(entry.id) FILTER (WHERE taken.id IS NULL))[1] AS last_id
      FROM credit_transactions AS entry
      LEFT JOIN credit_transactions AS taken ON taken.reverses = entry.id
      JOIN order_items AS item ON item.id = entry.order_item_id
     WHERE entry.type IN ('cancellation', 'order_refund', 'reversal')
     GROUP BY item.id
    HAVING sum(entry.amount_cad) > 0),
fitting AS (
    INSERT INTO line_returns (id, order_item_id, way, amount_cad, credit_entry_id, created_at)
    SELECT gen_random_uuid(), order_item_id, 'credit', least(standing, room), last_id, last_at FROM credit
     WHERE room > 0)
INSERT INTO over_returns (id, order_id, way, amount_cad, credit_entry_id, created_at)
SELECT gen_random_uuid(), order_id, 'credit', standing - room, last_id, last_at FROM credit WHERE standing > room;

INSERT INTO over_returns (id, order_id, way, amount_cad, refund_id, created_at)
SELECT gen_random_uuid(), order_id, CASE WHEN made_elsewhere THEN 'dashboard' ELSE 'card' END::return_way,
       amount_cents / 100.0, id, created_at
  FROM refunds WHERE order_id IS NOT NULL AND order_item_id IS NULL AND status IN ('pending', 'processed');

INSERT INTO over_returns (id, order_id, way, amount_cad, dispute_id, created_at)
SELECT gen_random_uuid(), orders.id, 'dispute', amount_cents / 100.0, stripe_dispute_id, opened_at
  FROM payment_disputes JOIN orders ON orders.stripe_payment_intent_id = payment_disputes.payment_intent_id
 WHERE takes_money(payment_disputes.status);
