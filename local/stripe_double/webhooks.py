"""Tell the merchant's endpoints what happened: signed, late, twice, out of order or not at all, as asked.

Source: https://docs.stripe.com/webhooks. An event keeps its identifier over every attempt; each attempt is
signed anew. Stripe promises neither order nor a single delivery, and the knobs below make the most of it.
"""

import hmac
import itertools
import json
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Literal
from urllib.parse import urlsplit

from local.stripe_double.ids import new_id, new_secret
from local.stripe_double.sandbox import Resource, Sandbox

Order = Literal["created", "reversed", "shuffled"]

RETRIES = (1.0, 5.0, 30.0, 300.0, 3600.0)  # seconds before each new attempt; at Stripe, hours over three days
_PATIENCE = 10.0  # seconds an endpoint has to answer


@dataclass(frozen=True)
class Endpoint:
    """Where to tell, and what. Without an address, deliveries wait to be taken by hand."""

    id: str
    url: str | None
    secret: str
    enabled_events: tuple[str, ...]

    def wants(self, kind: str) -> bool:
        """Whether this endpoint asked for events of this kind."""
        return any(fnmatchcase(kind, pattern) for pattern in self.enabled_events)


@dataclass(frozen=True)
class Message:
    """What an endpoint receives: signed headers and the exact body."""

    event_id: str
    event_type: str
    headers: dict[str, str]
    body: bytes


@dataclass(eq=False)
class Delivery:
    """One event on its way to one endpoint. `due` is an instant of the sandbox's clock."""

    number: int
    event: Resource
    endpoint: Endpoint
    due: float
    answered: bool  # whether the API call that caused the event got its answer
    status: Literal["pending", "delivered", "failed", "dropped", "taken"] = "pending"
    attempts: list[int | str] = field(default_factory=list)  # each one's HTTP status, or what went wrong

    def summary(self) -> Resource:
        """What became of it, as JSON."""
        return {
            "number": self.number,
            "event": self.event["id"],
            "type": self.event["type"],
            "url": self.endpoint.url,
            "status": self.status,
            "attempts": self.attempts,
            "due": self.due,
        }


