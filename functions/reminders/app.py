"""Every fifteen minutes: remind people of the sessions that begin within a day."""

from typing import Any

from adapters import database
from adapters.jobs import in_batches, job, report, run_time
from adapters.settings import environment
from domain.appointments.reminders import remind

BATCH = 500


@job
def lambda_handler(event: dict[str, Any], context: Any) -> dict[str, int]:
    connection, now = database.connection_for_jobs(), run_time(event)
    sent = in_batches(context, BATCH, lambda size: remind(connection, environment(), now, size))
    return report(reminders_sent=sent)
