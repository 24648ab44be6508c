"""Reminders a day before a session. For now they are counted; the event that sends them is still to come."""

from datetime import datetime, timedelta
from typing import Any

from psycopg import Connection

AHEAD = timedelta(hours=24)


def count_due(connection: Connection[Any], now: datetime) -> int:
    """Scheduled sessions within AHEAD, booked earlier than that, that had no reminder (spec 6)."""
    row = connection.execute(
        """
        SELECT count(*) FROM appointments
         WHERE status = 'scheduled' AND reminder_sent_at IS NULL
           AND start_datetime > %(now)s AND start_datetime <= %(horizon)s
           AND created_at < start_datetime - %(ahead)s
        """,
        {"now": now, "horizon": now + AHEAD, "ahead": AHEAD},
    ).fetchone()
    return int(row[0]) if row else 0
