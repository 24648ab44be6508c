"""Posting events to Make.com, signed, to configured hosts only (make-webhooks b.2, b.3, c)."""

from datetime import datetime
from functools import cache
from urllib.parse import urlsplit

import urllib3

from adapters.settings import optional_setting
from domain.webhooks.dispatch import Delivery, EndpointMissing, Failure
from domain.webhooks.signature import sign

CONNECT_TIMEOUT_SECONDS = 3
TOTAL_TIMEOUT_SECONDS = 15
MAX_ERROR_BYTES = 4096
WITHOUT_FALLBACK = frozenset({"SIGNUP", "BOOKING", "CANCELLATION", "MESSAGE"})


class MakeReceiver:
    """Implements `domain.webhooks.dispatch.Receiver`."""

    def __init__(self, pool: urllib3.PoolManager) -> None:
        self._pool = pool

    def post(self, delivery: Delivery, now: datetime) -> Failure | None:
        """One signed POST; 2xx is accepted, anything else is a Failure. Raises EndpointMissing without a URL."""
        area = effective_area(delivery.endpoint)
        url = optional_setting(f"MAKE_{area}_WEBHOOK_URL")
        if not is_allowed(url):
            return Failure("the URL is not on the allow-list")
        secret = optional_setting(f"MAKE_{area}_WEBHOOK_SECRET")
        if not secret:
            return Failure("the signing secret is missing")
        try:
            answer = self._pool.request(
                "POST",
                url,
                body=delivery.body,
                headers=_headers(delivery, secret, now),
                redirect=False,
                retries=False,
                timeout=urllib3.Timeout(connect=CONNECT_TIMEOUT_SECONDS, total=TOTAL_TIMEOUT_SECONDS),
                preload_content=False,
            )
            text = answer.read(MAX_ERROR_BYTES).decode(errors="replace")
            answer.release_conn()
        except urllib3.exceptions.HTTPError as error:
            return Failure(type(error).__name__)
        if 200 <= answer.status < 300:
            return None
        return Failure(f"{answer.status} {text}"[:MAX_ERROR_BYTES])


@cache
def make_receiver() -> MakeReceiver:
    return MakeReceiver(urllib3.PoolManager())


def effective_area(area: str) -> str:
    """The area whose URL an event goes to: its own, else BOOKING where a fallback was promised (c.1)."""
    if optional_setting(f"MAKE_{area}_WEBHOOK_URL"):
        return area
    if area not in WITHOUT_FALLBACK and optional_setting("MAKE_BOOKING_WEBHOOK_URL"):
        return "BOOKING"
    raise EndpointMissing(area)


def is_allowed(url: str) -> bool:
    """Whether the host is on WEBHOOK_ALLOWED_HOSTS and the URL carries no credentials."""
    parts = urlsplit(url)
    allowed = optional_setting("WEBHOOK_ALLOWED_HOSTS").split(",")
    return parts.hostname in allowed and parts.username is None


def _headers(delivery: Delivery, secret: str, now: datetime) -> dict[str, str]:
    timestamp = int(now.timestamp())
    api_key = optional_setting("MAKE_WEBHOOK_API_KEY")
    return {
        "content-type": "application/json; charset=utf-8",
        "user-agent": "4AS-Webhooks/1",
        "webhook-id": delivery.event_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": sign([secret], delivery.event_id, timestamp, delivery.body),
        "x-4as-event-type": delivery.type,
        "x-4as-attempt": str(delivery.attempt),
        **({"x-make-apikey": api_key} if api_key else {}),
    }
