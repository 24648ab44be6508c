-- What is sent again may be held by a pause: stopped or expired, it rests as before (domain/webhooks/steps.py).
CREATE OR REPLACE FUNCTION delivery_steps(source delivery_status) RETURNS delivery_status[]
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN CASE source
        WHEN 'pending' THEN '{enqueued,delivering,retrying,held,skipped,delivered,exhausted,cancelled}'::delivery_status[]
        WHEN 'enqueued' THEN '{pending,delivering,retrying,held,skipped,delivered,exhausted,cancelled}'::delivery_status[]
        WHEN 'delivering' THEN '{pending,enqueued,retrying,held,skipped,delivered,exhausted,cancelled}'::delivery_status[]
        WHEN 'retrying' THEN '{pending,enqueued,delivering,held,skipped,delivered,exhausted,cancelled}'::delivery_status[]
        WHEN 'held' THEN '{pending,enqueued,retrying,skipped,delivered,exhausted,cancelled}'::delivery_status[]
        WHEN 'skipped' THEN '{pending,cancelled}'::delivery_status[]
        WHEN 'exhausted' THEN '{pending,delivered}'::delivery_status[]
        WHEN 'delivered' THEN '{pending}'::delivery_status[]
        WHEN 'cancelled' THEN '{pending,delivered}'::delivery_status[]
    END;
