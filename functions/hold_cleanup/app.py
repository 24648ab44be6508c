"""Every minute: delete the holds that have expired."""

from typing import Any

from adapters import database
from adapters.jobs import in_batches, job, report, run_time
from domain.scheduling.claims import sweep_expired

BATCH = 1_000


@job
def lambda_handler(event: dict[str, Any], context: Any) -> dict[str, int]:
    connection, now = database.connection_for_jobs(), run_time(event)
    deleted = in_batches(context, BATCH, lambda size: sweep_expired(connection, now, size))
    return report(expired_holds_deleted=deleted)
