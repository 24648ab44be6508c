-- Make.com's pace is kept, what has expired is not told, and a delivery takes no step its table does not know
-- (decision 27, make-webhooks b.3, b.7).

-- When the next event may leave for a URL. Areas whose URL is one share a lane. Receivers that ask for patience push it.
CREATE TABLE webhook_lanes (
    lane text PRIMARY KEY,
    free_at timestamptz NOT NULL
);

-- Departures lie on a grid, half a step off the whole seconds, so that no second sees one too many at its border.
-- The thousandth makes up for instants that are kept to the microsecond.
CREATE FUNCTION next_departure(after timestamptz, per_second numeric) RETURNS timestamptz
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN to_timestamp(((ceil(extract(epoch FROM after) * per_second - 0.501) + 0.5) / per_second)::float8);

ALTER TABLE outbox
    ADD COLUMN expires_at timestamptz,       -- from then on it is not told
    ADD COLUMN not_before timestamptz;       -- what its receiver asked for: no replay and no canary comes sooner
CREATE INDEX outbox_expiring ON outbox (expires_at) WHERE expires_at IS NOT NULL AND body IS NOT NULL;

-- The same table as domain/webhooks/steps.py; a test compares them.
CREATE FUNCTION delivery_steps(source delivery_status) RETURNS delivery_status[]
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN CASE source
        WHEN 'pending' THEN '{enqueued,delivering,retrying,held,skipped,delivered,exhausted,cancelled}'::delivery_status[]
        WHEN 'enqueued' THEN '{pending,delivering,retrying,held,skipped,delivered,exhausted,cancelled}'::delivery_status[]
        WHEN 'delivering' THEN '{pending,enqueued,retrying,held,skipped,delivered,exhausted,cancelled}'::delivery_status[]
        WHEN 'retrying' THEN '{pending,enqueued,delivering,held,skipped,delivered,exhausted,cancelled}'::delivery_status[]
        WHEN 'held' THEN '{pending,enqueued,retrying,delivered,cancelled}'::delivery_status[]
        WHEN 'skipped' THEN '{pending,cancelled}'::delivery_status[]
        WHEN 'exhausted' THEN '{pending,delivered}'::delivery_status[]
        WHEN 'delivered' THEN '{pending}'::delivery_status[]
        WHEN 'cancelled' THEN '{pending,delivered}'::delivery_status[]
    END;

CREATE FUNCTION refuse_delivery_step() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'an event that is % does not become %', old.status, new.status
        USING ERRCODE = 'check_violation', CONSTRAINT = 'delivery_steps';
END $$;
CREATE TRIGGER delivery_steps BEFORE UPDATE OF status ON outbox FOR EACH ROW
    WHEN (old.status <> new.status AND new.status <> ALL (delivery_steps(old.status)))
    EXECUTE FUNCTION refuse_delivery_step();

-- Whom and which order an event is about: bodies are not read to find it, and are forgotten before it is.
ALTER TABLE outbox ADD COLUMN about_user uuid, ADD COLUMN about_order uuid;
UPDATE outbox SET
    about_user = (convert_from(body, 'UTF8')::jsonb #>> CASE
        WHEN type LIKE 'rating.%' THEN '{payload,student_id}'
        WHEN type = 'ticket.message_added' THEN '{payload,owner_id}'
        WHEN type = 'message.sent' AND convert_from(body, 'UTF8')::jsonb #>> '{payload,sender_role}' = 'student'
            THEN '{payload,sender_id}'
        WHEN type = 'message.sent' THEN '{payload,receiver_id}'
        ELSE '{payload,user_id}' END::text[])::uuid,
    about_order = (convert_from(body, 'UTF8')::jsonb #>> '{payload,order_id}')::uuid,
    expires_at = CASE type
        WHEN 'appointment.reminder' THEN (convert_from(body, 'UTF8')::jsonb #>> '{payload,start_datetime}')::timestamptz
        WHEN 'password.reset_requested' THEN (convert_from(body, 'UTF8')::jsonb #>> '{payload,expires_at}')::timestamptz
        END
 WHERE body IS NOT NULL AND jsonb_typeof(convert_from(body, 'UTF8')::jsonb -> 'payload') = 'object';
CREATE INDEX outbox_about_user ON outbox (about_user, created_at, event_id) WHERE about_user IS NOT NULL;
CREATE INDEX outbox_about_order ON outbox (about_order, created_at, event_id) WHERE about_order IS NOT NULL;
