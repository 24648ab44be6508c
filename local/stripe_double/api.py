"""The edge of the API: from an HTTP request to an operation and back.

In Stripe's order: the key, the rate limit, the idempotency key, the parameters, the operation.
"""

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

from starlette.background import BackgroundTask
from starlette.requests import Request as HttpRequest
from starlette.responses import Response
from starlette.types import ASGIApp

from local.stripe_double import expansion, payment_intents
from local.stripe_double.errors import InvalidParameterError, StripeError, invalid_request
from local.stripe_double.faults import Fault, Faults
from local.stripe_double.forms import Params, decode
from local.stripe_double.hang_up import HangUp
from local.stripe_double.idempotency import Idempotency
from local.stripe_double.ids import new_id
from local.stripe_double.keys import Caller, Keys, check_allowed
from local.stripe_double.operations import Operation
from local.stripe_double.sandbox import Request, Sandbox

_FORM = "application/x-www-form-urlencoded"
_TOO_MUCH = {
    "rate_limit": (
        "Request rate limit exceeded. Learn more about rate limits here https://stripe.com/docs/rate-limits."
    ),
    "lock_timeout": (
        "This object cannot be accessed right now because another API request or Stripe process is currently"
        " accessing it. If you see this error intermittently, retry the request."
    ),
}


@dataclass(eq=False)
class Call:
    """One API call as it was seen. Without a `status`, it got no answer (yet)."""

    method: str
    path: str
    request_id: str
    params: Params
    idempotency_key: str | None = None
    caller: Caller | None = None
    replayed: bool = False
    status: int | None = None


@dataclass(frozen=True)
class Answer:
    """A status, a JSON body, and the headers this answer has beyond the usual ones."""

    status: int
    body: Any
    headers: dict[str, str]


