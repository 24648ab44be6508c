"""A visitor who calls the handlers as API Gateway would, keeping cookies like a browser."""

import json
from dataclasses import dataclass, field
from datetime import datetime
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlencode
from uuid import uuid4

from functions.cart import app as cart
from functions.catalog import app as catalog

HANDLERS = {"/v1/courses": catalog, "/v1/cart": cart}


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: Any
    cookies: list[str]


@dataclass
class Browser:
    """One visitor. `now` is the time API Gateway stamps on each request."""

    now: datetime
    cookies: dict[str, str] = field(default_factory=dict)

    def get(self, path: str, **query: str) -> Answer:
        return self.request("GET", path, query=query)

    def post(self, path: str, body: Any, **headers: str) -> Answer:
        return self.request("POST", path, body, headers=headers)

    def put(self, path: str, body: Any) -> Answer:
        return self.request("PUT", path, body)

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
        event = http_event(method, path, self.now, body, query, headers, self.cookies)
        function = next(app for prefix, app in HANDLERS.items() if path.startswith(prefix))
        raw = function.lambda_handler(event, CONTEXT)
        cookies = raw.get("cookies", [])
        for cookie in cookies:
            name, _, rest = cookie.partition("=")
            self.cookies[name] = rest.split(";")[0]
        return Answer(raw["statusCode"], raw.get("headers", {}), _parsed(raw.get("body")), cookies)


CONTEXT = SimpleNamespace(
    function_name="test",
    memory_limit_in_mb=512,
    invoked_function_arn="arn:aws:lambda:ca-central-1:000000000000:function:test",
    aws_request_id="00000000-0000-0000-0000-000000000000",
    get_remaining_time_in_millis=lambda: 30_000,
)


def http_event(
    method: str,
    path: str,
    now: datetime,
    body: Any = None,
    query: dict[str, str] | None = None,
    headers: dict[str, str] | None = None,
    cookies: dict[str, str] | None = None,
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
                "sourceIp": "203.0.113.7",
                "userAgent": "tests",
            },
            "requestId": str(uuid4()),
            "stage": "$default",
            "timeEpoch": int(now.timestamp() * 1000),
        },
        "body": body if body is None or isinstance(body, str) else json.dumps(body),
        "isBase64Encoded": False,
    }


def _parsed(body: str | None) -> Any:
    return json.loads(body) if body else None
