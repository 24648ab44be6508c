"""Every fifteen minutes: complete the sessions that are over."""

from typing import Any

from adapters import database
from adapters.jobs import in_batches, job, report, run_time
from adapters.settings import environment
from domain.appointments.completion import complete_past

BATCH = 500


@job
def lambda_handler(event: dict[str, Any], context: Any) -> dict[str, int]:
    connection, now = database.connection_for_jobs(), run_time(event)
    completed = in_batches(context, BATCH, lambda size: complete_past(connection, environment(), now, size))
    return report(appointments_completed=completed)
