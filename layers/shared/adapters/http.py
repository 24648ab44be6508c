"""The HTTP edge: who is calling and when, how an answer leaves, how a refusal is written (RFC 9457)."""

import json
import traceback
from base64 import b64decode
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import cached_property
from http import HTTPStatus
from typing import Any

import psycopg
from aws_lambda_powertools import Logger
from aws_lambda_powertools.event_handler import (
    APIGatewayHttpResolver,
    ApiGatewayResolver,
    Request,
    Response,
)
from aws_lambda_powertools.event_handler.exceptions import NotFoundError
from aws_lambda_powertools.event_handler.middlewares import NextMiddleware
from aws_lambda_powertools.event_handler.openapi.exceptions import (
    RequestUnsupportedContentType,
    RequestValidationError,
)
from aws_lambda_powertools.shared.cookies import Cookie, SameSite
from pydantic import BaseModel, Field
from pydantic_core import to_json

from adapters import database, patience
from adapters.cross_site import is_forged
from domain.accounts.callers import Buyer, Person, as_buyer, find_person
from domain.checkout.guests import is_known
from domain.errors import CATALOGUE, Refused
from domain.ids import new_secret

CART_COOKIE = "__Host-cart_session_id"  # the prefix: no sibling host can plant one (decision 21)
CART_COOKIE_SECONDS = 2_592_000
SESSION_COOKIE = "__Host-session"
PROBLEM_JSON = "application/problem+json"
MAX_COOKIE_LENGTH = 200
MOST_BYTES = 64 * 1024
MOST_FAULTS = 20
OF_A_UNION = (
    "literal[",
    "decimal",
    "function-",
    "constrained-",
)  # what pydantic calls a field's alternatives
FIRST_MILLISECONDS = 10**11  # as seconds the year 5138, as milliseconds 1973

logger = Logger()


class FieldProblem(BaseModel):
    field: str
    code: str
    detail: str


class Problem(BaseModel):
    """What went wrong: `code` for a program, `detail` (French) for a person."""

    type: str = Field(examples=["about:blank"])
    title: str
    status: int
    detail: str
    code: str
    instance: str = Field(description="The request's id, to find it in the logs")
    errors: list[FieldProblem] | None = None


