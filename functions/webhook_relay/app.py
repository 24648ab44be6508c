"""Every minute: put the events that are due on the queue."""

from typing import Any

from adapters import database
from adapters.jobs import report, scheduled_time
from adapters.settings import delivery_enabled
from adapters.sqs import webhook_queue
from domain.webhooks.relay import relay


def lambda_handler(event: dict[str, Any], context: Any) -> dict[str, int]:
    if not delivery_enabled():
        return report(events_enqueued=0)
    return report(events_enqueued=relay(database.connection(), webhook_queue(), scheduled_time(event)))
