-- While it works or waits for a lock, a backend looks four times a second whether its client is still connected: what a
-- request that was given up has asked for must not appear later (decision 23). Elsewhere it looks when it has answered.
--
-- Before version 14, and where the operating system does not tell, there is no such look.
DO $$
DECLARE
    wanted text;
BEGIN
    FOREACH wanted IN ARRAY ARRAY['booking_web', 'booking_jobs'] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = wanted
                          AND 'client_connection_check_interval=250ms' = ANY(rolconfig)) THEN
            BEGIN
                EXECUTE format('ALTER ROLE %I SET client_connection_check_interval = %L', wanted, '250ms');
            EXCEPTION
                WHEN undefined_object OR invalid_parameter_value THEN NULL;
            END;
        END IF;
    END LOOP;
END $$;
