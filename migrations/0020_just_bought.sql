-- What somebody has just bought: asked when a second tab pays for a cart that the first has emptied.
CREATE INDEX checkouts_bought_by ON checkouts (user_id, settled_at) WHERE status = 'settled';
