"""Every minute: put the events that are due on the queue, and tell what waits."""

from typing import Any

from adapters import database
from adapters.delivery_metrics import tell_backlog
from adapters.jobs import job, report, run_time
from adapters.make_routes import events_per_second, routes
from adapters.settings import delivery_enabled
from adapters.sqs import webhook_queue
from domain.webhooks.backlog import read_backlog
from domain.webhooks.relay import end_what_expired, relay

ROUNDS = 50


@job
def lambda_handler(event: dict[str, Any], context: Any) -> dict[str, int]:
    now = run_time(event)
    connection = database.connection_for_jobs()
    enqueued = 0
    if delivery_enabled():
        enqueued = relay(connection, webhook_queue(), routes(), events_per_second(), now, ROUNDS)
    else:
        end_what_expired(connection, now)
    tell_backlog(read_backlog(connection, now))
    return report(events_enqueued=enqueued)
