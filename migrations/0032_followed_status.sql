-- What Stripe said of a checkout's payment when it was last asked (0028), for who asks again within a moment. A checkout
-- that was withdrawn does not tell by its own status how the payment stands that may still be on its way.
ALTER TABLE checkouts ADD COLUMN followed_status text CHECK (followed_status IN ('requires_payment', 'processing', 'failed'));
