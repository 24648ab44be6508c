"""From what a function returns to an HTTP answer, with API Gateway's own assumptions and refusals."""

import base64
import binascii
import json
from dataclasses import dataclass
from typing import Any

LARGEST_BODY = 6 * 1024 * 1024  # of a Lambda response, bytes

type Headers = list[tuple[bytes, bytes]]


@dataclass(frozen=True)
class Answer:
    """An HTTP answer; `length` is what the function says of a body that an answer to HEAD does not have."""

    status: int
    headers: Headers
    body: bytes
    length: int | None = None


class MalformedResponseError(Exception):
    """The function returned something API Gateway cannot turn into an HTTP answer."""


def refuse(status: int, message: str) -> Answer:
    """One of API Gateway's own answers."""
    body = json.dumps({"message": message}, separators=(",", ":")).encode()
    return Answer(status, [(b"content-type", b"application/json")], body)


def answer(result: Any) -> Answer:
    """The HTTP answer for what a handler returned.

    Without a `statusCode` the result itself is the body of a 200 in JSON, as API Gateway infers for format
    2.0. `multiValueHeaders` belongs to format 1.0 and is ignored here as it is on AWS.

    Raises
    ------
    MalformedResponseError
        API Gateway would answer 500.
    """
    if not isinstance(result, dict) or "statusCode" not in result:
        text = result if isinstance(result, str) else json.dumps(result)
        return Answer(200, [(b"content-type", b"application/json")], text.encode())
    try:
        status = int(result["statusCode"])
        headers = _headers(result)
        body = _body(result)
        length = _length(result)
    except (TypeError, ValueError, UnicodeEncodeError, binascii.Error) as error:
        raise MalformedResponseError(f"a malformed response: {error}") from error
    if len(body) > LARGEST_BODY:
        raise MalformedResponseError(f"a response of {len(body)} bytes; Lambda allows {LARGEST_BODY}")
    return Answer(status, headers, body, length)


def _headers(result: dict[str, Any]) -> Headers:
    headers = []
    has_type = False
    for name, value in (result.get("headers") or {}).items():
        if not isinstance(value, str | int | float):
            raise TypeError(f"header {name} is {value!r}")
        lowered = name.lower()
        if lowered == "content-length":
            continue
        has_type = has_type or lowered == "content-type"
        headers.append((lowered.encode("latin-1"), str(value).encode("latin-1")))
    if not has_type:
        headers.append((b"content-type", b"text/plain;charset=UTF-8"))
    headers.extend((b"set-cookie", cookie.encode("latin-1")) for cookie in result.get("cookies") or ())
    return headers


def _length(result: dict[str, Any]) -> int | None:
    lengths = [
        value for name, value in (result.get("headers") or {}).items() if name.lower() == "content-length"
    ]
    return int(lengths[0]) if lengths else None


def _body(result: dict[str, Any]) -> bytes:
    body = result.get("body")
    if body is None:
        return b""
    if not isinstance(body, str):
        raise TypeError("the body is not a string")
    return base64.b64decode(body, validate=True) if result.get("isBase64Encoded") else body.encode()
