"""Posting events to Make.com, signed, to configured public hosts only (make-webhooks b.2, b.3, c)."""

import ipaddress
import socket
import ssl
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import cache
from time import perf_counter
from urllib.parse import SplitResult, urlsplit

import urllib3

from adapters.settings import optional_setting
from domain.errors import Refused
from domain.ids import time_ordered_id
from domain.webhooks.delivery import Delivery, EndpointMissing, Failure
from domain.webhooks.event_types import EVENTS, FALLBACK
from domain.webhooks.signature import sign

CONNECT_TIMEOUT_SECONDS = 3
TOTAL_TIMEOUT_SECONDS = 15
MAX_ERROR_BYTES = 4096
ROTATION_AT_MOST = timedelta(days=7)

type Pool = urllib3.HTTPConnectionPool


class Forbidden(Exception):
    """A URL that nothing may be posted to; says why without naming it."""


class MakeReceiver:
    """Implements `domain.webhooks.delivery.Receiver`. Keeps a connection to each address it has posted to."""

    def __init__(self) -> None:
        self._pools: dict[tuple[str, str, str, int], Pool] = {}

    def route(self, event_type: str) -> str:
        """The area whose URL takes the event: its own, else the fallback's where one was promised (c.1)."""
        kind = EVENTS[event_type]
        if has_url(kind.endpoint):
            return kind.endpoint
        if kind.falls_back and has_url(FALLBACK):
            return FALLBACK
        raise EndpointMissing(kind.endpoint)

    def post(self, delivery: Delivery, now: datetime) -> Failure | None:
        """One signed POST; 2xx is accepted, anything else is a Failure."""
        secrets = signing_secrets(delivery.endpoint, now)
        if not secrets:
            return Failure("the signing secret is missing", "configuration")
        parts = urlsplit(optional_setting(f"MAKE_{delivery.endpoint}_WEBHOOK_URL"))
        began = perf_counter()
        try:
            return self._post(parts, delivery, headers_of(delivery, secrets, now), began, now)
        except Forbidden as reason:
            return Failure(str(reason), "forbidden")
        except (urllib3.exceptions.HTTPError, OSError) as error:
            return Failure(type(error).__name__, class_of(error), duration_ms=_since(began))

    def _post(
        self, parts: SplitResult, delivery: Delivery, headers: dict[str, str], began: float, now: datetime
    ) -> Failure | None:
        pool = self._pool(parts)
        left = TOTAL_TIMEOUT_SECONDS - (perf_counter() - began)
        answer = pool.urlopen(
            "POST",
            f"{parts.path or '/'}{'?' if parts.query else ''}{parts.query}",
            body=delivery.body,
            headers={"host": parts.netloc, **headers},
            redirect=False,
            retries=False,
            timeout=urllib3.Timeout(connect=CONNECT_TIMEOUT_SECONDS, total=max(left, 0.1)),
            preload_content=False,
        )
        try:
            text = answer.read(MAX_ERROR_BYTES).decode(errors="replace")
        finally:
            answer.release_conn()
        if 200 <= answer.status < 300:
            return None
        return Failure(
            str(answer.status),
            f"http_{answer.status // 100}xx",
            answer.status,
            retry_after=read_retry_after(answer.headers.get("retry-after"), now),
            excerpt=text,
            duration_ms=_since(began),
        )

    def _pool(self, parts: SplitResult) -> Pool:
        """Connections to the very address that was looked at: a name cannot turn private between two look-ups."""
        address, port = checked_address(parts)
        host = parts.hostname or ""
        key = (parts.scheme, host, address, port)
        if key not in self._pools:
            self._pools[key] = (
                urllib3.HTTPSConnectionPool(address, port, server_hostname=host, assert_hostname=host)
                if parts.scheme == "https"
                else urllib3.HTTPConnectionPool(address, port)
            )
        return self._pools[key]


@cache
def make_receiver() -> MakeReceiver:
    """The container's receiver."""
    return MakeReceiver()


