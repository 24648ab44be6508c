"""What Stripe remembers of one account, and the events it tells.

Every operation runs inside `sandbox.during(...)` or under `sandbox.lock`: the double does one thing at a time,
so what it says is what a serial Stripe would say.
"""

import copy
import heapq
import itertools
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from local.stripe_double.errors import no_such
from local.stripe_double.ids import new_id

Resource = dict[str, Any]
Clock = Callable[[], float]

# Stripe calls a kind by one name in its objects and by another in its sentences.
_SPOKEN = {"payment_method": "PaymentMethod"}


@dataclass
class Request:
    """The API call being executed; events carry its identifiers."""

    id: str
    api_version: str
    idempotency_key: str | None = None
    after_answer: list[Callable[[], None]] = field(default_factory=list)


class Sandbox:
    """The objects of an account by kind and id, in order of creation."""

    def __init__(self, clock: Clock, api_version: str, bank_delay: float) -> None:
        self.lock = threading.RLock()
        self.changed = threading.Condition(self.lock)
        self.api_version = api_version
        self.listeners: list[Callable[[Resource], None]] = []
        self.request: Request | None = None
        self.bank_delay = bank_delay
        self._clock = clock
        self._ticket = itertools.count()
        self.clear()

    def clear(self) -> None:
        """Forget everything."""
        self._objects: dict[str, dict[str, Resource]] = {}
        self._later: list[tuple[float, int, Callable[[], None]]] = []
        self.bank_answers_later = False

    def time(self) -> float:
        """Now, in seconds since 1970, read anew each time: the clock may be moved."""
        return self._clock()

    def now(self) -> int:
        """Now as Stripe writes it: whole seconds."""
        return int(self.time())

    @contextmanager
    def during(self, request: Request) -> Iterator[None]:
        """Execute one API call, alone."""
        with self.lock:
            self.request = request
            try:
                yield
            finally:
                self.request = None

    def add(self, resource: Resource) -> Resource:
        """Keep a new object."""
        self._objects.setdefault(resource["object"], {})[resource["id"]] = resource
        return resource

    def find(self, kind: str, identifier: str) -> Resource | None:
        """The object, or nothing."""
        return self._objects.get(kind, {}).get(identifier)

    def get(self, kind: str, identifier: str, *, param: str | None = None) -> Resource:
        """The object that a parameter names (400 when absent), or the address itself (404)."""
        found = self.find(kind, identifier)
        if found is None:
            status = 400 if param else 404
            raise no_such(_SPOKEN.get(kind, kind), identifier, param=param or "id", status=status)
        return found

    def all(self, kind: str) -> list[Resource]:
        """Every object of a kind, oldest first."""
        return list(self._objects.get(kind, {}).values())

    def change(self, resource: Resource, event: str, **values: Any) -> None:
        """Give the object new values and tell it, with the values it had before."""
        previous = {name: resource[name] for name, value in values.items() if resource[name] != value}
        resource.update(values)
        self.emit(event, resource, previous)

    def emit(self, kind: str, resource: Resource, previous: Resource | None = None) -> None:
        """Record an event with a snapshot of the object, and tell the listeners."""
        request = self.request
        data = {"object": copy.deepcopy(resource)}
        if previous:
            data["previous_attributes"] = copy.deepcopy(previous)
        event = self.add(
            {
                "id": new_id("evt"),
                "object": "event",
                "api_version": request.api_version if request else self.api_version,
                "created": self.now(),
                "data": data,
                "livemode": False,
                "pending_webhooks": 0,
                "request": {
                    "id": request.id if request else None,
                    "idempotency_key": request.idempotency_key if request else None,
                },
                "type": kind,
            }
        )
        for listener in self.listeners:
            listener(event)
        self.changed.notify_all()

    def later(self, action: Callable[[], None]) -> None:
        """Do something of Stripe's own accord, after the time that banks take."""
        heapq.heappush(self._later, (self.time() + self.bank_delay, next(self._ticket), action))

    def run_due(self) -> None:
        """Do what is due by the clock."""
        with self.lock:
            while self._later and self._later[0][0] <= self.time():
                heapq.heappop(self._later)[2]()
