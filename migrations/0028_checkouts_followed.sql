-- When a status call last asked Stripe how a checkout stands. Claimed by one UPDATE, so that each checkout costs at most
-- one question in a few seconds, however many ask.
ALTER TABLE checkouts ADD COLUMN followed_at timestamptz;
