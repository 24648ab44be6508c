"""Every minute: delete the holds that have expired."""

from typing import Any

from adapters import database
from adapters.jobs import report, scheduled_time
from domain.scheduling.claims import sweep_expired

BATCH = 1_000


def lambda_handler(event: dict[str, Any], context: Any) -> dict[str, int]:
    deleted = sweep_expired(database.connection(), scheduled_time(event), BATCH)
    return report(expired_holds_deleted=deleted)
