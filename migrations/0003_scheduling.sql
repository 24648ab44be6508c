-- When a tutor can be booked, and who owns which minute of a tutor.
-- Weekly hours and exceptions are wall-clock times of America/Toronto on the 30-minute grid; 24:00 ends a day.

CREATE FUNCTION on_grid(wall_clock time) RETURNS boolean
    IMMUTABLE PARALLEL SAFE LANGUAGE sql
    RETURN extract(epoch FROM wall_clock)::int % 1800 = 0;

CREATE FUNCTION minutes_of_day(from_time time, to_time time) RETURNS int4range
    IMMUTABLE PARALLEL SAFE LANGUAGE sql
    RETURN int4range(extract(epoch FROM from_time)::int / 60, extract(epoch FROM to_time)::int / 60);

CREATE TABLE availability_rules (
    id uuid PRIMARY KEY,
    tutor_id uuid NOT NULL REFERENCES tutors ON DELETE CASCADE,
    weekday smallint NOT NULL CHECK (weekday BETWEEN 0 AND 6), -- 0 = Sunday
    start_time time NOT NULL CHECK (on_grid(start_time)),
    end_time time NOT NULL CHECK (on_grid(end_time)),
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CHECK (end_time > start_time),
    CONSTRAINT availability_rules_do_not_overlap
        EXCLUDE USING gist (tutor_id WITH =, weekday WITH =, minutes_of_day(start_time, end_time) WITH &&)
);

CREATE TYPE exception_kind AS ENUM ('open', 'closed');

CREATE TABLE availability_exceptions (
    id uuid PRIMARY KEY,
    tutor_id uuid NOT NULL REFERENCES tutors ON DELETE CASCADE,
    kind exception_kind NOT NULL,
    start_date date NOT NULL,
    end_date date NOT NULL,
    start_time time CHECK (on_grid(start_time)),
    end_time time CHECK (on_grid(end_time)),
    note text CHECK (length(note) <= 500),
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CHECK (end_date >= start_date AND end_date - start_date <= 366),
    CHECK (num_nulls(start_time, end_time) IN (0, 2)),
    CHECK (start_time IS NOT NULL OR kind = 'closed'),
    CHECK (end_time > start_time)
);
CREATE INDEX availability_exceptions_of_tutor ON availability_exceptions (tutor_id, end_date);

CREATE TABLE time_offs (
    id uuid PRIMARY KEY,
    tutor_id uuid NOT NULL REFERENCES tutors ON DELETE CASCADE,
    start_datetime timestamptz NOT NULL,
    end_datetime timestamptz NOT NULL,
    reason text CHECK (length(reason) <= 500),
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CHECK (isfinite(start_datetime) AND isfinite(end_datetime)),
    CHECK (end_datetime > start_datetime)
);
CREATE INDEX time_offs_of_tutor ON time_offs (tutor_id, end_datetime);

-- A hold and an appointment are one claim at two ages: settlement changes its kind in place, so there is no
-- instant at which the time belongs to nobody. The claim carries the id of the session it protects: the cart
-- item's first, the appointment's later (they are the same id).
CREATE TYPE claim_kind AS ENUM ('hold', 'appointment');

CREATE TABLE time_claims (
    id uuid PRIMARY KEY,
    tutor_id uuid NOT NULL REFERENCES tutors,
    during tstzrange NOT NULL
        CHECK (NOT isempty(during) AND lower_inc(during) AND NOT upper_inc(during)
               AND isfinite(lower(during)) AND isfinite(upper(during))),
    kind claim_kind NOT NULL,
    expires_at timestamptz,
    CHECK ((kind = 'hold') = (expires_at IS NOT NULL)),
    CONSTRAINT time_claims_one_owner_per_minute EXCLUDE USING gist (tutor_id WITH =, during WITH &&),
    -- what an appointment points at: its own tutor and its own minutes (0005)
    CONSTRAINT time_claims_exact UNIQUE (id, tutor_id, during)
);
CREATE INDEX time_claims_expiring ON time_claims (expires_at) WHERE kind = 'hold';

