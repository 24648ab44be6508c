"""How deliveries are doing, as CloudWatch metrics: what the alarms and the dashboard of the template read."""

import os

from adapters.jobs import logger, metrics
from domain.webhooks.backlog import Backlog
from domain.webhooks.delivery import Delivery
from domain.webhooks.outcomes import Outcome


def tell_backlog(backlog: Backlog) -> None:
    """What waits; flushed with the run's report."""
    metrics.add_metric(name="oldest_due_seconds", unit="Seconds", value=backlog.oldest_due_seconds)
    metrics.add_metric(name="endpoints_left_alone", unit="Count", value=backlog.endpoints_left_alone)
    for name in ("pending", "held", "skipped", "exhausted"):
        metrics.add_metric(name=f"events_{name}", unit="Count", value=getattr(backlog, name))


def tell_outcome(outcome: Outcome) -> None:
    """What came of one event. An alert names it; what it says is nowhere (e.3-20)."""
    metrics.add_metric(name=f"attempts_{outcome.status}", unit="Count", value=1)
    for alert in outcome.alerts:
        _alert(alert, outcome.type, outcome.event_id)
    _flush()


def tell_broken_promise(delivery: Delivery, places: list[str]) -> None:
    """An event is not as its schema says; where, but not what is there."""
    _alert("schema_broken", delivery.type, delivery.event_id, places=places)
    _flush()


def _alert(alert: str, event_type: str, event_id: str, **more: list[str]) -> None:
    metrics.add_metric(name=f"alert_{alert}", unit="Count", value=1)
    logger.error(
        "webhook alert", extra={"alert": alert, "event_type": event_type, "event_id": event_id, **more}
    )


def _flush() -> None:
    metrics.add_dimension(name="function_name", value=os.environ.get("AWS_LAMBDA_FUNCTION_NAME", "local"))
    metrics.flush_metrics()
