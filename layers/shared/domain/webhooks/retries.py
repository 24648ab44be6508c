"""When a failed attempt is repeated (make-webhooks b.3)."""

from datetime import timedelta

from domain.webhooks.delivery import Failure

RETRY_DELAYS = tuple(
    timedelta(seconds=seconds)
    for seconds in (5, 30, 120, 600, 1_800, 3_600, 10_800, 21_600, 43_200, 86_400, 108_000)
)
"""Between one attempt and the next: twelve attempts over 76 h 42 min 35 s."""
MAX_ATTEMPTS = len(RETRY_DELAYS) + 1
JITTER = 0.2
OVERLOADED_WAIT = timedelta(minutes=1)
LONGEST_RETRY_AFTER = timedelta(hours=6)


def delay_after(attempt: int, failure: Failure, draw: float) -> timedelta:
    """How long to wait after the attempt of that number failed; `draw` is random, from 0 to 1.

    Up to a fifth more or less than planned, but never less than a receiver asked (up to six hours), and never
    less than a minute for one that is overloaded.
    """
    planned = RETRY_DELAYS[attempt - 1]
    overloaded = failure.status_code == 429 or failure.error_class == "timeout"
    least = OVERLOADED_WAIT if overloaded else timedelta()
    if failure.retry_after is not None:
        return max(planned, least, min(failure.retry_after, LONGEST_RETRY_AFTER)) * (1 + JITTER * draw)
    return max(planned * (1 - JITTER + 2 * JITTER * draw), least)
