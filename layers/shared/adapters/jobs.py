"""The edge of functions that nobody waits for: when it is, how long there is, what was done, and how a run fails."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import wraps
from typing import Any

import psycopg
from aws_lambda_powertools import Logger, Metrics

from adapters import database, patience

RESERVE_MS = 10_000
"""Milliseconds left of a run within which no batch is begun: many times what one takes."""

logger = Logger()
metrics = Metrics()


class RunFailed(Exception):
    """The database failed a run; the log has said how. EventBridge and SQS start another."""


def job[R](handler: Callable[[dict[str, Any], Any], R]) -> Callable[[dict[str, Any], Any], R]:
    """The handler with the invocation's id in every line of its log, and no database message in any."""

    @wraps(handler)
    def run(event: dict[str, Any], context: Any) -> R:
        logger.append_keys(invocation_id=context.aws_request_id)
        with patience.waiting_at_most(patience.JOB_SECONDS), telling_failure():
            return handler(event, context)

    return run


@contextmanager
def telling_failure() -> Iterator[None]:
    """What the database fails inside is logged without its words, and a server that takes no writes is left."""
    try:
        yield
    except psycopg.Error as error:
        database.was_unavailable(error)
        database.end_what_was_left()
        logger.error("run failed", extra=database.description(error))
        raise RunFailed(type(error).__name__) from None


def present() -> datetime:
    return datetime.now(UTC)


def run_time(event: dict[str, Any]) -> datetime:
    """When this run happens: not before the scheduler meant it to, and not long ago because it began late.

    A hold that has lapsed since must not be taken for one that stands.
    """
    time = event.get("time")
    return max(datetime.fromisoformat(time), present()) if time else present()


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