class Visit:
    """One HTTP request, as the domain wants to know it."""

    def __init__(self, request: Request) -> None:
        self._event = request.resolved_event
        self._headers: dict[str, str] = self._event.raw_event["headers"]  # in small letters: JsonResolver
        self.now = request_time(self._event.raw_event["requestContext"]["timeEpoch"])
        self._cookies: list[Cookie] = []

    @cached_property
    def connection(self) -> psycopg.Connection[Any]:
        return database.connection()

    @property
    def person(self) -> Person | None:
        """The signed-in person. A bearer token that opens nothing is refused; a stale cookie is a guest's."""
        if self._let_in is None and self._headers.get("authorization"):
            raise Refused("UNAUTHENTICATED")
        return self._let_in

    @cached_property
    def _let_in(self) -> Person | None:
        token = self.session_token
        return find_person(self.connection, token, self.now) if token else None

    @property
    def session_token(self) -> str | None:
        """The session token that was sent, whatever it opens: the header's when there is one, else the cookie's."""
        header = self._headers.get("authorization")
        if not header:
            return self._read_cookie(SESSION_COOKIE)
        scheme, _, token = header.partition(" ")
        return token.strip() if scheme.lower() == "bearer" else None

    @property
    def owner(self) -> str | None:
        """The secret that tells this caller from all others: the token of an open session, else the guest's cookie."""
        if self._let_in:
            return self.session_token
        return None if self._headers.get("authorization") else self._read_cookie(CART_COOKIE)

    @property
    def owner_is_guest(self) -> bool:
        return self._let_in is None

    @property
    def signed_in(self) -> Person:
        """The signed-in person. Refuses everybody else with UNAUTHENTICATED."""
        if self.person is None:
            raise Refused("UNAUTHENTICATED")
        return self.person

    @property
    def guest(self) -> Buyer | None:
        """The guest of the cart cookie, if one was sent."""
        cookie = self._read_cookie(CART_COOKIE)
        return Buyer.guest(cookie) if cookie else None

    @cached_property
    def buyer(self) -> Buyer:
        """Whose cart this is: the signed-in student's, else the guest's. Without a cookie that is nobody's yet."""
        if self.person:
            return as_buyer(self.person)
        return self.guest or Buyer.guest(self._new_cookie)

    def newcomer(self) -> Buyer:
        """Whose a cart is that has to be made: the student's, else the guest's.

        A cookie serves again when it is of our making: a cart of the other product is known by it, or a checkout. Any
        other is as if it were absent (decision 21).
        """
        if self.person is None and self.guest and is_known(self.connection, self.guest):
            return self.guest
        return Buyer.guest(self._new_cookie) if self.person is None else as_buyer(self.person)

    def remember(self, owner: Buyer) -> bool:
        """A guest whom no cookie had been given gets the one that finds their cart again; answers whether they did."""
        is_new = self.person is None and owner == Buyer.guest(self._new_cookie)
        if is_new:
            self.set_cookie(CART_COOKIE, self._new_cookie, CART_COOKIE_SECONDS)
        return is_new

    @cached_property
    def buyers(self) -> list[Buyer]:
        """Everyone the caller can prove to be: a signed-in student, and the guest of the cart cookie."""
        student = [Buyer.student(self.person.user_id)] if self.person else []
        return student + ([self.guest] if self.guest else [])

    @property
    def method(self) -> str:
        method: str = self._event.raw_event["requestContext"]["http"]["method"]
        return method

    @property
    def only_looks(self) -> bool:
        """Whether it is a HEAD: whoever sends it never sees a body, and wants nothing to happen."""
        return "asked" in self._event.raw_event["requestContext"]["http"]

    @property
    def path(self) -> str:
        path: str = self._event.raw_event["rawPath"]
        return path

    @property
    def address(self) -> str:
        """The IP address that API Gateway was called from; what a client says of itself is not asked."""
        address: str = self._event.raw_event["requestContext"]["http"]["sourceIp"]
        return address

    def header(self, name: str) -> str | None:
        return self._headers.get(name.lower())

    @property
    def raw_body(self) -> str:
        """The body as it was sent, for signatures."""
        body: str = self._event.decoded_body or ""
        return body

    def set_cookie(self, name: str, value: str, max_age: int) -> None:
        self._cookies.append(
            Cookie(
                name=name,
                value=value,
                path="/",
                secure=True,
                http_only=True,
                max_age=max_age,
                same_site=SameSite.LAX_MODE,
            )
        )

    def forget_cookie(self, name: str) -> None:
        self.set_cookie(name, "", 0)

    def answer[T](
        self, body: T, status: int = HTTPStatus.OK, *, retry_after: int | None = None
    ) -> Response[T]:
        """A success: the resource itself, never kept by a cache. `retry_after`: seconds until asking again helps."""
        return Response(
            status_code=status,
            content_type="application/json",
            body=body,
            headers={"Cache-Control": "no-store"}
            | ({} if retry_after is None else {"Retry-After": str(retry_after)}),
            cookies=list(self._cookies),
        )

    def done(self) -> Response[None]:
        """A success with nothing to tell."""
        return Response(
            status_code=HTTPStatus.NO_CONTENT,
            headers={"Cache-Control": "no-store"},
            cookies=list(self._cookies),
        )

    @cached_property
    def _new_cookie(self) -> str:
        return new_secret()

    def _read_cookie(self, name: str) -> str | None:
        value = self._event.resolved_cookies_field.get(name)
        value = value[0] if isinstance(value, list) else value
        return value if value and len(value) <= MAX_COOKIE_LENGTH else None


def request_time(epoch: int) -> datetime:
    """The `timeEpoch` of a request, in milliseconds; SAM CLI writes seconds where API Gateway does not."""
    return datetime.fromtimestamp(epoch if epoch < FIRST_MILLISECONDS else epoch / 1000, UTC)


