"""A visitor who calls the handlers as API Gateway would, keeping cookies like a browser."""

import json
from base64 import b64decode
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from http.cookies import SimpleCookie
from types import ModuleType, SimpleNamespace
from typing import Any
from urllib.parse import urlencode
from uuid import uuid4

from functions.accounts import app as accounts
from functions.admin_webhooks import app as admin_webhooks
from functions.appointments import app as appointments
from functions.cart import app as cart
from functions.catalog import app as catalog
from functions.checkout import app as checkout
from functions.orders import app as orders
from functions.stripe_webhook import app as stripe_webhook
from functions.system import app as system
from functions.training_cart import app as training_cart
from functions.training_checkout import app as training_checkout
from functions.training_enrolments import app as training_enrolments
from functions.trainings import app as trainings

HANDLERS: dict[str, ModuleType] = {
    "/v1/admin/webhooks": admin_webhooks,
    "/v1/trainings/cart": training_cart,
    "/v1/trainings/checkout": training_checkout,
    "/v1/courses": catalog,
    "/v1/trainings": trainings,
    "/v1/appointments": appointments,
    "/v1/me/calendar": appointments,
    "/v1/me/enrolments": training_enrolments,
    "/v1/calendar": appointments,
    "/v1/orders": orders,
    "/v1/credits": orders,
    "/v1/cart": cart,
    "/v1/checkout": checkout,
    "/v1/stripe": stripe_webhook,
    "/v1/auth": accounts,
    "/v1/me": accounts,
    "/": system,
}
ADDRESS = "203.0.113.7"
CONTEXT = SimpleNamespace(
    function_name="test",
    memory_limit_in_mb=512,
    invoked_function_arn="arn:aws:lambda:ca-central-1:000000000000:function:test",
    aws_request_id="00000000-0000-0000-0000-000000000000",
    get_remaining_time_in_millis=lambda: 30_000,
)


def hurried(left: Iterator[int]) -> SimpleNamespace:
    """A context that has so many milliseconds left, each time it is asked."""
    return SimpleNamespace(**vars(CONTEXT) | {"get_remaining_time_in_millis": lambda: next(left)})


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: Any
    cookies: list[str]
    text: str
    content: bytes = b""

    @property
    def code(self) -> str:
        """The refusal's code; fails when this is not a refusal."""
        assert self.headers["Content-Type"] == "application/problem+json", self.text
        return str(self.body["code"])


@dataclass
class Browser:
    """One visitor. `clock` is the time API Gateway stamps on each request, `address` where it comes from."""

    clock: Callable[[], datetime]
    cookies: dict[str, str] = field(default_factory=dict)
    address: str = field(default=ADDRESS, kw_only=True)

    def get(self, path: str, query: dict[str, str] | None = None, **headers: str) -> Answer:
        return self.request("GET", path, query=query, headers=headers)

    def post(self, path: str, body: Any, **headers: str) -> Answer:
        return self.request("POST", path, body, headers=headers)

    def put(self, path: str, body: Any) -> Answer:
        return self.request("PUT", path, body)

    def patch(self, path: str, body: Any) -> Answer:
        return self.request("PATCH", path, body)

    def delete(self, path: str) -> Answer:
        return self.request("DELETE", path)

    def request(
        self,
        method: str,
        path: str,
        body: Any = None,
        query: dict[str, str] | None = None,
        headers: dict[str, str] | None = None,
    ) -> Answer:
        named = {name.replace("_", "-"): value for name, value in (headers or {}).items()}
        event = http_event(method, path, self.clock(), body, query, named, self.cookies, self.address)
        function = next(app for prefix, app in HANDLERS.items() if path.startswith(prefix))
        raw = function.lambda_handler(event, CONTEXT)
        cookies = raw.get("cookies", [])
        for cookie in cookies:
            for name, morsel in SimpleCookie(cookie).items():
                self.cookies[name] = morsel.value
                if morsel["max-age"] == "0":
                    del self.cookies[name]
        text, answered = raw.get("body") or "", raw.get("headers", {})
        is_json = "json" in answered.get("Content-Type", "")
        return Answer(
            raw["statusCode"],
            answered,
            json.loads(text) if text and is_json else None,
            cookies,
            text,
            b64decode(text) if raw.get("isBase64Encoded") else text.encode(),
        )


def http_event(
    method: str,
    path: str,
    now: datetime,
    body: Any = None,
    query: dict[str, str] | None = None,
    headers: dict[str, str] | None = None,
    cookies: dict[str, str] | None = None,
    address: str = ADDRESS,
) -> dict[str, Any]:
    """An API Gateway HTTP API event, payload 2.0. A body that is text goes as it is, any other as JSON."""
    return {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": urlencode(query or {}),
        "cookies": [f"{name}={value}" for name, value in (cookies or {}).items()],
        "headers": {"content-type": "application/json", **(headers or {})},
        "queryStringParameters": query or None,
        "requestContext": {
            "http": {
                "method": method,
                "path": path,
                "protocol": "HTTP/1.1",
                "sourceIp": address,
                "userAgent": "tests",
            },
            "requestId": str(uuid4()),
            "stage": "$default",
            "timeEpoch": round(now.timestamp() * 1000),
        },
        "body": body if body is None or isinstance(body, str) else json.dumps(body),
        "isBase64Encoded": False,
    }
