"""Idempotency keys as Stripe keeps them. Source: https://docs.stripe.com/api/idempotent_requests.

The first answer given once execution has begun is kept for 24 hours, whatever it is, and repeated to the same
request. Refused parameters, rate limits and concurrent requests leave the key free.
"""

from dataclasses import dataclass
from typing import Any

from local.stripe_double.errors import StripeError, invalid_request
from local.stripe_double.forms import Params
from local.stripe_double.sandbox import Clock

_LIFETIME = 24 * 3600  # seconds
_LONGEST = 255


@dataclass
class Kept:
    """The first request under a key, and its answer once it is known."""

    method: str
    path: str
    params: Params
    request_id: str
    since: float
    status: int = 0  # until there is an answer
    body: Any = None


class Idempotency:
    """The keys in use."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._kept: dict[str, Kept] = {}

    def begin(self, key: str, method: str, path: str, params: Params, request_id: str) -> tuple[Kept, bool]:
        """Take the key, or find what was answered under it: (record, whether it holds an answer to repeat)."""
        if not key:
            raise invalid_request("Idempotency Key must be a non-empty string.")
        if len(key) > _LONGEST:
            raise invalid_request(f"Idempotency keys can be up to {_LONGEST} characters long.")
        known = self._kept.get(key)
        if known is None or known.since + _LIFETIME <= self._clock():
            self._kept[key] = Kept(method, path, params, request_id, self._clock())
            return self._kept[key], False
        if known.path != path:
            raise _misused(
                key, f"for the same endpoint they were first used for ('{path}' vs '{known.path}')"
            )
        if known.params != params:
            raise _misused(key, "with the same parameters they were first used with")
        if not known.status:
            raise StripeError(
                409,
                "There is currently another in-progress request using this Idempotent Key (that probably means you"
                f" submitted twice, and the other request is still going through): {key}. Please try again later.",
                kind="idempotency_error",
                code="idempotency_key_in_use",
            )
        return known, True

    def release(self, key: str) -> None:
        """Nothing was executed: the key is free again."""
        self._kept.pop(key, None)

    def clear(self) -> None:
        """Forget every key."""
        self._kept.clear()


def _misused(key: str, rule: str) -> StripeError:
    return StripeError(
        400,
        f"Keys for idempotent requests can only be used {rule}. Try using a key other than '{key}' if you meant to"
        " execute a different request.",
        kind="idempotency_error",
    )
