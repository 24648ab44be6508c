"""The edge of scheduled functions: when it is, how long there is, and what was done, as metrics."""

import os
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from aws_lambda_powertools import Logger, Metrics

RESERVE_MS = 10_000
"""Milliseconds left of a run within which no batch is begun: many times what one takes."""

logger = Logger()
metrics = Metrics()


def scheduled_time(event: dict[str, Any]) -> datetime:
    """When the scheduler meant this run to happen; the present for a run started by hand."""
    time = event.get("time")
    return datetime.fromisoformat(time) if time else datetime.now(UTC)


def in_batches(context: Any, size: int, step: Callable[[int], int]) -> int:
    """Repeat a step that does up to `size` things and answers how many; answers how many in all.

    Ends when a step finds fewer, or when Lambda's `context` leaves too little time for another: what is left then
    waits for the next run.
    """
    total = 0
    while context.get_remaining_time_in_millis() > RESERVE_MS:
        done = step(size)
        total += done
        if done < size:
            break
    return total


def report(**counts: int) -> dict[str, int]:
    """Publish what a run did as metrics and answer it.

    `runs` is the heartbeat: it counts runs that came to their end, and an alarm of the template listens for it.
    """
    metrics.add_dimension(name="function_name", value=os.environ.get("AWS_LAMBDA_FUNCTION_NAME", "local"))
    metrics.add_metric(name="runs", unit="Count", value=1)
    for name, count in counts.items():
        metrics.add_metric(name=name, unit="Count", value=count)
    metrics.flush_metrics()
    return counts
