"""Posting events to Make.com, signed, to configured public hosts only (make-webhooks b.2, b.3, c)."""

import socket
import ssl
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import cache
from http.client import HTTPException
from time import perf_counter

from adapters.make_routes import events_per_second, has_url, route, url_of
from adapters.posting import Misconfigured, Poster, checked_address, split
from adapters.settings import optional_setting
from domain.webhooks.delivery import Delivery, Failure, Route
from domain.webhooks.event_types import EVENTS, FALLBACK, secret_setting, url_setting
from domain.webhooks.signature import sign

TOTAL_TIMEOUT_SECONDS = 15.0
ROTATION_AT_MOST = timedelta(days=7)
REQUIRED = {event.endpoint: not event.falls_back for event in EVENTS.values()}
"""Each area, and whether it must have a URL of its own (c.1)."""


class MakeReceiver:
    """Implements `domain.webhooks.delivery.Receiver`. An attempt takes no longer than `timeout_seconds`."""

    def __init__(self, timeout_seconds: float = TOTAL_TIMEOUT_SECONDS) -> None:
        self._poster = Poster()
        self.timeout_seconds = timeout_seconds

    @property
    def per_second(self) -> int:
        return events_per_second()

    def route(self, event_type: str) -> Route:
        return route(event_type)

    def post(self, delivery: Delivery, now: datetime) -> Failure | None:
        """One signed POST; 2xx is accepted, anything else is a Failure."""
        began = perf_counter()
        try:
            secrets = signing_secrets(delivery.endpoint, now)
            headers = headers_of(delivery, secrets, now)
            answer = self._poster.post(
                url_of(delivery.endpoint), delivery.body, headers, self.timeout_seconds
            )
        except Misconfigured as reason:
            return Failure(str(reason), "configuration")
        except (HTTPException, OSError) as error:
            return Failure(class_of(error), class_of(error), duration_ms=_since(began))
        if 200 <= answer.status < 300:
            return None
        return Failure(
            str(answer.status),
            f"http_{answer.status // 100}xx",
            answer.status,
            retry_after=read_retry_after(answer.headers.get("retry-after"), now),
            excerpt=answer.text,
            duration_ms=_since(began),
        )


@cache
def make_receiver() -> MakeReceiver:
    """The container's receiver."""
    return MakeReceiver()


def hosts() -> dict[str, str]:
    """Where each area's events go, as a log may say it: a host, never a URL, which is a secret."""
    return {area: _host(area) for area in REQUIRED}


def _host(area: str) -> str:
    if has_url(area):
        try:
            return split(url_of(area)).hostname or ""
        except Misconfigured as reason:
            return str(reason)
    return "none" if REQUIRED[area] or not has_url(FALLBACK) else f"via {FALLBACK}"


def faults(now: datetime) -> list[str]:
    """What would keep events from leaving, each beside the setting's name: for the check before a deployment (c.2)."""
    return [f"{url_setting(area)}: {fault}" for area in REQUIRED if (fault := _fault(area, now))]


def _fault(area: str, now: datetime) -> str | None:
    if not has_url(area):
        return "is required" if REQUIRED[area] else None
    try:
        checked_address(split(url_of(area)))
        headers_of(Delivery("evt", "test.ping", b"", 1, area), signing_secrets(area, now), now)
    except Misconfigured as reason:
        return str(reason)
    except OSError:
        return "nobody knows the host"
    return None


def signing_secrets(area: str, now: datetime) -> list[str]:
    """The URL's secret and, until it expires, the one it replaces: for seven days at most (b.2).

    Raises Misconfigured when there is none: nothing leaves unsigned.
    """
    name = secret_setting(area)
    if not (current := optional_setting(name)):
        raise Misconfigured("the signing secret is missing")
    secrets = [current]
    if previous := optional_setting(f"{name}_PREVIOUS"):
        expires = _instant(optional_setting(f"{name}_PREVIOUS_EXPIRES_AT"))
        if expires and now < expires <= now + ROTATION_AT_MOST:
            secrets.append(previous)
    return secrets


def read_retry_after(value: str | None, now: datetime) -> timedelta | None:
    """What a Retry-After header asks, in seconds or as a date; None when it asks nothing intelligible."""
    if value is None:
        return None
    if value.strip().isascii() and value.strip().isdigit():
        digits = value.strip().lstrip("0")
        return timedelta(seconds=min(int(digits or 0), 86_400) if len(digits) <= 9 else 86_400)
    try:
        at = parsedate_to_datetime(value)
    except (ValueError, OverflowError):
        return None
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    return min(max(at - now, timedelta()), timedelta(days=1))


def class_of(error: Exception) -> str:
    """The kind of a failure on the way: `timeout`, `dns`, `tls` or `refused`."""
    match error:
        case TimeoutError():
            return "timeout"
        case socket.gaierror():
            return "dns"
        case ssl.SSLError():
            return "tls"
        case _:
            return "refused"


def headers_of(delivery: Delivery, secrets: list[str], now: datetime) -> dict[str, str]:
    """The headers of the contract (a.2), signed for this very second. Raises Misconfigured for an unusable secret."""
    timestamp = int(now.timestamp())
    try:
        signature = sign(secrets, delivery.event_id, timestamp, delivery.body)
    except ValueError as error:
        raise Misconfigured("a signing secret is not whsec_ and base64") from error
    api_key = optional_setting("MAKE_WEBHOOK_API_KEY")
    forced = delivery.forced if delivery.forcing else 0
    return {
        "content-type": "application/json; charset=utf-8",
        "user-agent": "4AS-Webhooks/1",
        "webhook-id": delivery.event_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": signature,
        "x-4as-event-type": delivery.type,
        "x-4as-attempt": str(delivery.attempt),
        **({"x-4as-replay": str(forced)} if forced else {}),
        **({"x-make-apikey": api_key} if api_key else {}),
    }


def _instant(text: str) -> datetime | None:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return None
    return at if at.tzinfo else None


def _since(began: float) -> int:
    return int((perf_counter() - began) * 1000)
