"""The errors Stripe answers with: a type, often a code, the parameter at fault, and the objects concerned."""

from typing import Any


class StripeError(Exception):
    """An answer other than 200, in the words of Stripe's `error` object.

    `details` are the further members Stripe adds for this kind of error (`payment_intent`, `charge`,
    `decline_code`…).
    """

    def __init__(
        self,
        status: int,
        message: str,
        *,
        kind: str = "invalid_request_error",
        code: str | None = None,
        param: str | None = None,
        **details: Any,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.error: dict[str, Any] = {"message": message, "type": kind, **details}
        if code:
            self.error["code"] = code
            self.error["doc_url"] = f"https://stripe.com/docs/error-codes/{code.replace('_', '-')}"
        if param:
            self.error["param"] = param


class InvalidParameterError(StripeError):
    """Parameters refused before the operation began, hence never kept under an idempotency key."""

    def __init__(self, message: str, param: str, code: str | None = None) -> None:
        super().__init__(400, message, code=code, param=param)


def invalid_request(
    message: str, *, code: str | None = None, param: str | None = None, **details: Any
) -> StripeError:
    """A request that is well formed but cannot be done."""
    return StripeError(400, message, code=code, param=param, **details)


def no_such(what: str, identifier: str, *, param: str, status: int = 400) -> StripeError:
    """An identifier of nothing: 404 in the address, 400 in a parameter."""
    return StripeError(status, f"No such {what}: '{identifier}'", code="resource_missing", param=param)


def not_played(param: str) -> InvalidParameterError:
    """A parameter that Stripe knows and this double does not imitate: better refused than ignored."""
    return InvalidParameterError(f"The Stripe double does not imitate the parameter {param}.", param)
