"""Every fifteen minutes: how many sessions begin within a day and have had no reminder yet."""

from typing import Any

from adapters import database
from adapters.jobs import report, scheduled_time
from domain.appointments.reminders import count_due


def lambda_handler(event: dict[str, Any], context: Any) -> dict[str, int]:
    return report(reminders_due=count_due(database.connection(), scheduled_time(event)))
