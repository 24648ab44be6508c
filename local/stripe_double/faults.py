"""Make Stripe fail on purpose: the next calls that match are slow, refused, lost before or after their effect.

What each kind does to the idempotency key is what Stripe documents (https://docs.stripe.com/error-low-level):
rate limits and lost connections leave no trace, a 500 is kept once execution has begun.
"""

import threading
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Literal

Kind = Literal[
    "rate_limit",  # 429, nothing done, nothing kept
    "lock_timeout",  # 429 too: another request holds the object
    "refusal",  # 400, kept under the key as any answer is, nothing done
    "server_error",  # 500 kept under the key, nothing done
    "server_error_after_commit",  # 500 kept under the key, yet the effect is there
    "timeout_before",  # nothing done, no answer
    "timeout_after_commit",  # done and kept, no answer
    "connection_reset",  # nothing done, the connection is reset
    "slow",  # done after `seconds`
    "stall",  # done once `release()` is called
]


@dataclass(eq=False)
class Fault:
    """A fault waiting for its calls.

    `path` is a pattern (`/v1/payment_intents/*/confirm`). `seconds` is how long a `slow` call waits, and how
    long a lost one leaves the client without a word before the connection drops (at once by default).
    """

    kind: Kind
    method: str = "*"
    path: str = "*"
    times: int = 1
    seconds: float = 0.0
    reached: threading.Event = field(default_factory=threading.Event)
    released: threading.Event = field(default_factory=threading.Event)

    def release(self) -> None:
        """Let a stalled call go on."""
        self.released.set()


class Faults:
    """The faults to come, in the order they were asked for."""

    def __init__(self) -> None:
        self._waiting: list[Fault] = []
        self._struck: list[Fault] = []

    def add(
        self, kind: Kind, *, method: str = "*", path: str = "*", times: int = 1, seconds: float = 0.0
    ) -> Fault:
        """Strike the next `times` calls that match."""
        fault = Fault(kind, method, path, times, seconds)
        self._waiting.append(fault)
        return fault

    def take(self, method: str, path: str) -> Fault | None:
        """The fault that strikes this call, one time less."""
        for fault in self._waiting:
            if fnmatchcase(method, fault.method) and fnmatchcase(path, fault.path):
                fault.times -= 1
                if fault.times <= 0:
                    self._waiting.remove(fault)
                self._struck.append(fault)
                fault.reached.set()
                return fault
        return None

    def clear(self) -> None:
        """No more faults; stalled calls go on."""
        for fault in self._struck:
            fault.release()
        self._waiting.clear()
        self._struck.clear()
