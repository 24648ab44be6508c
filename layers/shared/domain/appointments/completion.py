"""Sessions that are over become completed and their tutors' earnings earned (spec 2.13), a batch at a time.

Each batch is one transaction, so a run that is killed has done whole batches and the next takes up the rest. Rows
somebody is working on are left for later: whoever is cancelling such a session wins.
"""

from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg import Connection, Cursor
from psycopg.rows import tuple_row

from domain.appointments.due import Due, read_due
from domain.transactions import retried_on_deadlock
from domain.webhooks.events import AppointmentCompleted
from domain.webhooks.outbox import Environment, record_facts


@retried_on_deadlock
def complete_past(connection: Connection[Any], environment: Environment, now: datetime, at_most: int) -> int:
    """Complete up to `at_most` sessions that ended before `now` and tell of each; answers how many."""
    with connection.pipeline(), connection.transaction():
        ids = [appointment_id for (appointment_id,) in _complete(connection, now, at_most).fetchall()]
        if ids:
            facts = [_completed(due, now) for due in read_due(connection, ids)]
            record_facts(connection, facts, environment, now)
    return len(ids)


def _complete(connection: Connection[Any], now: datetime, at_most: int) -> Cursor[tuple[UUID]]:
    """The line `complete` of the table (transitions.py) for many appointments: rows are their ids."""
    return connection.cursor(row_factory=tuple_row).execute(
        """
        WITH due AS MATERIALIZED (
            SELECT id FROM appointments WHERE status = 'scheduled' AND end_datetime < %(now)s
             ORDER BY end_datetime LIMIT %(at_most)s FOR NO KEY UPDATE SKIP LOCKED
        ), completed AS (
            UPDATE appointments
               SET status = 'completed', completed_at = %(now)s, sequence = sequence + 1, updated_at = %(now)s
              FROM due WHERE appointments.id = due.id
            RETURNING appointments.id, order_item_id, sequence
        ), earned AS (
            UPDATE earnings SET status = 'earned' FROM completed
             WHERE earnings.order_item_id = completed.order_item_id AND earnings.status = 'scheduled'
        ), noted AS (
            INSERT INTO appointment_modifications (id, appointment_id, modification_type, reason, old_data, new_data,
                                                   sequence, created_at)
            SELECT gen_random_uuid(), id, 'completion', 'Statut changé vers terminé',
                   '{"status": "scheduled", "cancellation_reason": null, "cancelled_by": null, "cancelled_at": null}',
                   '{"status": "completed", "cancellation_reason": null, "cancelled_by": null, "cancelled_at": null}',
                   sequence, %(now)s
              FROM completed
        )
        SELECT id FROM completed
        """,
        {"now": now, "at_most": at_most},
    )


def _completed(due: Due, now: datetime) -> AppointmentCompleted:
    return AppointmentCompleted(
        appointment_id=due.id,
        user_id=due.student_id,
        tutor_id=due.tutor_id,
        tutor_name=due.tutor_name,
        order_id=due.order_id,
        course_id=due.course_id,
        course_title_fr=due.course_title_fr,
        start_datetime=due.start,
        end_datetime=due.end,
        duration_min=due.duration_min,
        tutor_earnings_cad=due.tutor_earnings_cad,
        completed_at=now,
        completed_by="system",
        student=due.student,
        tutor=due.tutor,
        version=due.sequence,
    )
