"""One reminder a day before each session (spec 6), a batch at a time, each batch one transaction.

A session has its reminder as soon as it is AHEAD away or less, however late the run. None for a time that was chosen
later than that, by booking or by moving: who chose it has just been told. A session moved to a later time is
reminded of anew; one time of one session never twice, which the event's dedupe key would refuse as well.
"""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from psycopg import Connection, Cursor
from psycopg.rows import tuple_row

from domain.appointments.due import Due, read_due
from domain.transactions import retried_on_deadlock
from domain.webhooks.events import AppointmentReminder
from domain.webhooks.outbox import Environment, record_facts

AHEAD = timedelta(hours=24)


@retried_on_deadlock
def remind(connection: Connection[Any], environment: Environment, now: datetime, at_most: int) -> int:
    """Tell of up to `at_most` sessions that are due for their reminder; answers how many."""
    with connection.pipeline(), connection.transaction():
        ids = [appointment_id for (appointment_id,) in _take(connection, now, at_most).fetchall()]
        if ids:
            facts = [_reminder(due, now) for due in read_due(connection, ids)]
            record_facts(connection, facts, environment, now)
    return len(ids)


def _take(connection: Connection[Any], now: datetime, at_most: int) -> Cursor[tuple[UUID]]:
    """Note which sessions are reminded of now: rows are their ids. A reminder of an earlier time does not count."""
    return connection.cursor(row_factory=tuple_row).execute(
        """
        WITH due AS MATERIALIZED (
            SELECT id FROM appointments
             WHERE status = 'scheduled' AND start_datetime > %(now)s AND start_datetime <= %(horizon)s
               AND greatest(created_at, moved_at, reminder_sent_at) < start_datetime - %(ahead)s::interval
             ORDER BY start_datetime LIMIT %(at_most)s FOR NO KEY UPDATE SKIP LOCKED
        )
        UPDATE appointments SET reminder_sent_at = %(now)s FROM due WHERE appointments.id = due.id
        RETURNING appointments.id
        """,
        {"now": now, "horizon": now + AHEAD, "ahead": AHEAD, "at_most": at_most},
    )


def _reminder(due: Due, now: datetime) -> AppointmentReminder:
    return AppointmentReminder(
        appointment_id=due.id,
        user_id=due.student_id,
        tutor_id=due.tutor_id,
        tutor_name=due.tutor_name,
        course_id=due.course_id,
        course_title_fr=due.course_title_fr,
        start_datetime=due.start,
        end_datetime=due.end,
        order_id=due.order_id,
        duration_min=due.duration_min,
        meeting_link=due.meeting_link,
        timestamp=now,
        student=due.student,
        tutor=due.tutor,
    )
