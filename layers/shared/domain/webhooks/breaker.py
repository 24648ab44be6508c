"""When a URL of Make is left alone, when it is tried again (make-webhooks b.3). Pure rules."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal

from domain.webhooks.delivery import Failure

FAILURES_TO_OPEN = 5
FIRST_CANARY = timedelta(minutes=1)
LONGEST_CANARY_WAIT = timedelta(minutes=5)
OPEN_AT_MOST = timedelta(hours=120)
PROBE_OFTEN = timedelta(minutes=5)
PROBE_OFTEN_FOR = timedelta(hours=24)
PROBE_SELDOM = timedelta(hours=1)

type State = Literal["active", "open", "paused"]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A URL's health. Without `probe_at`, a paused endpoint waits for a person."""

    area: str
    state: State = "active"
    reason: str | None = None
    consecutive_failures: int = 0
    failing_since: datetime | None = None
    opened_at: datetime | None = None
    probe_at: datetime | None = None
    probe_wait_seconds: int = 0
    last_success_at: datetime | None = None


def after_failure(endpoint: Endpoint, failure: Failure, probing: bool, now: datetime) -> Endpoint:
    """The endpoint after one more failure; `probing` when it was a canary's."""
    if failure.gone and endpoint.state != "paused":
        return paused(endpoint, "gone", now, probe_at=now + PROBE_OFTEN)
    if not (failure.gone or failure.of_the_endpoint or probing):
        return endpoint
    failed = replace(
        endpoint,
        consecutive_failures=endpoint.consecutive_failures + 1,
        failing_since=endpoint.failing_since or now,
    )
    if endpoint.state == "active":
        return _opened(failed, now) if failed.consecutive_failures >= FAILURES_TO_OPEN else failed
    return _probed_in_vain(failed, now) if probing else failed


def paused(endpoint: Endpoint, reason: str, now: datetime, probe_at: datetime | None = None) -> Endpoint:
    """The endpoint, left alone until a probe succeeds or, without `probe_at`, until a person resumes it."""
    return replace(endpoint, state="paused", reason=reason, opened_at=now, probe_at=probe_at)


def resumes_by_itself(endpoint: Endpoint) -> bool:
    """Whether a success puts the endpoint back in service."""
    return endpoint.state != "active" and endpoint.probe_at is not None


def _opened(endpoint: Endpoint, now: datetime) -> Endpoint:
    return replace(
        endpoint,
        state="open",
        reason="failing",
        opened_at=now,
        probe_at=now + FIRST_CANARY,
        probe_wait_seconds=int(FIRST_CANARY.total_seconds()),
    )


def _probed_in_vain(endpoint: Endpoint, now: datetime) -> Endpoint:
    since = now - (endpoint.opened_at or now)
    if endpoint.state == "paused":
        if endpoint.probe_at is None:  # a person paused it while the canary was on its way
            return endpoint
        return replace(endpoint, probe_at=now + (PROBE_OFTEN if since < PROBE_OFTEN_FOR else PROBE_SELDOM))
    if since >= OPEN_AT_MOST:
        return paused(endpoint, "failing_too_long", now)
    wait = min(timedelta(seconds=2 * endpoint.probe_wait_seconds), LONGEST_CANARY_WAIT)
    return replace(endpoint, probe_at=now + wait, probe_wait_seconds=int(wait.total_seconds()))
