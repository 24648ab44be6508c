"""Idempotency keys. Sources: docs.stripe.com/api/idempotent_requests, docs.stripe.com/error-low-level."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import stripe

from local.stripe_double import StripeDouble
from tests.contract.conftest import call

Make = Callable[..., stripe.PaymentIntent]

INTENT = {"amount": "4500", "currency": "cad", "allowed_payment_method_types[0]": "card"}


@pytest.fixture
def post(double: StripeDouble) -> Callable[..., Any]:
    """A raw POST under the key `k1`, to see statuses and headers."""

    def post(path: str, form: dict[str, str], key: str = "k1") -> Any:
        headers = {"Authorization": f"Bearer {double.secret_key}", "Idempotency-Key": key}
        return call("POST", double.url + path, form, **headers)

    return post


def test_the_same_request_gets_the_same_answer_once_done(
    double: StripeDouble, post: Callable[..., Any]
) -> None:
    first = post("/v1/payment_intents", INTENT)
    second = post("/v1/payment_intents", INTENT)

    assert (second.status, second.body) == (first.status, first.body)
    assert (first.headers["Idempotent-Replayed"], second.headers["Idempotent-Replayed"]) == (None, "true")
    assert second.headers["Request-Id"] != first.headers["Request-Id"]
    assert second.headers["Original-Request"] == first.headers["Request-Id"]
    assert len(double.all("payment_intent")) == 1
    assert [recorded.replayed for recorded in double.calls] == [False, True]


def test_a_replay_shows_the_past_not_the_present(post: Callable[..., Any]) -> None:
    made = post("/v1/payment_intents", INTENT)
    post(f"/v1/payment_intents/{made.body['id']}/cancel", {}, key="k2")

    assert post("/v1/payment_intents", INTENT).body["status"] == "requires_payment_method"


def test_another_body_under_the_same_key_is_refused(double: StripeDouble, post: Callable[..., Any]) -> None:
    post("/v1/payment_intents", INTENT)
    other = post("/v1/payment_intents", {**INTENT, "amount": "9000"})

    assert (other.status, other.body["error"]["type"]) == (400, "idempotency_error")
    assert "same parameters" in other.body["error"]["message"]
    assert len(double.all("payment_intent")) == 1


def test_so_is_another_address(post: Callable[..., Any]) -> None:
    post("/v1/payment_intents", INTENT)
    other = post("/v1/customers", {})

    assert (other.status, other.body["error"]["type"]) == (400, "idempotency_error")
    assert "'/v1/customers' vs '/v1/payment_intents'" in other.body["error"]["message"]


def test_the_library_calls_it_an_idempotency_error(client: stripe.StripeClient) -> None:
    client.v1.customers.create({"name": "Ana"}, {"idempotency_key": "k1"})

    with pytest.raises(stripe.IdempotencyError):
        client.v1.customers.create({"name": "Béa"}, {"idempotency_key": "k1"})


def test_a_decline_is_kept(double: StripeDouble, post: Callable[..., Any]) -> None:
    intent = post("/v1/payment_intents", INTENT).body["id"]
    form = {"payment_method": "pm_card_chargeDeclined"}

    answers = [post(f"/v1/payment_intents/{intent}/confirm", form, key="k2") for _ in range(2)]

    assert [answer.status for answer in answers] == [402, 402]
    assert answers[0].body == answers[1].body
    assert len(double.all("charge")) == 1


def test_a_refusal_of_the_operation_is_kept(
    post: Callable[..., Any], client: stripe.StripeClient, pay: Make
) -> None:
    form = {"payment_intent": pay().id, "amount": "9000"}
    assert post("/v1/refunds", form).status == 400

    assert post("/v1/refunds", form).headers["Idempotent-Replayed"] == "true"


def test_refused_parameters_leave_the_key_free(post: Callable[..., Any]) -> None:
    assert post("/v1/payment_intents", {**INTENT, "amount": "much"}).status == 400

    assert post("/v1/payment_intents", INTENT).status == 200


def test_a_server_error_is_kept(double: StripeDouble, post: Callable[..., Any]) -> None:
    double.faults.add("server_error")
    answers = [post("/v1/payment_intents", INTENT) for _ in range(2)]

    assert [answer.status for answer in answers] == [500, 500]
    assert answers[1].headers["Idempotent-Replayed"] == "true"
    assert double.all("payment_intent") == []


def test_a_request_under_way_refuses_its_twin(double: StripeDouble, post: Callable[..., Any]) -> None:
    stalled = double.faults.add("stall")
    with ThreadPoolExecutor() as threads:
        first = threads.submit(post, "/v1/payment_intents", INTENT)
        assert stalled.reached.wait(5)
        twin = post("/v1/payment_intents", INTENT)
        stalled.release()

    assert (twin.status, twin.body["error"]["code"]) == (409, "idempotency_key_in_use")
    assert twin.headers["Stripe-Should-Retry"] == "true"
    assert first.result().status == 200
    assert post("/v1/payment_intents", INTENT).body == first.result().body
    assert len(double.all("payment_intent")) == 1


def test_many_at_once_make_one(double: StripeDouble, post: Callable[..., Any]) -> None:
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda _: post("/v1/payment_intents", INTENT), range(16)))

    assert len({answer.body["id"] for answer in answers}) == 1
    assert len(double.all("payment_intent")) == 1


def test_a_key_is_forgotten_after_a_day(
    double: StripeDouble, post: Callable[..., Any], stripe_clock: Any
) -> None:
    post("/v1/payment_intents", INTENT)
    stripe_clock.advance(24 * 3600 - 60)
    post("/v1/payment_intents", INTENT)
    assert len(double.all("payment_intent")) == 1

    stripe_clock.advance(120)
    post("/v1/payment_intents", INTENT)

    assert len(double.all("payment_intent")) == 2


def test_keys_mean_nothing_to_a_get(double: StripeDouble) -> None:
    headers = {"Authorization": f"Bearer {double.secret_key}", "Idempotency-Key": "k1"}

    answers = [call("GET", f"{double.url}{path}", **headers) for path in ("/v1/balance", "/v1/events")]

    assert [answer.status for answer in answers] == [200, 200]


def test_a_key_has_a_length(post: Callable[..., Any]) -> None:
    assert post("/v1/customers", {}, key="k" * 255).status == 200
    assert post("/v1/customers", {}, key="k" * 256).status == 400
