"""The edge of scheduled functions: when it is, and what was done, as metrics."""

from datetime import UTC, datetime
from typing import Any

from aws_lambda_powertools import Logger, Metrics

logger = Logger()
metrics = Metrics()


def scheduled_time(event: dict[str, Any]) -> datetime:
    """When the scheduler meant this run to happen; the present for a run started by hand."""
    time = event.get("time")
    return datetime.fromisoformat(time) if time else datetime.now(UTC)


def report(**counts: int) -> dict[str, int]:
    """Publish what a run did as metrics and answer it."""
    for name, count in counts.items():
        metrics.add_metric(name=name, unit="Count", value=count)
    metrics.flush_metrics()
    return counts
