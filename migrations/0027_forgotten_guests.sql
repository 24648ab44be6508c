-- A checkout that has ended forgets the cookie it was started with when its buyer signs out (decision 22). Before, each
-- was somebody's for good; now each that may still be paid is.
ALTER TABLE checkouts
    DROP CONSTRAINT checkouts_check4,
    ADD CONSTRAINT checkouts_of_somebody
        CHECK (session_hash IS NOT NULL OR user_id IS NOT NULL OR status NOT IN ('open', 'processing'));

-- Whether a guest's cookie is known.
CREATE INDEX checkouts_of_guest ON checkouts (session_hash) WHERE session_hash IS NOT NULL;
