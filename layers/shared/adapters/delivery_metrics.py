"""How deliveries are doing, as CloudWatch metrics: what the alarms and the dashboard of the template read."""

import os

from adapters.jobs import logger, metrics
from domain.webhooks.backlog import Backlog
from domain.webhooks.outcomes import Outcome


def tell_backlog(backlog: Backlog) -> None:
    """What waits; flushed with the run's report."""
    metrics.add_metric(name="oldest_due_seconds", unit="Seconds", value=backlog.oldest_due_seconds)
    for name in ("pending", "held", "skipped", "exhausted", "endpoints_left_alone"):
        metrics.add_metric(name=f"events_{name}", unit="Count", value=getattr(backlog, name))


def tell_outcome(outcome: Outcome) -> None:
    """What came of one event. An alert names it; what it says is nowhere (e.3-20)."""
    metrics.add_dimension(name="function_name", value=os.environ.get("AWS_LAMBDA_FUNCTION_NAME", "local"))
    metrics.add_metric(name=f"attempts_{outcome.status}", unit="Count", value=1)
    for alert in outcome.alerts:
        metrics.add_metric(name=f"alert_{alert}", unit="Count", value=1)
        logger.error(
            "webhook alert", extra={"alert": alert, "event_type": outcome.type, "event_id": outcome.event_id}
        )
    metrics.flush_metrics()
