-- Who works on the database: booking_web does what somebody waits for, booking_jobs what schedules and the queue bring.
-- They own nothing, and PostgreSQL ends what nobody waits for any more (decision 23): a statement, a wait for a lock, a
-- transaction that was left or, from version 17, one that takes too long altogether.
--
-- Roles belong to the server, not to one of its databases. Here they have no password and so cannot sign in by one:
-- the migration function gives them those of its settings (functions/migrate).
DO $$
DECLARE
    wanted record;
BEGIN
    FOR wanted IN
        SELECT role, name, value
          FROM (VALUES ('booking_web', '8s', '3s'), ('booking_jobs', '25s', '5s')) AS limits (role, longest, lock)
         CROSS JOIN LATERAL (VALUES ('statement_timeout', longest), ('lock_timeout', lock),
                                    ('idle_in_transaction_session_timeout', longest),
                                    ('transaction_timeout', longest)) AS setting (name, value)
         WHERE name <> 'transaction_timeout' OR current_setting('server_version_num')::int >= 170000
    LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = wanted.role) THEN
            BEGIN
                EXECUTE format('CREATE ROLE %I LOGIN', wanted.role);
            EXCEPTION
                WHEN duplicate_object OR unique_violation THEN NULL; -- another database of this server, at this moment
            END;
        END IF;
        -- Who may not change roles finds them made and limited by somebody who may.
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = wanted.role
                          AND wanted.name || '=' || wanted.value = ANY(rolconfig)) THEN
            EXECUTE format('ALTER ROLE %I SET %I = %L', wanted.role, wanted.name, wanted.value);
        END IF;
    END LOOP;
END $$;

GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO booking_web, booking_jobs;
GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO booking_web, booking_jobs;
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO booking_web, booking_jobs;
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT USAGE ON SEQUENCES TO booking_web, booking_jobs;

-- What has been applied is the owner's to say, and everybody's to read.
DO $$
DECLARE
    books text;
BEGIN
    FOR books IN SELECT format('%I', tablename) FROM pg_tables WHERE schemaname = 'public' AND tablename ~ 'yoyo' LOOP
        EXECUTE format('REVOKE INSERT, UPDATE, DELETE ON %s FROM booking_web, booking_jobs', books);
    END LOOP;
END $$;
