"""Every day just after midnight: put away the coupons that have ended."""

from typing import Any

from adapters import database
from adapters.jobs import report, scheduled_time
from domain.coupons.expiry import deactivate_expired


def lambda_handler(event: dict[str, Any], context: Any) -> dict[str, int]:
    return report(coupons_deactivated=deactivate_expired(database.connection(), scheduled_time(event)))
