"""Which of the payment service's events have been seen and acted on. No payload is kept."""

from datetime import datetime
from typing import Any

from psycopg import Connection

SOURCE = "stripe"


def receive_event(connection: Connection[Any], event_id: str, event_type: str, now: datetime) -> bool:
    """Note that an event arrived. Answers whether it was already acted on."""
    row = connection.execute(
        """
        INSERT INTO webhook_events (source, external_event_id, type, received_at)
        VALUES (%(source)s, %(event_id)s, %(type)s, %(now)s)
        ON CONFLICT (source, external_event_id) DO UPDATE SET attempts = webhook_events.attempts + 1
        RETURNING processed_at IS NOT NULL
        """,
        {"source": SOURCE, "event_id": event_id, "type": event_type, "now": now},
    ).fetchone()
    return bool(row and row[0])


def finish_event(connection: Connection[Any], event_id: str, now: datetime) -> None:
    """Note that an event was acted on, after what it asks was committed."""
    connection.execute(
        """
        UPDATE webhook_events SET processed_at = %(now)s
         WHERE source = %(source)s AND external_event_id = %(event_id)s AND processed_at IS NULL
        """,
        {"source": SOURCE, "event_id": event_id, "now": now},
    )