class JsonResolver(APIGatewayHttpResolver):
    """Powertools would read forms too, and knows JSON's media type in small letters only. This API speaks JSON.

    HEAD is answered wherever GET is, by the same route: the same headers, the length of the body, and no body.
    A body longer than `most_bytes` is refused before anybody reads it (decision 32).
    """

    most_bytes = MOST_BYTES

    def resolve(self, event: Any, context: Any) -> dict[str, Any]:
        logger.append_keys(
            request_id=event["requestContext"]["requestId"],  # what a refusal shows as its instance
            invocation_id=context.aws_request_id,
            route=event["routeKey"],
        )
        if event["requestContext"]["http"]["method"] == "HEAD":
            return _without_body(self.resolve(_as_get(event), context))
        if len((event.get("body") or "").encode(errors="surrogatepass")) > self.most_bytes:
            return _unread(event, Refused("BODY_TOO_LARGE"))
        headers = {name.lower(): value for name, value in (event.get("headers") or {}).items()}
        media_type = headers.get("content-type", "").partition(";")[0].strip().lower()
        is_json = media_type in ("", "application/json") or not event.get("body")
        headers["content-type"] = "application/json" if is_json else "application/octet-stream"
        with patience.waiting_at_most(patience.REQUEST_SECONDS, patience.REQUEST_SECONDS):
            answer = super().resolve({**event, "headers": headers}, context)
        answer["headers"]["X-Content-Type-Options"] = "nosniff"
        return answer


def _unread(event: Any, refusal: Refused) -> dict[str, Any]:
    """The refusal of a request that no route has seen."""
    return {
        "statusCode": refusal.status,
        "headers": {
            "Content-Type": PROBLEM_JSON,
            "Cache-Control": "no-store",
            "X-Content-Type-Options": "nosniff",
        },
        "cookies": [],
        "isBase64Encoded": False,
        "body": _problem_text(refusal, event["requestContext"]["requestId"]),
    }


def _as_get(event: Any) -> dict[str, Any]:
    request = event["requestContext"]
    return {
        **event,
        "requestContext": {**request, "http": {**request["http"], "method": "GET", "asked": "HEAD"}},
    }


def _without_body(answer: dict[str, Any]) -> dict[str, Any]:
    body = answer.get("body") or ""
    length = len(b64decode(body)) if answer.get("isBase64Encoded") else len(body.encode())
    headers = {**answer["headers"], "Content-Length": str(length)}
    return {**answer, "headers": headers, "body": "", "isBase64Encoded": False}


def create_resolver(*middlewares: Callable[..., Any], most_bytes: int = MOST_BYTES) -> APIGatewayHttpResolver:
    """A Powertools resolver that validates requests and writes every failure as problem+json.

    `most_bytes` is how long a body may be, as the event carries it.
    """
    app = JsonResolver(enable_validation=True, serializer=_to_json, json_body_deserializer=_from_json)
    app.most_bytes = most_bytes
    app.use([_refuse_forged, *middlewares])

    @app.exception_handler(Refused)
    def refused(refusal: Refused) -> Response[str]:
        return problem(app, refusal)

    @app.exception_handler(RequestValidationError)
    def invalid(error: RequestValidationError) -> Response[str]:
        faults = error.errors()
        if any(fault["type"] == "json_invalid" for fault in faults):
            return problem(app, Refused("MALFORMED_JSON"))
        told = {fault["field"]: fault for fault in map(_field_problem, faults[:MOST_FAULTS])}
        return problem(app, Refused("VALIDATION_FAILED", errors=list(told.values())))

    @app.exception_handler(RequestUnsupportedContentType)
    def unsupported(_: RequestUnsupportedContentType) -> Response[str]:
        return problem(app, Refused("UNSUPPORTED_MEDIA_TYPE"))

    @app.exception_handler(UnicodeDecodeError)
    def undecodable(_: UnicodeDecodeError) -> Response[str]:
        return problem(app, Refused("MALFORMED_JSON"))

    @app.not_found
    def no_such_address(_: NotFoundError) -> Response[str]:
        # API Gateway lets any character into a path's parameter, the resolver only those a slug or an id may have.
        return problem(app, Refused("NOT_FOUND"))

    @app.exception_handler(psycopg.Error)
    def refused_by_database(error: psycopg.Error) -> Response[str]:
        if database.was_unavailable(error):
            logger.error("database unavailable", extra=database.description(error))
            database.end_what_was_left()
            return problem(app, Refused("TEMPORARILY_UNAVAILABLE", retry_after=5))
        logger.error("database error", extra=database.description(error))
        return problem(app, Refused("INTERNAL_ERROR"))

    @app.exception_handler(Exception)
    def unexpected(error: Exception) -> Response[str]:
        # Without the exception's message, which may quote what somebody sent.
        logger.error(
            "unexpected failure",
            extra={"error": type(error).__name__, "traceback": traceback.format_tb(error.__traceback__)},
        )
        return problem(app, Refused("INTERNAL_ERROR"))

    return app


