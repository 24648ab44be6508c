"""The event a function receives for an HTTP request: payload format 2.0 of API Gateway's HTTP APIs.

Two things that surprise: `rawPath` is decoded, and a body that is neither text nor JSON arrives in base64,
forms included.
"""

import base64
import itertools
import secrets
import time
from functools import lru_cache
from typing import Any
from urllib.parse import parse_qsl

from local.cloudformation import ACCOUNT
from local.gateway.routes import Match

type Scope = dict[str, Any]

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
# A request's id must be its own, not a secret: one draw per process instead of one per request.
_PROCESS = secrets.token_urlsafe(6)
_REQUESTS = itertools.count(1)

_TEXT = ("application/json", "application/javascript", "application/xml")


def build(scope: Scope, body: bytes, match: Match) -> dict[str, Any]:
    """The event for one request.

    Parameters
    ----------
    scope
        The ASGI scope.
    body
        The whole body, untouched.
    match
        The route that was found.
    """
    headers, cookies = _headers(scope)
    query = scope["query_string"].decode("latin-1")
    host = headers.get("host", "localhost")
    now = time.time()
    event: dict[str, Any] = {
        "version": "2.0",
        "routeKey": match.route_key,
        "rawPath": scope["path"],
        "rawQueryString": query,
        "headers": headers,
        "requestContext": {
            "accountId": ACCOUNT,
            "apiId": "local",
            "domainName": host.partition(":")[0],
            "domainPrefix": host.partition(".")[0],
            "http": {
                "method": scope["method"],
                "path": scope["path"],
                "protocol": f"HTTP/{scope['http_version']}",
                "sourceIp": scope["client"][0] if scope.get("client") else "127.0.0.1",
                "userAgent": headers.get("user-agent", ""),
            },
            "requestId": f"{_PROCESS}{next(_REQUESTS):06}=",
            "routeKey": match.route_key,
            "stage": "$default",
            "time": _written(int(now)),
            "timeEpoch": int(now * 1000),
        },
        "isBase64Encoded": False,
    }
    if cookies:
        event["cookies"] = cookies
    if query:
        event["queryStringParameters"] = _query_parameters(query)
    if match.parameters:
        event["pathParameters"] = match.parameters
    if body:
        _put_body(event, body, headers.get("content-type", ""))
    return event


def _headers(scope: Scope) -> tuple[dict[str, str], list[str]]:
    headers: dict[str, str] = {}
    cookies: list[str] = []
    for raw_name, raw_value in scope["headers"]:
        name, value = raw_name.decode("latin-1"), raw_value.decode("latin-1")
        if name == "cookie":
            cookies += [cookie for cookie in value.split("; ") if cookie]
        else:
            headers[name] = f"{headers[name]},{value}" if name in headers else value
    client, server = scope.get("client"), scope.get("server")
    forwarded_for = client[0] if client else "127.0.0.1"
    if "x-forwarded-for" in headers:
        forwarded_for = f"{headers['x-forwarded-for']}, {forwarded_for}"
    headers["x-forwarded-for"] = forwarded_for
    headers["x-forwarded-port"] = str(server[1]) if server else "80"
    headers["x-forwarded-proto"] = scope["scheme"]
    return headers, cookies


def _query_parameters(query: str) -> dict[str, str]:
    parameters: dict[str, str] = {}
    for name, value in parse_qsl(query, keep_blank_values=True):
        parameters[name] = f"{parameters[name]},{value}" if name in parameters else value
    return parameters


def _put_body(event: dict[str, Any], body: bytes, content_type: str) -> None:
    media_type = content_type.partition(";")[0].strip().lower()
    if not media_type or media_type.startswith("text/") or media_type.endswith(("+json", "+xml", *_TEXT)):
        try:
            event["body"] = body.decode()
        except UnicodeDecodeError:  # not the text it says it is: hand over exactly what came
            pass
        else:
            return
    event["body"] = base64.b64encode(body).decode("ascii")
    event["isBase64Encoded"] = True


@lru_cache(maxsize=1)
def _written(epoch: int) -> str:
    """An instant as access logs write it, month names in English whatever the locale."""
    at = time.gmtime(epoch)
    return (
        f"{at.tm_mday:02}/{_MONTHS[at.tm_mon - 1]}/{at.tm_year}"
        f":{at.tm_hour:02}:{at.tm_min:02}:{at.tm_sec:02} +0000"
    )
