"""One attempt to deliver one event: what is posted, what may come of it, who can post it."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol


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

    @property
    def spends_budget(self) -> bool:
        """Canaries and replays take none of the twelve attempts."""
        return self.trigger == "auto"


@dataclass(frozen=True, slots=True)
class Failure:
    """Why an attempt did not deliver; `reason` never holds a payload, `excerpt` is the answer's beginning."""

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
    def route(self, event_type: str) -> str:
        """The area of the URL that takes events of this type. Raises EndpointMissing."""

    def post(self, delivery: Delivery, now: datetime) -> Failure | None:
        """Send one event; None when it was accepted."""