def _refuse_forged(app: ApiGatewayResolver, next_middleware: NextMiddleware) -> Response[Any]:
    event = app.current_event.raw_event
    if is_forged(event["requestContext"]["http"]["method"], event["headers"]):
        raise Refused("CROSS_SITE_REQUEST")
    return next_middleware(app)


def problem(app: APIGatewayHttpResolver, refusal: Refused) -> Response[str]:
    """A refusal as RFC 9457 writes it."""
    headers = {"Cache-Control": "no-store"}
    if refusal.retry_after is not None:
        headers["Retry-After"] = str(refusal.retry_after)
    return Response(
        status_code=refusal.status,
        content_type=PROBLEM_JSON,
        body=_problem_text(refusal, app.current_event.request_context.request_id),
        headers=headers,
    )


def _problem_text(refusal: Refused, request_id: str) -> str:
    body = {
        "type": "about:blank",
        "title": HTTPStatus(refusal.status).phrase,
        "status": refusal.status,
        "detail": refusal.detail,
        "code": refusal.code,
        "instance": request_id,
        **({"errors": list(refusal.errors)} if refusal.errors else {}),
        **refusal.facts,
    }
    return json.dumps(body, ensure_ascii=False)


def answers(*refusals: str, success: int = HTTPStatus.OK) -> dict[int, Any]:
    """The OpenAPI description of a route's answers: its success, its refusals, and what any route may answer."""
    by_status: dict[int, list[str]] = {}
    for code in (*refusals, "BODY_TOO_LARGE", "INTERNAL_ERROR", "TEMPORARILY_UNAVAILABLE"):
        codes = by_status.setdefault(CATALOGUE[code].status, [])
        if code not in codes:
            codes.append(code)
    described: dict[int, Any] = {int(success): {"description": "Succès"}}
    for status, codes in sorted(by_status.items()):
        described[status] = {
            "description": ", ".join(codes),
            "content": {PROBLEM_JSON: {"model": Problem}},
        }
    return described


def _field_problem(fault: Mapping[str, Any]) -> dict[str, str]:
    """One faulty field, without echoing what was sent."""
    place: Sequence[Any] = fault["loc"]
    names = place[1:] if len(place) > 1 and place[0] in ("body", "query", "path", "header") else place
    names = [name for place, name in enumerate(names) if not (place and str(name).startswith(OF_A_UNION))]
    missing = fault["type"] == "missing"
    return {
        "field": ".".join(str(name) for name in names),
        "code": "MISSING" if missing else "INVALID",
        "detail": "Ce champ est obligatoire." if missing else "Cette valeur est invalide.",
    }


def _from_json(text: str) -> Any:
    """Strict JSON, and an object: Powertools would take `[{...}]` for `{...}`.

    Numbers too long and brackets too deep for Python's parser are as malformed as a missing comma.
    """
    try:
        body = json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise json.JSONDecodeError("not JSON", "", 0) from error
    if isinstance(body, list):
        raise RequestValidationError([{"type": "dict_type", "loc": ("body",)}])
    return body


def _refuse_constant(name: str) -> None:
    raise ValueError(name)  # NaN and Infinity are Python's, not JSON's


def _to_json(body: Any) -> str:
    return to_json(body).decode()
