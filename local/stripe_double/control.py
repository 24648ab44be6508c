"""The double's own HTTP controls, under `/_double`: JSON in, JSON out, no key, each a method in Python too."""

from collections.abc import Callable
from dataclasses import asdict, is_dataclass
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError, validate_call
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from local.stripe_double.errors import StripeError
from local.stripe_double.faults import Kind

if TYPE_CHECKING:
    from local.stripe_double.double import StripeDouble


def routes(double: "StripeDouble") -> list[Route]:
    """Every control and what it calls."""
    dashboard, webhooks = double.dashboard, double.webhooks

    def add_fault(
        kind: Kind, method: str = "*", path: str = "*", times: int = 1, seconds: float = 0.0
    ) -> None:
        double.faults.add(kind, method=method, path=path, times=times, seconds=seconds)

    controls: list[tuple[str, str, Callable[..., Any]]] = [
        ("GET", "/state", double.state),
        ("POST", "/reset", double.reset),
        ("POST", "/faults", add_fault),
        ("DELETE", "/faults", double.faults.clear),
        ("POST", "/payment_intents/{intent}/authenticate", dashboard.authenticate),
        ("POST", "/payment_intents/{intent}/conclude", dashboard.conclude),
        ("POST", "/payment_intents/{intent}/refund", dashboard.refund),
        ("POST", "/payment_intents/{intent}/dispute", dashboard.open_dispute),
        ("POST", "/disputes/{dispute}/close", dashboard.close_dispute),
        ("POST", "/refunds/{refund}/settle", dashboard.settle_refund),
        ("PUT", "/bank", dashboard.let_bank_answer),
        ("POST", "/webhooks/endpoints", webhooks.register),
        ("PUT", "/webhooks/behaviour", webhooks.behave),
        ("POST", "/webhooks/hold", webhooks.hold),
        ("POST", "/webhooks/release", webhooks.release),
        ("POST", "/webhooks/drop", webhooks.drop),
        ("POST", "/webhooks/deliver/{event_id}", webhooks.deliver),
    ]
    return [Route(f"/_double{path}", _endpoint(call), methods=[method]) for method, path, call in controls]


def _endpoint(control: Callable[..., Any]) -> Callable[[Request], Any]:
    checked = validate_call(control)

    def run(arguments: dict[str, Any]) -> JSONResponse:
        try:
            result = checked(**arguments)
        except ValidationError as error:
            return JSONResponse({"errors": error.errors(include_url=False, include_context=False)}, 422)
        except StripeError as error:
            return JSONResponse({"error": error.error}, error.status)
        return JSONResponse(
            asdict(result) if is_dataclass(result) and not isinstance(result, type) else result
        )

    async def endpoint(request: Request) -> JSONResponse:
        arguments = await request.json() if await request.body() else {}
        return await run_in_threadpool(run, {**arguments, **request.path_params})

    return endpoint
