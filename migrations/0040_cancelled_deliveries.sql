-- What was not delivered and nobody will try again is listed newest first, what was given up on purpose included.
DROP INDEX outbox_undelivered;
CREATE INDEX outbox_undelivered ON outbox (created_at, event_id)
    WHERE status IN ('exhausted', 'held', 'skipped', 'cancelled');
