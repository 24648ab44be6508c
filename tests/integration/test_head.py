"""HEAD is answered wherever GET is: the same status and headers, the same limits, no body (http-api.md)."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import time
from importlib import import_module
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from adapters import database
from domain.throttling import limits
from local import openapi, sockets, template
from local.gateway.app import Gateway
from local.serving import served
from tests.support.booked_student import BookedStudent
from tests.support.browser import CONTEXT
from tests.support.guest import Guest
from tests.support.local_stack import Answer, ask
from tests.support.shop import Shop
from tests.support.tables import nothing_written
from tests.support.world import World, toronto, wanted

TEMPLATE = Path(__file__).parents[2] / "template.yaml"
PATHS: dict[str, dict[str, Any]] = json.loads(openapi.DOCUMENT.read_text(encoding="utf-8"))["paths"]
READ = sorted(path for path, operations in PATHS.items() if "get" in operations)
SLUG = "francais-secondaire"
SLOTS = f"/v1/courses/{SLUG}/slots?date=2027-01-25"
FOR_ANYONE = [
    ("/v1/health", 200),
    ("/v1/openapi.json", 200),
    ("/v1/courses", 200),
    ("/v1/courses?search=francais&limit=1", 200),
    (f"/v1/courses/{SLUG}", 200),
    (SLOTS, 200),
    (f"/v1/courses/{SLUG}/availability?from=2027-01-25&to=2027-01-31&duration=60", 200),
    ("/v1/courses?cursor=x", 422),
    ("/v1/courses?limit=0", 422),
    ("/v1/courses/inconnu", 404),
    ("/v1/trainings?sort=price&order=desc&limit=1", 200),
    ("/v1/trainings?sort=prix", 422),
    ("/v1/trainings?category=inconnue", 404),
    ("/v1/trainings/categories", 200),
    ("/v1/trainings/inconnue", 404),
    (f"/v1/courses/{SLUG}/slots", 422),
    ("/v1/calendar/inconnu.ics", 404),
    ("/v1/nothing", 404),
    ("/v1/cart/items", 405),
]
VARIES = {"date"}


class Api:
    """The local gateway with the template's routes, on a port, in front of the real handlers."""

    def __init__(self, world: World, url: str) -> None:
        self.world, self.url = world, url

    def ask(self, method: str, path: str, **headers: str) -> Answer:
        return ask(method, self.url + path, None, headers)


@pytest.fixture
def api(world: World) -> Iterator[Api]:
    application = template.load(TEMPLATE)
    modules = {function.name: function.module for function in application.functions}

    def invoke(name: str, event: dict[str, Any]) -> Any:
        event["requestContext"]["timeEpoch"] = round(world.clock().timestamp() * 1000)
        return import_module(modules[name]).lambda_handler(event, CONTEXT)

    with sockets.listen() as listener, ThreadPoolExecutor(1) as thread:
        with served(Gateway(application, invoke, thread), listener):
            yield Api(world, sockets.address(listener))
        thread.submit(database.disconnect).result()  # the connection is the thread's


@pytest.fixture
def course(world: World) -> None:
    world.school.tutor(world.school.course(SLUG), hours=(time(9), time(12)))


def headers_of(answer: Answer, *but: str) -> list[tuple[str, str]]:
    return sorted((name, value) for name, value in answer.headers if name not in VARIES | set(but))


def assert_the_same_but_its_body(head: Answer, got: Answer, *but: str) -> None:
    assert (head.status, head.body) == (got.status, b"")
    assert headers_of(head, *but) == headers_of(got, *but)
    assert got.body
    if "content-length" not in but:
        assert got.header("content-length") == head.header("content-length") == str(len(got.body))


@pytest.mark.usefixtures("course")
@pytest.mark.parametrize(("path", "status"), FOR_ANYONE)
def test_head_answers_what_get_does_without_its_body(api: Api, path: str, status: int) -> None:
    got, head = api.ask("GET", path), api.ask("HEAD", path)

    assert got.status == status
    # Health says how long the database took.
    assert_the_same_but_its_body(head, got, *(["content-length"] if path == "/v1/health" else []))


@pytest.mark.parametrize("path", READ)
def test_head_answers_a_stranger_as_get_does_wherever_get_is(api: Api, path: str) -> None:
    """Nothing of it is written; that somebody must sign in, or that nothing is there, is said as well."""
    known = path.replace("{slug}", SLUG).replace("{file}", "inconnu.ics").replace("{name}", "BOOKING")
    address = known.format_map(dict.fromkeys(_names(known), str(uuid4())))

    got, head = api.ask("GET", address), api.ask("HEAD", address)

    but = ["content-length"] if path == "/v1/health" else ["set-cookie"] if path == "/v1/cart" else []
    assert_the_same_but_its_body(head, got, *but)


def _names(path: str) -> list[str]:
    return [segment[1:-1] for segment in path.split("/") if segment.startswith("{")]


def test_head_of_a_calendar_and_of_a_receipt(api: Api) -> None:
    shop = Shop(api.world)
    student = BookedStudent.of(api.world, shop.wanted(9))
    order = student.browser.get("/v1/orders").body["items"][0]["id"]
    feed = student.browser.get("/v1/me/calendar").body["url"]
    cookie = "; ".join(f"{name}={value}" for name, value in student.browser.cookies.items())

    for path in (
        f"/v1/calendar/{feed.rpartition('/')[2]}",
        f"/v1/appointments/{student.appointment_id}/calendar.ics",
        "/v1/appointments",
        f"/v1/orders/{order}",
    ):
        got, head = api.ask("GET", path, cookie=cookie), api.ask("HEAD", path, cookie=cookie)

        assert got.status == 200
        assert_the_same_but_its_body(head, got)
    receipt = api.ask("HEAD", f"/v1/orders/{order}/receipt.pdf", cookie=cookie)
    assert (receipt.status, receipt.header("content-type"), receipt.body) == (200, "application/pdf", b"")


@pytest.mark.usefixtures("course")
def test_head_counts_for_the_limits_of_get(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(limits.AVAILABILITY_READS.name, "2")

    assert [api.ask(method, SLOTS).status for method in ("HEAD", "HEAD", "HEAD", "GET")] == [
        200,
        200,
        429,
        429,
    ]
    refused = api.ask("HEAD", SLOTS)
    assert (refused.body, refused.header("content-type")) == (b"", "application/problem+json")
    assert int(refused.header("retry-after") or 0) > 0


def test_head_where_only_post_is_changes_nothing(api: Api) -> None:
    with nothing_written(api.world.connection):
        refused = api.ask("HEAD", "/v1/auth/sign-out")

    assert (refused.status, refused.header("allow"), refused.body) == (405, "POST", b"")


def test_a_path_says_that_head_is_allowed(api: Api) -> None:
    refused = api.ask("DELETE", "/v1/courses")

    assert (refused.status, refused.header("allow")) == (405, "GET, HEAD")


def test_head_signs_nobody_in(world: World) -> None:
    """The one right of a settled checkout is for who reads the answer."""
    course = world.school.course()
    world.school.tutor(course)
    guest = Guest(world).books(wanted(course, toronto(20, 10)))

    with nothing_written(world.connection):
        head = guest.browser.request("HEAD", f"/v1/checkout/{guest.checkout_id}")

    assert (head.status, head.cookies) == (200, [])
    assert guest.asks().body["session_token"]
