"""Who may do what. Sources: docs.stripe.com/keys, docs.stripe.com/api/payment_intents/retrieve."""

import base64
from collections.abc import Callable
from typing import Any

import pytest
import stripe

from local.stripe_double import StripeDouble
from tests.contract.conftest import call

Make = Callable[..., stripe.PaymentIntent]


@pytest.mark.parametrize("key", ["", "sk_test_wrong", "sk_live_wrong"])
def test_without_a_good_key_nothing_is_said(double: StripeDouble, key: str) -> None:
    answer = call("GET", f"{double.url}/v1/balance", Authorization=f"Bearer {key}")

    assert answer.status == 401
    assert answer.body["error"]["type"] == "invalid_request_error"
    assert answer.headers["Request-Id"].startswith("req_")
    assert "wrong" not in str(answer.body)[:60]


def test_the_library_calls_it_an_authentication_error(connect: Callable[..., stripe.StripeClient]) -> None:
    with pytest.raises(stripe.AuthenticationError):
        connect(api_key="sk_test_wrong").v1.balance.retrieve()


def test_the_key_may_come_as_a_user_name(double: StripeDouble) -> None:
    basic = base64.b64encode(f"{double.secret_key}:".encode()).decode()

    assert call("GET", f"{double.url}/v1/balance", Authorization=f"Basic {basic}").status == 200


class TestThePublishableKey:
    @pytest.fixture
    def browser(self, double: StripeDouble) -> Callable[..., Any]:
        """Stripe.js: the publishable key, and only that."""

        def browser(method: str, path: str, form: Any = None) -> Any:
            bearer = f"Bearer {double.publishable_key}"
            return call(method, double.url + path, form, Authorization=bearer, Origin="https://exemple.ca")

        return browser

    @pytest.fixture
    def intent(self, new_intent: Make, client: stripe.StripeClient) -> stripe.PaymentIntent:
        return new_intent(metadata={"cart": "7"}, customer=client.v1.customers.create().id)

    @pytest.mark.parametrize(
        ("method", "path"),
        [
            ("GET", "/v1/balance"),
            ("GET", "/v1/payment_intents"),
            ("POST", "/v1/refunds"),
            ("POST", "/v1/payment_intents"),
            ("GET", "/v1/events"),
        ],
    )
    def test_opens_few_doors(self, browser: Callable[..., Any], method: str, path: str) -> None:
        answer = browser(method, path)

        assert (answer.status, answer.body["error"]["code"]) == (403, "secret_key_required")

    def test_pays_with_the_client_secret(
        self, double: StripeDouble, browser: Callable[..., Any], intent: stripe.PaymentIntent
    ) -> None:
        form = {"client_secret": intent.client_secret, "payment_method": "pm_card_visa"}

        answer = browser("POST", f"/v1/payment_intents/{intent.id}/confirm", form)

        assert (answer.status, answer.body["status"]) == (200, "succeeded")
        assert answer.headers["Access-Control-Allow-Origin"] == "*"
        assert double.calls[-1].caller == "publishable"

    def test_sees_its_intent_without_what_the_merchant_wrote(
        self, browser: Callable[..., Any], intent: stripe.PaymentIntent
    ) -> None:
        answer = browser("GET", f"/v1/payment_intents/{intent.id}?client_secret={intent.client_secret}")

        assert (answer.status, answer.body["amount"]) == (200, 4500)
        assert answer.body.keys().isdisjoint({"metadata", "customer", "latest_charge", "amount_received"})

    def test_not_even_in_a_refusal(self, browser: Callable[..., Any], intent: stripe.PaymentIntent) -> None:
        form = {"client_secret": intent.client_secret, "payment_method": "pm_card_chargeDeclined"}

        answer = browser("POST", f"/v1/payment_intents/{intent.id}/confirm", form)

        assert answer.status == 402
        assert "metadata" not in answer.body["error"]["payment_intent"]

    @pytest.mark.parametrize("form", [{}, {"client_secret": "pi_x_secret_wrong"}])
    def test_is_worth_nothing_without_it(
        self, double: StripeDouble, browser: Callable[..., Any], intent: stripe.PaymentIntent, form: Any
    ) -> None:
        answer = browser(
            "POST", f"/v1/payment_intents/{intent.id}/confirm", {"payment_method": "pm_card_visa", **form}
        )

        assert (answer.status, answer.body["error"]["param"]) == (400, "client_secret")
        assert double.all("charge") == []

    def test_cannot_touch_the_intent_of_another_secret(
        self, browser: Callable[..., Any], intent: stripe.PaymentIntent, new_intent: Make
    ) -> None:
        answer = browser("GET", f"/v1/payment_intents/{intent.id}?client_secret={new_intent().client_secret}")

        assert answer.status == 400


def test_confirming_by_hand_needs_only_a_key_and_a_payment_method(
    double: StripeDouble, new_intent: Make
) -> None:
    url = f"{double.url}/v1/payment_intents/{new_intent().id}/confirm"

    answer = call(
        "POST", url, {"payment_method": "pm_card_visa"}, Authorization=f"Bearer {double.secret_key}"
    )

    assert (answer.status, answer.body["status"]) == (200, "succeeded")