def post_ping(area: str, now: datetime) -> Failure | None:
    """A test event to one URL; nothing records it. Refuses with ENDPOINT_WITHOUT_URL."""
    if not has_url(area):
        raise Refused("ENDPOINT_WITHOUT_URL")
    event_id = f"evt_{time_ordered_id(now).hex}"
    return make_receiver().post(Delivery(event_id, "test.ping", b'{"type":"test.ping"}', 1, area), now)


def has_url(area: str) -> bool:
    return bool(optional_setting(f"MAKE_{area}_WEBHOOK_URL"))


def signing_secrets(area: str, now: datetime) -> list[str]:
    """The URL's secret and, until it expires, the one it replaces: for seven days at most (b.2)."""
    name = f"MAKE_{area}_WEBHOOK_SECRET"
    secrets = [optional_setting(name)]
    if previous := optional_setting(f"{name}_PREVIOUS"):
        expires = _instant(optional_setting(f"{name}_PREVIOUS_EXPIRES_AT"))
        if expires and now < expires <= now + ROTATION_AT_MOST:
            secrets.append(previous)
    return [secret for secret in secrets if secret]


def checked_address(parts: SplitResult) -> tuple[str, int]:
    """Where to connect. Raises Forbidden for what is not https to a public address of an allowed host.

    A host of WEBHOOK_PRIVATE_HOSTS may be private and without TLS: the inbox of a stack on one machine.
    """
    host = parts.hostname or ""
    private = host in _hosts("WEBHOOK_PRIVATE_HOSTS")
    if host not in _hosts("WEBHOOK_ALLOWED_HOSTS") or parts.username is not None:
        raise Forbidden("the URL is not on the allow-list")
    if parts.scheme != "https" and not (private and parts.scheme == "http"):
        raise Forbidden("the URL is not https")
    try:
        port = parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError as error:
        raise Forbidden("the URL is not on the allow-list") from error
    found = sorted(
        socket.getaddrinfo(host, port, type=socket.SOCK_STREAM), key=lambda one: one[0] != socket.AF_INET
    )
    addresses = [str(address[0]) for *_, address in found]
    if not private and not all(ipaddress.ip_address(address).is_global for address in addresses):
        raise Forbidden("the host has a private address")
    return addresses[0], port


def read_retry_after(value: str | None, now: datetime) -> timedelta | None:
    """What a Retry-After header asks, in seconds or as a date; None when it asks nothing intelligible."""
    if value is None:
        return None
    if value.strip().isascii() and value.strip().isdigit():
        return timedelta(seconds=min(int(value.strip()[:10]), 86_400))
    try:
        at = parsedate_to_datetime(value)
    except ValueError:
        return None
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    return min(max(at - now, timedelta()), timedelta(days=1))


def class_of(error: Exception) -> str:
    """The kind of a failure on the way: `timeout`, `dns`, `tls` or `refused`."""
    if isinstance(error, urllib3.exceptions.TimeoutError | TimeoutError):
        return "timeout"
    if isinstance(error, socket.gaierror):
        return "dns"
    if isinstance(error, urllib3.exceptions.SSLError | ssl.SSLError):
        return "tls"
    return "refused"


def headers_of(delivery: Delivery, secrets: list[str], now: datetime) -> dict[str, str]:
    """The headers of the contract (a.2), signed for this very second."""
    timestamp = int(now.timestamp())
    api_key = optional_setting("MAKE_WEBHOOK_API_KEY")
    forced = delivery.forced if delivery.trigger == "manual" else 0
    return {
        "content-type": "application/json; charset=utf-8",
        "user-agent": "4AS-Webhooks/1",
        "webhook-id": delivery.event_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": sign(secrets, delivery.event_id, timestamp, delivery.body),
        "x-4as-event-type": delivery.type,
        "x-4as-attempt": str(delivery.attempt),
        **({"x-4as-replay": str(forced)} if forced else {}),
        **({"x-make-apikey": api_key} if api_key else {}),
    }


def _hosts(name: str) -> list[str]:
    return [host for host in optional_setting(name).split(",") if host]


def _instant(text: str) -> datetime | None:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return None
    return at if at.tzinfo else None


def _since(began: float) -> int:
    return int((perf_counter() - began) * 1000)
