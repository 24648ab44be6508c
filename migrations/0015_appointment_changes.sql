-- What happened to appointments, and how calendars follow them.

CREATE TYPE modification_type AS ENUM
    ('reschedule', 'status_change', 'manual_creation', 'cancellation', 'completion', 'meeting_link');

-- Grows with each change: calendars and Make.com tell a newer state from an older one by it.
ALTER TABLE appointments ADD COLUMN sequence integer NOT NULL DEFAULT 0 CHECK (sequence >= 0);

CREATE INDEX appointments_by_user_and_start ON appointments (user_id, start_datetime, id);

CREATE TABLE appointment_modifications (
    id uuid PRIMARY KEY,
    appointment_id uuid NOT NULL REFERENCES appointments,
    modified_by uuid REFERENCES users,     -- nobody when a schedule did it
    modification_type modification_type NOT NULL,
    reason text CHECK (length(reason) BETWEEN 1 AND 500),
    old_data jsonb NOT NULL,
    new_data jsonb NOT NULL,
    sequence integer NOT NULL,             -- the appointment's, once changed
    created_at timestamptz NOT NULL,
    UNIQUE (appointment_id, sequence)      -- one change, one line
);
CREATE TRIGGER appointment_modifications_stay BEFORE UPDATE OR DELETE ON appointment_modifications
    FOR EACH ROW EXECUTE FUNCTION refuse_change();

-- The address of a person's calendar. Kept readable, because it is shown again and opens nothing but what lies in
-- this database beside it; a new one ends the old.
CREATE TABLE calendar_feeds (
    user_id uuid PRIMARY KEY REFERENCES users ON DELETE CASCADE,
    token text NOT NULL UNIQUE CHECK (length(token) >= 43),
    created_at timestamptz NOT NULL
);