class Webhooks:
    """The endpoints, the deliveries, and the knobs that disturb them."""

    def __init__(self, sandbox: Sandbox, retries: Sequence[float] = RETRIES) -> None:
        self._sandbox = sandbox
        self._retries = retries
        self._number = itertools.count(1)
        self.endpoints: list[Endpoint] = []
        self._under_way: list[Delivery] = []
        self.clear()
        sandbox.listeners.append(self._tell)

    def clear(self) -> None:
        """Forget the deliveries and put every knob back; the endpoints stay. One under way ends first."""
        with self._sandbox.changed:
            self.deliveries: list[Delivery] = []
            self._queue: list[Delivery] = []
            self.held = False
            self.copies = 1
            self.delay = 0.0
            self._drops: list[str] = []
            self._sandbox.changed.wait_for(lambda: not self._under_way)

    def register(
        self, url: str | None, secret: str | None = None, enabled_events: Sequence[str] = ("*",)
    ) -> Endpoint:
        """A new endpoint, with its own signing secret."""
        endpoint = Endpoint(new_id("we"), url, secret or f"whsec_{new_secret(32)}", tuple(enabled_events))
        with self._sandbox.lock:
            self.endpoints.append(endpoint)
        return endpoint

    def unregister(self, endpoint: Endpoint) -> None:
        """Tell this endpoint nothing more. A delivery under way ends first."""
        with self._sandbox.changed:
            self.endpoints.remove(endpoint)
            self._queue = [delivery for delivery in self._queue if delivery.endpoint is not endpoint]
            self._sandbox.changed.wait_for(
                lambda: all(delivery.endpoint is not endpoint for delivery in self._under_way)
            )

    def hold(self) -> None:
        """Send nothing until `release`."""
        self.held = True

    def release(self, order: Order = "created", seed: int = 0) -> None:
        """Send what was held, in this order, and go on."""
        with self._sandbox.changed:
            if order == "reversed":
                self._queue.reverse()
            elif order == "shuffled":
                random.Random(seed).shuffle(self._queue)  # noqa: S311 - a repeatable disorder, not a secret
            self.held = False
            self._sandbox.changed.notify_all()

    def behave(self, *, copies: int = 1, delay: float = 0.0) -> None:
        """From now on, queue each event `copies` times for each endpoint, due after `delay` seconds."""
        with self._sandbox.lock:
            self.copies, self.delay = copies, delay

    def drop(self, kind: str = "*", times: int = 1) -> None:
        """Lose the next `times` events of this kind: they are listed by the API, but never delivered."""
        with self._sandbox.lock:
            self._drops += [kind] * times

    def pending(self) -> list[Delivery]:
        """Deliveries that did not reach their endpoint yet, in the order they will be sent."""
        with self._sandbox.lock:
            return list(self._queue)

    def take(self, kind: str = "*") -> list[Message]:
        """Take the pending deliveries of this kind out of the queue, signed, to hand them over oneself."""
        with self._sandbox.changed:
            taken = [delivery for delivery in self.pending() if fnmatchcase(delivery.event["type"], kind)]
            for delivery in taken:
                self._finish(delivery, "taken")
            return [self.message(delivery.event["id"], delivery.endpoint) for delivery in taken]

    def message(self, event_id: str, endpoint: Endpoint | None = None) -> Message:
        """The event as the endpoint (the first one by default) would receive it now."""
        with self._sandbox.lock:
            event = self._sandbox.get("event", event_id)
            endpoint = endpoint or self.endpoints[0]
            body = json.dumps(event, indent=2, ensure_ascii=False).encode()
            headers = {
                "Content-Type": "application/json; charset=utf-8",
                "Stripe-Signature": _signature(body, endpoint.secret, self._sandbox.now()),
                "User-Agent": "Stripe/1.0 (+https://stripe.com/docs/webhooks)",
            }
            return Message(event["id"], event["type"], headers, body)

    def deliver(self, event_id: str) -> list[int | str]:
        """Send this event to every endpoint right now, whatever was sent before; what each one answered."""
        return [
            _post(endpoint.url, self.message(event_id, endpoint))
            for endpoint in self.endpoints
            if endpoint.url is not None
        ]

    def send_due(self) -> None:
        """Make one attempt for each delivery that is due."""
        while delivery := self._next_due():
            url = delivery.endpoint.url or ""
            answer = _post(url, self.message(delivery.event["id"], delivery.endpoint))
            with self._sandbox.changed:
                self._record(delivery, answer)

    def _tell(self, event: Resource) -> None:
        """Queue a new event for the endpoints that want it."""
        endpoints = [endpoint for endpoint in self.endpoints if endpoint.wants(event["type"])]
        lost = next((kind for kind in self._drops if fnmatchcase(event["type"], kind)), None)
        if lost:
            self._drops.remove(lost)
        event["pending_webhooks"] = len(endpoints)
        request = self._sandbox.request
        due = self._sandbox.time() + self.delay
        queued = [
            Delivery(next(self._number), event, endpoint, due, answered=request is None)
            for endpoint in endpoints
            for _ in range(self.copies)
        ]
        self.deliveries += queued
        if lost:
            for delivery in queued:
                delivery.status = "dropped"
            return
        self._queue += queued
        if request:
            request.after_answer.append(lambda: self._answered(queued))

    def _answered(self, queued: list[Delivery]) -> None:
        """The API call got its answer: what it caused may be told."""
        with self._sandbox.changed:
            for delivery in queued:
                delivery.answered = True
            self._sandbox.changed.notify_all()

    def _next_due(self) -> Delivery | None:
        with self._sandbox.lock:
            if self.held:
                return None
            now = self._sandbox.time()
            for delivery in self._queue:
                ready = delivery.answered and delivery.due <= now and delivery.endpoint.url is not None
                if ready and delivery not in self._under_way:
                    self._under_way.append(delivery)
                    return delivery
            return None

    def _record(self, delivery: Delivery, answer: int | str) -> None:
        self._under_way.remove(delivery)
        delivery.attempts.append(answer)
        self._sandbox.changed.notify_all()
        if delivery not in self._queue:  # taken by hand, or forgotten, while it was on its way
            return
        if isinstance(answer, int) and 200 <= answer < 300:
            self._finish(delivery, "delivered")
        elif len(delivery.attempts) > len(self._retries):
            self._finish(delivery, "failed")
        else:
            delivery.due = self._sandbox.time() + self._retries[len(delivery.attempts) - 1]

    def _finish(self, delivery: Delivery, status: Literal["delivered", "failed", "taken"]) -> None:
        delivery.status = status
        self._queue.remove(delivery)
        if status != "failed":
            delivery.event["pending_webhooks"] = len(
                {other.endpoint.id for other in self._queue if other.event is delivery.event}
            )


def _signature(body: bytes, secret: str, timestamp: int) -> str:
    """Source: https://docs.stripe.com/webhooks#verify-manually."""
    signed = hmac.new(secret.encode(), f"{timestamp}.".encode() + body, "sha256").hexdigest()
    return f"t={timestamp},v1={signed}"


def _post(url: str, message: Message) -> int | str:
    """The status the endpoint answered, or what went wrong on the way."""
    address = urlsplit(url)
    connect = HTTPSConnection if address.scheme == "https" else HTTPConnection
    connection = connect(address.netloc, timeout=_PATIENCE)
    try:
        path = (address.path or "/") + (f"?{address.query}" if address.query else "")
        connection.request("POST", path, message.body, message.headers)
        return connection.getresponse().status
    except (OSError, HTTPException) as error:
        return f"{type(error).__name__}: {error}"
    finally:
        connection.close()
