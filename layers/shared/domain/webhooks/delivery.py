"""One attempt to deliver one event: what is posted, what may come of it, who can post it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Route:
    """Where an event goes: the area whose URL takes it, fallback applied, and the lane that URL has to itself."""

    area: str
    lane: str


type Routes = Mapping[str, Route]
"""By type of event; a type without a URL is missing."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """What is posted. `attempt` counts from 1; `endpoint` is the area of the URL, fallback applied."""

    event_id: str
    type: str
    body: bytes
    attempt: int
    endpoint: str
    trigger: str = "auto"
    forced: int = 0
    resting_status: str | None = None
    lane: str = ""
    forcing: bool = False
    lease_until: datetime | None = None

    @property
    def is_replay(self) -> bool:
        """Whether somebody asked for it: it leaves a trace, delivered or not."""
        return self.trigger == "manual" or self.resting_status is not None

    @property
    def spends_budget(self) -> bool:
        """Canaries and replays take none of the twelve attempts."""
        return self.trigger == "auto"


@dataclass(frozen=True, slots=True)
class Failure:
    """Why an attempt did not deliver: `reason` of `domain.webhooks.reasons`, `excerpt` of the answer's beginning."""

    reason: str
    error_class: str
    status_code: int | None = None
    retry_after: timedelta | None = None
    excerpt: str = ""
    duration_ms: int = 0

    @property
    def gone(self) -> bool:
        """Make answers 410 when a scenario is switched off."""
        return self.status_code == 410

    @property
    def binds_the_endpoint(self) -> bool:
        """Whether the patience that was asked for is meant for every event of the URL (decision 27)."""
        return self.retry_after is not None and self.status_code in (429, 503)

    @property
    def of_the_endpoint(self) -> bool:
        """Whether any other event would have failed too: of 4xx only those about the URL or its load."""
        code = self.status_code
        return code is None or not 400 <= code < 500 or code in (401, 403, 404, 408, 429)

    @property
    def url_is_wrong(self) -> bool:
        """Moved, its key revoked, or nothing that can be posted to: somebody must look at once."""
        code = self.status_code
        if code is None:
            return self.error_class == "configuration"
        return 300 <= code < 400 or code in (401, 403)


class EndpointMissing(Exception):
    """No URL is configured for the event's endpoint."""


class Receiver(Protocol):
    @property
    def per_second(self) -> int:
        """How many events may leave for one URL in a second."""

    def route(self, event_type: str) -> Route:
        """Where events of this type go. Raises EndpointMissing."""

    def post(self, delivery: Delivery, now: datetime) -> Failure | None:
        """Send one event; None when it was accepted."""