-- Everything that decides when a tutor can be booked between two instants. Arrays of integers:
-- weekly {weekday, first and end wall half hour}; exceptions {first and last day (days since 0001-01-01, that day
-- being 1), 1 if open, first and end wall half hour}. What is taken: from and until which half hour since 1970, rounded
-- outward, four bytes each, which costs less than an array. One row; a table so that the planner sees through it into
-- the query around.
CREATE FUNCTION tutor_calendar(
    tutor uuid, first_day date, last_day date, from_instant timestamptz, to_instant timestamptz, at timestamptz)
    RETURNS TABLE (weekly int[], exceptions int[], taken_from bytea, taken_until bytea)
    ROWS 1 STABLE PARALLEL SAFE LANGUAGE sql
BEGIN ATOMIC
    SELECT (SELECT array_agg(ARRAY[weekday, date_part('epoch', start_time) / 1800,
                                   date_part('epoch', end_time) / 1800]::int[])
              FROM availability_rules WHERE tutor_id = tutor),
           (SELECT array_agg(ARRAY[start_date - date '0001-01-01' + 1, end_date - date '0001-01-01' + 1,
                                   (kind = 'open')::int,
                                   coalesce(date_part('epoch', start_time) / 1800, 0),
                                   coalesce(date_part('epoch', end_time) / 1800, 48)]::int[])
              FROM availability_exceptions
             WHERE tutor_id = tutor AND end_date >= first_day AND start_date <= last_day),
           string_agg(int4send(floor(date_part('epoch', begins) / 1800)::int), ''),
           string_agg(int4send(ceil(date_part('epoch', ends) / 1800)::int), '')
      FROM (SELECT lower(during), upper(during) FROM time_claims
             WHERE tutor_id = tutor AND during && tstzrange(from_instant, to_instant)
               AND (kind = 'appointment' OR expires_at > at)
            UNION ALL
            SELECT start_datetime, end_datetime FROM time_offs
             WHERE tutor_id = tutor AND end_datetime > from_instant AND start_datetime < to_instant
           ) AS taken (begins, ends);
END;

-- The one way to own a new stretch of a tutor's time: the claim's id, or no row when somebody else owns it.
CREATE FUNCTION claim_time(
    claim_id uuid, tutor uuid, starts timestamptz, ends timestamptz, as_kind claim_kind, until timestamptz)
    RETURNS SETOF uuid VOLATILE LANGUAGE sql
BEGIN ATOMIC
    INSERT INTO time_claims (id, tutor_id, during, kind, expires_at)
    VALUES (claim_id, tutor, tstzrange(starts, ends), as_kind, until)
    ON CONFLICT DO NOTHING RETURNING id;
END;

-- Everyone else who locks these tutors waits until this transaction ends.
CREATE FUNCTION lock_tutors(ids uuid[]) RETURNS void VOLATILE LANGUAGE plpgsql AS
$$
BEGIN
    PERFORM FROM tutors WHERE id = ANY (ids) ORDER BY id FOR NO KEY UPDATE;
END
$$;

-- Expired holds that stand in the way of a claim on a locked tutor, in order of start.
CREATE FUNCTION clear_expired(tutor uuid, starts timestamptz, ends timestamptz, at timestamptz) RETURNS void
    VOLATILE LANGUAGE plpgsql AS
$$
BEGIN
    DELETE FROM time_claims WHERE id IN (
        SELECT id FROM time_claims
         WHERE tutor_id = tutor AND during && tstzrange(starts, ends) AND kind = 'hold' AND expires_at <= at
         ORDER BY during FOR UPDATE);
END
$$;

-- A hold on a time of the first of these tutors who has it, best first: who that is, or null.
CREATE FUNCTION claim_with_any(
    claim_id uuid, tutors uuid[], starts timestamptz, ends timestamptz, until timestamptz, at timestamptz)
    RETURNS uuid VOLATILE LANGUAGE plpgsql AS
$$
DECLARE
    tutor uuid;
BEGIN
    PERFORM lock_tutors(tutors);
    FOREACH tutor IN ARRAY tutors LOOP
        PERFORM clear_expired(tutor, starts, ends, at);
        IF EXISTS (SELECT FROM claim_time(claim_id, tutor, starts, ends, 'hold', until)) THEN
            RETURN tutor;
        END IF;
    END LOOP;
    RETURN NULL;
END
$$;
