"""Stripe failing on purpose. Source: docs.stripe.com/error-low-level."""

from collections.abc import Callable
from typing import Any

import pytest
import stripe

from local.stripe_double import StripeDouble
from tests.contract.conftest import call

Make = Callable[..., stripe.PaymentIntent]

INTENT: Any = {"amount": 4500, "currency": "cad", "allowed_payment_method_types": ["card"]}


@pytest.fixture
def stubborn(
    connect: Callable[..., stripe.StripeClient], monkeypatch: pytest.MonkeyPatch
) -> stripe.StripeClient:
    """The merchant's server, trying twice more as the library does, without its pauses."""
    monkeypatch.setattr(stripe.HTTPClient, "_sleep_time_seconds", lambda *_: 0)
    return connect(max_network_retries=2)


@pytest.mark.parametrize(
    ("kind", "symptom"),
    [("timeout_before", "RemoteDisconnected"), ("connection_reset", "ConnectionResetError")],
)
def test_a_call_may_be_lost_before_its_effect(
    double: StripeDouble, client: stripe.StripeClient, kind: Any, symptom: str
) -> None:
    double.faults.add(kind)

    with pytest.raises(stripe.APIConnectionError, match=symptom):
        client.v1.payment_intents.create(INTENT)

    assert double.all("payment_intent") == []
    assert double.calls[-1].status is None


def test_or_after_it(double: StripeDouble, client: stripe.StripeClient) -> None:
    double.faults.add("timeout_after_commit")

    with pytest.raises(stripe.APIConnectionError, match="RemoteDisconnected"):
        client.v1.payment_intents.create(INTENT)

    assert len(double.all("payment_intent")) == 1


@pytest.mark.parametrize("kind", ["timeout_before", "timeout_after_commit", "connection_reset"])
def test_trying_again_with_the_same_key_does_it_once(
    double: StripeDouble, stubborn: stripe.StripeClient, kind: Any
) -> None:
    double.faults.add(kind)

    intent = stubborn.v1.payment_intents.create(INTENT)

    assert [made["id"] for made in double.all("payment_intent")] == [intent.id]
    assert len(double.calls) == 2
    assert double.calls[0].idempotency_key == double.calls[1].idempotency_key
    assert double.calls[1].replayed is (kind == "timeout_after_commit")


def test_a_client_that_waits_too_little_gives_up_while_the_effect_is_there(
    double: StripeDouble, connect: Callable[..., stripe.StripeClient]
) -> None:
    double.faults.add("timeout_after_commit", seconds=30)

    with pytest.raises(stripe.APIConnectionError, match=r"(?s)Read\s+timed\s+out"):
        connect(timeout=0.05).v1.payment_intents.create(INTENT)

    assert len(double.all("payment_intent")) == 1


def test_what_was_done_is_told_even_when_the_answer_is_lost(
    double: StripeDouble, inbox: Any, client: stripe.StripeClient
) -> None:
    double.faults.add("timeout_after_commit")
    with pytest.raises(stripe.APIConnectionError):
        client.v1.payment_intents.create(INTENT)

    assert inbox.types(1) == ["payment_intent.created"]


@pytest.mark.parametrize("kind", ["rate_limit", "lock_timeout"])
def test_too_many_requests(double: StripeDouble, client: stripe.StripeClient, kind: Any) -> None:
    double.faults.add(kind, times=2)

    for _ in range(2):
        with pytest.raises(stripe.RateLimitError) as refusal:
            client.v1.payment_intents.create(INTENT, {"idempotency_key": "k1"})
        assert (refusal.value.http_status, refusal.value.error.code) == (429, kind)  # type: ignore[union-attr]

    assert (
        client.v1.payment_intents.create(INTENT, {"idempotency_key": "k1"}).status
        == "requires_payment_method"
    )


def test_a_server_error_is_not_worth_trying_again(
    double: StripeDouble, stubborn: stripe.StripeClient
) -> None:
    double.faults.add("server_error")

    with pytest.raises(stripe.APIError):
        stubborn.v1.payment_intents.create(INTENT)

    assert (len(double.calls), double.all("payment_intent")) == (1, [])


def test_a_server_error_may_hide_an_effect(
    double: StripeDouble, client: stripe.StripeClient, pay: Make
) -> None:
    intent = pay()
    double.faults.add("server_error_after_commit")

    for _ in range(2):
        with pytest.raises(stripe.APIError):
            client.v1.refunds.create({"payment_intent": intent.id}, {"idempotency_key": "refund:1"})

    assert len(double.all("refund")) == 1
    assert [refund.amount for refund in client.v1.refunds.list({"payment_intent": intent.id}).data] == [4500]


def test_slow_is_only_slow(double: StripeDouble, client: stripe.StripeClient) -> None:
    double.faults.add("slow", seconds=0.01)

    assert client.v1.payment_intents.create(INTENT).status == "requires_payment_method"


def test_a_fault_strikes_only_what_it_names(
    double: StripeDouble, client: stripe.StripeClient, pay: Make
) -> None:
    double.faults.add("rate_limit", method="POST", path="/v1/payment_intents/*/cancel")

    intent = pay()

    with pytest.raises(stripe.RateLimitError):
        client.v1.payment_intents.cancel(intent.id)
    with pytest.raises(stripe.InvalidRequestError):
        client.v1.payment_intents.cancel(intent.id)


@pytest.fixture
def faults_over_http(double: StripeDouble) -> str:
    return f"{double.url}/_double/faults"


def test_over_http(double: StripeDouble, client: stripe.StripeClient, faults_over_http: str) -> None:
    fault = {"kind": "server_error", "method": "GET", "path": "/v1/balance", "times": 5}
    assert call("POST", faults_over_http, data=fault).status == 200
    with pytest.raises(stripe.APIError):
        client.v1.balance.retrieve()

    assert call("DELETE", faults_over_http, data={}).status == 200

    assert client.v1.balance.retrieve().object == "balance"


def test_a_fault_must_be_known(faults_over_http: str) -> None:
    assert call("POST", faults_over_http, data={"kind": "earthquake"}).status == 422
