-- What schedules look for, and when.

-- Due for completion, due for a reminder.
CREATE INDEX appointments_to_complete ON appointments (end_datetime) WHERE status = 'scheduled';
CREATE INDEX appointments_to_come ON appointments (start_datetime) WHERE status = 'scheduled';

-- Since when an appointment's time is what it is, if not from the beginning: whoever moves it, and however. On the
-- row itself, so that a reminder that waited for a move judges the appointment as it was left.
ALTER TABLE appointments ADD COLUMN moved_at timestamptz;

CREATE FUNCTION note_move() RETURNS trigger LANGUAGE plpgsql AS
$$
BEGIN
    NEW.moved_at := NEW.updated_at;
    RETURN NEW;
END
$$;
CREATE TRIGGER appointments_note_move BEFORE UPDATE OF start_datetime ON appointments FOR EACH ROW
    WHEN (OLD.start_datetime IS DISTINCT FROM NEW.start_datetime)
    EXECUTE FUNCTION note_move();

-- Due to be forgotten. Idle carts have no index: it would make every change of a cart dearer to save a daily scan.
CREATE INDEX webhook_events_by_age ON webhook_events (received_at);
CREATE INDEX auth_sessions_expiring ON auth_sessions (expires_at);
CREATE INDEX checkouts_by_age ON checkouts (expires_at);

-- What deleting a cart looks for, sessions taken out included.
CREATE INDEX cart_sessions_by_cart ON cart_sessions (cart_id);
CREATE INDEX checkouts_of_cart ON checkouts (cart_id);