class Api:
    """Answers the calls, one at a time, and remembers them."""

    def __init__(self, sandbox: Sandbox, keys: Keys, faults: Faults, idempotency: Idempotency) -> None:
        self._sandbox = sandbox
        self._keys = keys
        self._faults = faults
        self._idempotency = idempotency
        self.calls: list[Call] = []

    def endpoint(self, operation: Operation | None) -> Callable[[HttpRequest], Any]:
        """The Starlette endpoint of an operation, or of every address that has none."""

        async def answer(http: HttpRequest) -> ASGIApp:
            return await self._answer(http, operation)

        return answer

    async def _answer(self, http: HttpRequest, operation: Operation | None) -> ASGIApp:
        key = http.headers.get("Idempotency-Key") if http.method == "POST" else None
        call = Call(http.method, http.url.path, new_id("req", 14), {}, key)
        request = Request(call.request_id, self._sandbox.api_version, key)
        with self._sandbox.lock:
            self.calls.append(call)
        try:
            operation = await self._admit(http, operation, call)
            fault = self._faults.take(call.method, call.path)
            if fault and fault.kind in ("rate_limit", "lock_timeout"):
                raise StripeError(429, _TOO_MUCH[fault.kind], code=fault.kind)
            if fault and fault.kind in ("timeout_before", "connection_reset"):
                return HangUp(fault.seconds, reset=fault.kind == "connection_reset")
            answer = await self._once(operation, http.path_params, call, request, fault)
            if fault and fault.kind == "timeout_after_commit":
                self._answered(request)
                return HangUp(fault.seconds)
        except StripeError as error:
            answer = Answer(error.status, _refusal(error, call), {})
        call.status = answer.status
        return self._response(answer, request)

    async def _admit(self, http: HttpRequest, operation: Operation | None, call: Call) -> Operation:
        """Read the call and check that this caller may make it."""
        call.caller = self._keys.caller(http.headers.get("Authorization"))
        self._check_version(http.headers.get("Stripe-Version"))
        call.params = await _params(http)
        if operation is None:
            raise _unrecognized(http)
        check_allowed(
            call.caller, publishable=operation.publishable, client_secret=call.params.get("client_secret")
        )
        return operation

    async def _once(
        self,
        operation: Operation,
        identifiers: dict[str, str],
        call: Call,
        request: Request,
        fault: Fault | None,
    ) -> Answer:
        """Execute, or repeat what was answered to the same request under its idempotency key."""
        key = call.idempotency_key
        if key is None:
            await _wait(fault)
            return Answer(*self._execute(operation, identifiers, call, request, fault), {})
        kept, call.replayed = self._idempotency.begin(
            key, call.method, call.path, call.params, call.request_id
        )
        headers = {"Idempotency-Key": key, "Original-Request": kept.request_id}
        if call.replayed:
            return Answer(kept.status, kept.body, {**headers, "Idempotent-Replayed": "true"})
        try:
            await _wait(fault)
            kept.status, kept.body = self._execute(operation, identifiers, call, request, fault)
        finally:
            if not kept.status:
                self._idempotency.release(key)
        return Answer(kept.status, kept.body, headers)

    def _execute(
        self,
        operation: Operation,
        identifiers: dict[str, str],
        call: Call,
        request: Request,
        fault: Fault | None,
    ) -> tuple[int, Any]:
        """The status and body of an execution. Parameters refused beforehand are raised instead."""
        params = operation.schema.check(call.params)
        paths = params.get("expand", ())
        expansion.check(operation.answers, paths)
        try:
            if fault and fault.kind == "refusal":
                raise invalid_request("This request was refused on purpose.", code="parameter_invalid")
            if fault and fault.kind == "server_error":
                raise _server_error()
            with self._sandbox.during(request):
                resource = operation.run(self._sandbox, params, **identifiers)
                body = expansion.expanded(self._sandbox, resource, paths)
            if fault and fault.kind == "server_error_after_commit":
                raise _server_error()
        except InvalidParameterError:
            raise
        except StripeError as error:
            return error.status, _refusal(error, call)
        return 200, _public(body) if call.caller == "publishable" else body

    def _check_version(self, version: str | None) -> None:
        if version and version != self._sandbox.api_version:
            raise invalid_request(
                f"Invalid Stripe API version: {version}. The Stripe double speaks the version of the installed"
                f" stripe-python, {self._sandbox.api_version}."
            )

    def _response(self, answer: Answer, request: Request) -> Response:
        headers = {
            "Request-Id": request.id,
            "Stripe-Version": request.api_version,
            **answer.headers,
        }
        if answer.status in (409, 500):
            headers["Stripe-Should-Retry"] = "true" if answer.status == 409 else "false"

        async def answered() -> None:
            self._answered(request)

        body = json.dumps(answer.body, indent=2, ensure_ascii=False)
        return Response(body, answer.status, headers, "application/json", BackgroundTask(answered))

    def _answered(self, request: Request) -> None:
        with self._sandbox.changed:
            for action in request.after_answer:
                action()
            self._sandbox.changed.notify_all()


async def _params(http: HttpRequest) -> Params:
    if http.method in ("GET", "DELETE"):
        return decode(parse_qsl(http.url.query, keep_blank_values=True))
    body = await http.body()
    if body and not http.headers.get("Content-Type", _FORM).startswith(_FORM):
        raise invalid_request(f"Invalid request (check that your POST content type is {_FORM}).")
    return decode(parse_qsl(body.decode(errors="replace"), keep_blank_values=True))


async def _wait(fault: Fault | None) -> None:
    if fault and fault.kind == "slow":
        await asyncio.sleep(fault.seconds)
    if fault and fault.kind == "stall":
        await asyncio.to_thread(fault.released.wait)


def _refusal(error: StripeError, call: Call) -> dict[str, Any]:
    log = f"https://dashboard.stripe.com/test/logs/{call.request_id}"
    members = {**error.error, "request_log_url": log}
    if call.caller == "publishable" and "payment_intent" in members:
        members["payment_intent"] = _public(members["payment_intent"])
    return {"error": members}


def _public(intent: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in intent.items() if name in payment_intents.PUBLIC}


def _server_error() -> StripeError:
    return StripeError(500, "An unknown error occurred. Please contact support@stripe.com.", kind="api_error")


def _unrecognized(http: HttpRequest) -> StripeError:
    return StripeError(
        404,
        f"Unrecognized request URL ({http.method}: {http.url.path}). Please see https://stripe.com/docs or we can"
        " help at https://support.stripe.com/.",
    )
