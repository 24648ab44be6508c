-- How much of a limit somebody has spent (spec 4.0, X-73), as one instant: each unit moves `spent_until` further by the
-- period divided by what is allowed in it, and never more than a period ahead of now (GCRA). What is past is nothing.
-- Unlogged: nobody waits for the disk to be counted, and a crash of PostgreSQL only forgets who has been here.
CREATE UNLOGGED TABLE allowances (
    bucket text NOT NULL,
    subject bytea NOT NULL CHECK (length(subject) = 32), -- SHA-256; no address and no e-mail is here
    spent_until timestamptz NOT NULL,
    PRIMARY KEY (bucket, subject)
) WITH (fillfactor = 50); -- a page keeps room for the next version of each of its rows

-- Takes units of an allowance of `most` in a period: null when they are had, else in how many seconds they can be.
-- A negative number gives them back.
CREATE FUNCTION spend_allowance(
    from_bucket text, of_subject bytea, most integer, period interval, at timestamptz, units integer DEFAULT 1)
    RETURNS integer VOLATILE LANGUAGE plpgsql AS
$$
DECLARE
    -- rounded down, so that `most` of them fit in the period
    spacing interval := make_interval(secs => floor(extract(epoch FROM period) * 1000000 / most)::float / 1000000);
    whole interval := spacing * most;
    wanted interval := spacing * least(units, most);
    seconds integer;
BEGIN
    -- What lies further ahead than two periods was written by a clock that has been set back since.
    INSERT INTO allowances AS mine (bucket, subject, spent_until) VALUES (from_bucket, of_subject, at + wanted)
    ON CONFLICT (bucket, subject) DO UPDATE
       SET spent_until = wanted + CASE WHEN mine.spent_until BETWEEN at AND at + 2 * whole THEN mine.spent_until
                                       ELSE at END
     WHERE mine.spent_until <= at + whole - wanted OR mine.spent_until > at + 2 * whole;
    IF NOT FOUND THEN
        SELECT ceil(extract(epoch FROM spent_until + wanted - whole - at)) INTO STRICT seconds
          FROM allowances WHERE bucket = from_bucket AND subject = of_subject;
    END IF;
    RETURN seconds;
END
$$;
