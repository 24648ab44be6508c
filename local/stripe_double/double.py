"""The double as a whole, for tests and for the local stack."""

import copy
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any, Self

import stripe
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.routing import Route

from local.stripe_double import control
from local.stripe_double.api import Api, Call
from local.stripe_double.dashboard import Dashboard
from local.stripe_double.faults import Faults
from local.stripe_double.idempotency import Idempotency
from local.stripe_double.keys import Keys
from local.stripe_double.operations import OPERATIONS
from local.stripe_double.sandbox import Clock, Resource, Sandbox
from local.stripe_double.server import Server
from local.stripe_double.webhooks import RETRIES, Webhooks


def _system_clock() -> float:
    return time.time()  # looked up at each call: time travel replaces it


class StripeDouble:
    """One Stripe account in a sandbox, its API, its dashboard and its webhooks.

    Parameters
    ----------
    webhook_url
        Where to post events. Without one, they wait in `webhooks.pending()` until a test takes them.
    clock
        Seconds since 1970; the system's by default, read at each use.
    retries
        Seconds before each new attempt to deliver an event.
    bank_delay
        Seconds until what Stripe does of its own accord: a charge reaches the balance (`charge.updated`), the
        refund of a `pm_card_refundFail` fails, that of a `pm_card_pendingRefund` succeeds.

    Examples
    --------
    >>> with StripeDouble.running() as double:
    ...     client = stripe.StripeClient(double.secret_key, base_addresses={"api": double.url})
    """

    def __init__(
        self,
        *,
        webhook_url: str | None = None,
        webhook_secret: str | None = None,
        secret_key: str | None = None,
        publishable_key: str | None = None,
        clock: Clock = _system_clock,
        retries: Sequence[float] = RETRIES,
        bank_delay: float = 2.0,
    ) -> None:
        self._keys = Keys(secret_key, publishable_key)
        self.sandbox = Sandbox(clock, stripe.api_version, bank_delay)
        self.faults = Faults()
        self.idempotency = Idempotency(self.sandbox.time)
        self.webhooks = Webhooks(self.sandbox, retries)
        self.dashboard = Dashboard(self.sandbox)
        self._api = Api(self.sandbox, self._keys, self.faults, self.idempotency)
        self._endpoint = self.webhooks.register(webhook_url, webhook_secret)
        self._server: Server | None = None

    @classmethod
    @contextmanager
    def running(cls, port: int = 0, host: str = "127.0.0.1", **options: Any) -> Iterator[Self]:
        """A double that answers on a thread of this process while the block lasts."""
        double = cls(**options)
        double.start(port, host)
        try:
            yield double
        finally:
            double.stop()

    def start(self, port: int = 0, host: str = "127.0.0.1") -> None:
        """Listen on this port, or on any free one."""
        self._server = Server(create_app(self), self.sandbox, self.webhooks, host, port)
        self._server.start()

    def stop(self) -> None:
        """Stop listening and delivering."""
        self.faults.clear()
        if self._server:
            self._server.stop()
            self._server = None

    @property
    def url(self) -> str:
        """The base address of the API."""
        if self._server is None:
            raise RuntimeError("The Stripe double is not running")
        return self._server.url

    @property
    def secret_key(self) -> str:
        """The merchant's key."""
        return self._keys.secret

    @property
    def publishable_key(self) -> str:
        """The browser's key."""
        return self._keys.publishable

    @property
    def webhook_secret(self) -> str:
        """The signing secret of the endpoint given at construction."""
        return self._endpoint.secret

    @property
    def calls(self) -> list[Call]:
        """Every API call, in order."""
        with self.sandbox.lock:
            return list(self._api.calls)

    def all(self, kind: str) -> list[Resource]:
        """Copies of the objects of a kind (`payment_intent`, `charge`, `refund`…), oldest first."""
        with self.sandbox.lock:
            return copy.deepcopy(self.sandbox.all(kind))

    def state(self) -> dict[str, Any]:
        """Everything at once, as JSON: what `GET /_double/state` answers."""
        kinds = ("customer", "payment_intent", "charge", "refund", "dispute", "event")
        with self.sandbox.lock:
            return {
                "calls": [asdict(call) for call in self._api.calls],
                **{f"{kind}s": self.all(kind) for kind in kinds},
                "deliveries": [delivery.summary() for delivery in self.webhooks.deliveries],
            }

    def reset(self) -> None:
        """Forget every object, call, key and knob; keys and endpoints stay."""
        with self.sandbox.lock:
            self.sandbox.clear()
            self.faults.clear()
            self.idempotency.clear()
            self.webhooks.clear()
            self._api.calls.clear()

    def run_due(self) -> None:
        """Do now, in this thread, all that the clock says is due: delayed actions, then deliveries."""
        self.sandbox.run_due()
        self.webhooks.send_due()

    def wait_for(self, condition: Callable[[], bool], timeout: float = 5.0) -> None:
        """Wait until the condition holds; it is looked at whenever something changes."""
        with self.sandbox.changed:
            if not self.sandbox.changed.wait_for(condition, timeout):
                raise TimeoutError("The Stripe double did not reach the expected state")


def create_app(double: StripeDouble) -> Starlette:
    """The ASGI application: Stripe's API and the double's controls."""
    api = double._api
    routes = [
        Route(operation.path, api.endpoint(operation), methods=[operation.method]) for operation in OPERATIONS
    ]
    everything_else = Route("/{path:path}", api.endpoint(None), methods=["GET", "POST", "DELETE"])
    browsers = Middleware(
        CORSMiddleware,
        allow_origins=["*"],
        allow_methods=["GET", "POST"],
        allow_headers=["*"],
        expose_headers=["Request-Id"],
    )
    return Starlette(routes=[*control.routes(double), *routes, everything_else], middleware=[browsers])
