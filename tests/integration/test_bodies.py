"""How long a body may be, and how much is told of a bad one (decision 32); what Stripe refuses."""

import io
import json
from collections.abc import Callable
from typing import Any

import pytest

from adapters import http
from domain.errors import CATALOGUE
from functions.cart import app as cart
from functions.stripe_webhook import app as stripe_webhook
from tests.support.browser import CONTEXT, http_event
from tests.support.guest import Guest
from tests.support.shop import Shop
from tests.support.student import Student
from tests.support.tables import nothing_written
from tests.support.world import World, toronto, wanted

LIMIT = 64 * 1024


@pytest.fixture
def shop(world: World) -> Shop:
    return Shop(world)


def answer_to(app: Any, world: World, path: str, body: str, **event: Any) -> dict[str, Any]:
    request = http_event("POST", path, world.clock(), {}, None, {}, {}) | {"body": body} | event
    answer: dict[str, Any] = app.lambda_handler(request, CONTEXT)
    return answer | {"told": json.loads(answer["body"])}


def padded(length: int) -> str:
    """JSON of so many bytes."""
    return '{"items": []' + " " * (length - 13) + "}"


@pytest.mark.usefixtures("shop")
@pytest.mark.parametrize(("length", "status"), [(LIMIT, 422), (LIMIT + 1, 413), (5_000_000, 413)])
def test_a_body_of_more_than_64_kb_is_not_read(world: World, length: int, status: int) -> None:
    with nothing_written(world.connection):
        answer = answer_to(cart, world, "/v1/cart/items", padded(length))

    assert answer["statusCode"] == status
    if status == 413:
        told = answer["told"]
        assert (told["code"], told["detail"]) == ("BODY_TOO_LARGE", CATALOGUE["BODY_TOO_LARGE"].detail)
        assert told["instance"]
        assert answer["headers"]["Content-Type"] == "application/problem+json"
        assert answer["headers"]["Cache-Control"] == "no-store"


@pytest.mark.usefixtures("shop")
def test_letters_of_four_bytes_count_as_four(world: World) -> None:
    text = json.dumps({"items": [], "text": "\U0001f600" * 17_000}, ensure_ascii=False)
    assert len(text) < LIMIT

    assert answer_to(cart, world, "/v1/cart/items", text)["statusCode"] == 413


@pytest.mark.usefixtures("shop")
@pytest.mark.parametrize("escaped", [False, True])
def test_a_message_of_5000_letters_of_four_bytes_is_read(world: World, escaped: bool) -> None:
    """The longest that people write, as JSON may spell it: what is refused is the unknown field alone."""
    text = json.dumps({"items": [], "text": "\U0001f600" * 5_000}, ensure_ascii=escaped)

    assert answer_to(cart, world, "/v1/cart/items", text)["told"]["code"] == "VALIDATION_FAILED"


@pytest.mark.usefixtures("shop")
def test_at_most_twenty_faults_are_told(world: World) -> None:
    text = json.dumps({f"k{n}": 1 for n in range(5_000)})
    assert len(text) < LIMIT

    answer = answer_to(cart, world, "/v1/cart/items", text)

    assert len(answer["told"]["errors"]) == 20
    assert len(answer["body"]) < 4_000


def test_stripe_may_send_a_megabyte(world: World) -> None:
    path = "/v1/stripe/webhook"
    assert answer_to(stripe_webhook, world, path, "x" * 1024 * 1024)["told"]["code"] == "INVALID_SIGNATURE"
    assert answer_to(stripe_webhook, world, path, "x" * (1024 * 1024 + 1))["statusCode"] == 413


# --- What Stripe refuses ----------------------------------------------------------------------------------------


@pytest.fixture
def logged(monkeypatch: pytest.MonkeyPatch) -> Callable[[], list[dict[str, Any]]]:
    written = io.StringIO()
    for handler in http.logger.handlers:
        monkeypatch.setattr(handler, "stream", written)
    return lambda: [json.loads(line) for line in written.getvalue().splitlines()]


@pytest.mark.parametrize("path", ["/v1/payment_intents", "/v1/payment_intents/*"])
def test_whatever_stripe_refuses_has_an_answer_and_a_line_with_its_code(
    world: World, shop: Shop, path: str, logged: Callable[[], list[dict[str, Any]]]
) -> None:
    guest = Guest(world).chooses(shop.wanted(9))
    if path.endswith("*"):
        guest.starts()
    world.stripe.faults.add("refusal", path=path)

    answer = guest.sends_form()

    assert (answer.status, answer.code) == (503, "PAYMENT_UNAVAILABLE")
    [line] = [line for line in logged() if line["message"] == "stripe refused"]
    assert (line["code"], line["status"]) == ("parameter_invalid", 400)
    assert line["stripe_request_id"].startswith("req_")
    assert guest.sends_form().status == 201


def test_a_customer_that_stripe_refuses_keeps_nobody_from_paying(world: World, shop: Shop) -> None:
    world.stripe.faults.add("refusal", path="/v1/customers")

    assert Student(world).chooses(shop.wanted(9)).sends_form().status == 201


def test_a_refused_status_call_is_told_as_failed(world: World) -> None:
    course = world.school.course()
    world.school.tutor(course)
    guest = Guest(world).chooses(wanted(course, toronto(20, 10))).starts()
    world.stripe.faults.add("refusal", path="/v1/payment_intents/*")

    assert guest.asks().body["status"] == "failed"
