"""The gateway behaves as an HTTP API of API Gateway with payload format 2.0."""

import base64
import json
import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from local import sockets
from local.gateway import responses
from local.gateway.app import Gateway
from local.gateway.responses import MalformedResponseError
from local.gateway.routes import Routes
from local.serving import served
from local.template import Application, Cors, Function, Route
from tests.support.local_stack import Answer, ask

ROUTES = (
    Route("GET", "/things"),
    Route("POST", "/things"),
    Route("GET", "/things/{id}"),
    Route("GET", "/things/mine"),
    Route("ANY", "/things/{id}/parts"),
    Route("GET", "/files/{path+}"),
)
CORS = Cors(
    ("http://localhost:5173",),
    ("GET", "POST"),
    ("Content-Type",),
    ("Retry-After",),
    credentials=True,
    max_age=600,
)


def function(name: str, *routes: Route) -> Function:
    return Function(name, f"functions.{name}.app", "lambda_handler", 5, 128, {}, routes)


def application(*functions: Function, cors: Cors | None = None) -> Application:
    return Application(Path.cwd(), functions, (), cors)


class Service:
    """A gateway on a port; `answer` is what its functions return, or the exception they raise."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.events: list[dict[str, Any]] = []
        self.answer: Any = {"statusCode": 200, "body": "ok"}

    def invoke(self, name: str, event: dict[str, Any]) -> Any:
        self.events.append(event)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    def ask(self, method: str, path: str, body: bytes | None = None, **headers: str) -> Answer:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return ask(method, self.url + path, body, named)


@pytest.fixture(scope="module", params=["inline", "threads"])
def running(request: pytest.FixtureRequest) -> Iterator[Service]:
    functions = (function("things", *ROUTES), function("system", Route("ANY", "$default")))
    with sockets.listen() as listener, ThreadPoolExecutor(2) as threads:
        service = Service(sockets.address(listener))
        executor = threads if request.param == "threads" else None
        with served(Gateway(application(*functions, cors=CORS), service.invoke, executor), listener):
            yield service


@pytest.fixture
def service(running: Service) -> Service:
    """A gateway that has seen nothing yet."""
    running.events.clear()
    running.answer = {"statusCode": 200, "body": "ok"}
    return running


@pytest.mark.parametrize(
    ("method", "path", "key", "parameters"),
    [
        ("GET", "/things", "GET /things", {}),
        ("GET", "/things/7", "GET /things/{id}", {"id": "7"}),
        ("GET", "/things/mine", "GET /things/mine", {}),
        ("PUT", "/things/7/parts", "ANY /things/{id}/parts", {"id": "7"}),
        ("GET", "/things/mine/parts", "ANY /things/{id}/parts", {"id": "mine"}),
        ("GET", "/files/a/b/c", "GET /files/{path+}", {"path": "a/b/c"}),
        ("DELETE", "/things", "$default", {}),
        ("GET", "/things/", "$default", {}),
        ("GET", "/nothing", "$default", {}),
    ],
)
def test_the_most_specific_route_answers(
    method: str, path: str, key: str, parameters: dict[str, str]
) -> None:
    match = Routes([function("things", *ROUTES), function("system", Route("ANY", "$default"))]).find(
        method, path
    )

    assert match
    assert (match.route_key, match.parameters) == (key, parameters)


def test_without_a_route_and_without_a_default_there_is_nothing() -> None:
    assert Routes([function("things", *ROUTES)]).find("GET", "/nothing") is None


def test_the_event_is_payload_format_2(service: Service) -> None:
    body = '{"nom": "Zoé"}'.encode()
    service.ask(
        "POST",
        "/things?a=1&b=x%20y&a=2&c=",
        body,
        Content_Type="application/json; charset=utf-8",
        Cookie="one=1; two=2",
        X_Thing="Value",
        User_Agent="test",
    )

    (event,) = service.events
    context = event["requestContext"]
    assert event["version"] == "2.0"
    assert event["routeKey"] == context["routeKey"] == "POST /things"
    assert (event["rawPath"], event["rawQueryString"]) == ("/things", "a=1&b=x%20y&a=2&c=")
    assert event["queryStringParameters"] == {"a": "1,2", "b": "x y", "c": ""}
    assert event["cookies"] == ["one=1", "two=2"]
    assert "cookie" not in event["headers"]
    assert event["headers"]["x-thing"] == "Value"
    assert event["headers"]["x-forwarded-for"] == "127.0.0.1"
    assert (event["body"], event["isBase64Encoded"]) == (body.decode(), False)
    assert "pathParameters" not in event
    assert context["stage"] == "$default"
    assert context["http"] == {
        "method": "POST",
        "path": "/things",
        "protocol": "HTTP/1.1",
        "sourceIp": "127.0.0.1",
        "userAgent": "test",
    }
    assert isinstance(context["timeEpoch"], int)
    assert context["time"].endswith(" +0000")


def test_path_parameters_are_decoded_and_an_empty_request_has_no_body(service: Service) -> None:
    service.ask("GET", "/things/%C3%A9t%C3%A9%202026")
    service.ask("GET", "/things")

    first, second = service.events
    assert first["pathParameters"] == {"id": "été 2026"}
    assert "body" not in second
    assert "queryStringParameters" not in second
    assert first["requestContext"]["requestId"] != second["requestContext"]["requestId"]


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("application/octet-stream", b"\x00\xff"),
        ("application/x-www-form-urlencoded", b"a=1"),
        ("text/plain", b"\xff"),
    ],
)
def test_what_is_not_text_arrives_in_base64_byte_for_byte(
    service: Service, content_type: str, body: bytes
) -> None:
    service.ask("POST", "/things", body, Content_Type=content_type)

    (event,) = service.events
    assert event["isBase64Encoded"] is True
    assert base64.b64decode(event["body"]) == body


def test_status_headers_cookies_and_body_come_back(service: Service) -> None:
    service.answer = {
        "statusCode": 201,
        "headers": {"Content-Type": "application/json", "X-Count": 3},
        "cookies": ["a=1; HttpOnly", "b=2"],
        "multiValueHeaders": {"X-Ignored": ["1"]},
        "body": '{"ok":true}',
    }

    answer = service.ask("POST", "/things", b"{}")

    assert (answer.status, answer.json) == (201, {"ok": True})
    assert answer.header("content-type") == "application/json"
    assert answer.header("x-count") == "3"
    assert answer.header("x-ignored") is None
    assert [value for name, value in answer.headers if name == "set-cookie"] == ["a=1; HttpOnly", "b=2"]


def test_a_base64_body_comes_back_as_bytes(service: Service) -> None:
    service.answer = {
        "statusCode": 200,
        "headers": {"content-type": "application/pdf"},
        "body": base64.b64encode(b"%PDF\xff").decode(),
        "isBase64Encoded": True,
    }

    assert service.ask("GET", "/things").body == b"%PDF\xff"


@pytest.mark.parametrize(
    ("result", "body"),
    [({"hello": "world"}, b'{"hello": "world"}'), ("plain", b"plain"), ([1, 2], b"[1, 2]"), (None, b"null")],
)
def test_a_result_without_a_status_is_the_body_of_a_200(result: Any, body: bytes) -> None:
    answer = responses.answer(result)

    assert (answer.status, answer.body) == (200, body)
    assert answer.headers == [(b"content-type", b"application/json")]


@pytest.mark.parametrize(
    "result",
    [
        {"statusCode": "many"},
        {"statusCode": 200, "body": {"not": "a string"}},
        {"statusCode": 200, "headers": {"x": ["list"]}},
        {"statusCode": 200, "body": "not base64!", "isBase64Encoded": True},
        {"statusCode": 200, "body": "x" * (responses.LARGEST_BODY + 1)},
    ],
)
def test_a_malformed_result_is_refused(result: Any) -> None:
    with pytest.raises(MalformedResponseError):
        responses.answer(result)


def test_an_exception_is_a_500_of_the_gateway_and_a_traceback_in_the_log(
    service: Service, caplog: pytest.LogCaptureFixture
) -> None:
    service.answer = ZeroDivisionError("secret")

    with caplog.at_level(logging.ERROR):
        answer = service.ask("GET", "/things")

    assert (answer.status, answer.json) == (500, {"message": "Internal Server Error"})
    assert "ZeroDivisionError: secret" in caplog.text


def test_a_request_larger_than_lambda_takes_is_refused_before_the_function(service: Service) -> None:
    for size in (6 * 1024 * 1024 + 1, 10 * 1024 * 1024 + 1):
        answer = service.ask("POST", "/things", b"x" * size, Content_Type="text/plain")
        assert (answer.status, answer.json) == (413, {"message": "Request Entity Too Large"})

    assert service.events == []


def test_a_preflight_is_answered_by_the_gateway_itself(service: Service) -> None:
    answer = service.ask(
        "OPTIONS", "/things", Origin="http://localhost:5173", Access_Control_Request_Method="POST"
    )

    assert answer.status == 204
    assert answer.header("access-control-allow-origin") == "http://localhost:5173"
    assert answer.header("access-control-allow-methods") == "GET,POST"
    assert answer.header("access-control-allow-headers") == "Content-Type"
    assert answer.header("access-control-allow-credentials") == "true"
    assert answer.header("access-control-max-age") == "600"
    assert service.events == []


def test_cors_headers_are_the_gateways_and_only_for_allowed_origins(service: Service) -> None:
    service.answer = {"statusCode": 200, "headers": {"Access-Control-Allow-Origin": "*"}, "body": ""}

    allowed = service.ask("GET", "/things", Origin="http://localhost:5173")
    stranger = service.ask("GET", "/things", Origin="http://evil.example.com")
    preflight = service.ask(
        "OPTIONS", "/things", Origin="http://evil.example.com", Access_Control_Request_Method="POST"
    )

    assert allowed.header("access-control-allow-origin") == "http://localhost:5173"
    assert allowed.header("access-control-expose-headers") == "Retry-After"
    assert stranger.header("access-control-allow-origin") is None
    assert preflight.header("access-control-allow-origin") is None


def test_without_cors_an_options_request_is_a_request_like_any_other() -> None:
    with sockets.listen() as listener:
        service = Service(sockets.address(listener))
        with served(
            Gateway(application(function("system", Route("ANY", "$default"))), service.invoke), listener
        ):
            answer = service.ask(
                "OPTIONS", "/things", Origin="http://a.example.com", Access_Control_Request_Method="GET"
            )

    assert (answer.status, answer.body) == (200, b"ok")
    assert answer.header("access-control-allow-origin") is None


def test_without_any_route_the_gateway_says_so() -> None:
    with sockets.listen() as listener:
        service = Service(sockets.address(listener))
        with served(Gateway(application(function("things", *ROUTES)), service.invoke), listener):
            answer = service.ask("GET", "/nothing")

    assert (answer.status, json.loads(answer.body)) == (404, {"message": "Not Found"})
