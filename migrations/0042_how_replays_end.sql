-- Until when a receiver asked that nothing be posted to its URL. Who has taken a departure before the receiver asked
-- reads it again before posting; `free_at` cannot tell it, since every departure moves that (decision 27).
ALTER TABLE webhook_lanes ADD COLUMN not_before timestamptz;

-- A replay that is stopped while it is posted rests at once; when Make accepts it after all, it is delivered.
CREATE OR REPLACE FUNCTION delivery_steps(source delivery_status) RETURNS delivery_status[]
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN CASE source
        WHEN 'pending' THEN '{enqueued,delivering,retrying,held,skipped,delivered,exhausted,cancelled}'::delivery_status[]
        WHEN 'enqueued' THEN '{pending,delivering,retrying,held,skipped,delivered,exhausted,cancelled}'::delivery_status[]
        WHEN 'delivering' THEN '{pending,enqueued,retrying,held,skipped,delivered,exhausted,cancelled}'::delivery_status[]
        WHEN 'retrying' THEN '{pending,enqueued,delivering,held,skipped,delivered,exhausted,cancelled}'::delivery_status[]
        WHEN 'held' THEN '{pending,enqueued,retrying,skipped,delivered,exhausted,cancelled}'::delivery_status[]
        WHEN 'skipped' THEN '{pending,delivered,cancelled}'::delivery_status[]
        WHEN 'exhausted' THEN '{pending,delivered}'::delivery_status[]
        WHEN 'delivered' THEN '{pending}'::delivery_status[]
        WHEN 'cancelled' THEN '{pending,delivered}'::delivery_status[]
    END;

-- Whether the replay that goes on is meant as a repetition (x-4as-replay); `forced` counts how often one was.
ALTER TABLE outbox ADD COLUMN forcing boolean NOT NULL DEFAULT false;

-- What an event is again once it has served as its endpoint's canary.
CREATE FUNCTION own_trigger(event outbox) RETURNS text LANGUAGE sql STABLE
    RETURN CASE WHEN event.trigger <> 'canary' THEN event.trigger
                WHEN event.redelivery_id IS NOT NULL OR event.resting_status IS NOT NULL THEN 'manual'
                ELSE 'auto' END;
