"""The double as the local stack runs it: HTTP controls, the system's clock, several at once."""

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest
import stripe
import time_machine

from local.stripe_double import StripeDouble
from tests.contract.conftest import call

Make = Callable[..., stripe.PaymentIntent]


@pytest.fixture
def control(double: StripeDouble) -> Callable[..., Any]:
    def control(path: str, **data: Any) -> Any:
        return call("POST", f"{double.url}/_double/{path}", data=data)

    return control


def test_the_dashboard_over_http(double: StripeDouble, control: Callable[..., Any], pay: Make) -> None:
    first, second = pay(), pay("pm_card_authenticationRequired")

    assert (
        control(f"payment_intents/{second.id}/authenticate", outcome="fail").body["status"]
        == "requires_payment_method"
    )
    refund = control(f"payment_intents/{first.id}/refund", amount=1000).body
    assert refund["amount"] == 1000
    assert control(f"refunds/{refund['id']}/settle", outcome="fail").body["status"] == "failed"
    dispute = control(f"payment_intents/{first.id}/dispute", reason="duplicate").body
    assert dispute["reason"] == "duplicate"
    assert control(f"disputes/{dispute['id']}/close", outcome="lost").body["status"] == "lost"
    assert call("PUT", f"{double.url}/_double/bank", data={"when": "later"}).status == 200
    third = pay()
    assert third.status == "processing"
    assert control(f"payment_intents/{third.id}/conclude", outcome="succeed").body["status"] == "succeeded"


@pytest.mark.parametrize(
    ("path", "data", "status"),
    [
        ("payment_intents/pi_nobody/authenticate", {}, 404),
        ("payment_intents/pi_nobody/authenticate", {"outcome": "perhaps"}, 422),
        ("payment_intents/pi_nobody/refund", {"amout": 1}, 422),
    ],
)
def test_a_control_says_what_is_wrong(control: Callable[..., Any], path: str, data: Any, status: int) -> None:
    assert control(path, **data).status == status


def test_a_payment_that_asks_nothing_cannot_be_authenticated(control: Callable[..., Any], pay: Make) -> None:
    answer = control(f"payment_intents/{pay().id}/authenticate", outcome="succeed")

    assert (answer.status, answer.body["error"]["code"]) == (400, "payment_intent_unexpected_state")


def test_everything_can_be_seen(double: StripeDouble, pay: Make) -> None:
    intent = pay()

    state = call("GET", f"{double.url}/_double/state").body

    assert [seen["id"] for seen in state["payment_intents"]] == [intent.id]
    assert [seen["type"] for seen in state["events"]][-1] == "payment_intent.succeeded"
    (seen,) = state["calls"]
    assert (seen["method"], seen["path"], seen["status"]) == ("POST", "/v1/payment_intents", 200)
    assert seen["params"]["amount"] == "4500"
    assert {delivery["status"] for delivery in state["deliveries"]} == {"pending"}


def test_and_forgotten(double: StripeDouble, control: Callable[..., Any], pay: Make) -> None:
    pay()

    control("reset")

    assert (double.all("payment_intent"), double.calls, double.webhooks.pending()) == ([], [], [])


def test_what_is_seen_is_a_copy(double: StripeDouble, client: stripe.StripeClient, pay: Make) -> None:
    intent = pay()

    double.all("payment_intent")[0]["amount"] = 1

    assert client.v1.payment_intents.retrieve(intent.id).amount == 4500


def test_time_travel_moves_the_double() -> None:
    with (
        StripeDouble.running() as double,
        time_machine.travel(dt.datetime(2027, 1, 18, 14, tzinfo=dt.UTC), tick=False),
    ):
        answer = call("POST", f"{double.url}/v1/customers", {}, Authorization=f"Bearer {double.secret_key}")

    assert answer.body["created"] == dt.datetime(2027, 1, 18, 14, tzinfo=dt.UTC).timestamp()


def test_a_double_that_does_not_run_has_no_address() -> None:
    with pytest.raises(RuntimeError, match="not running"):
        StripeDouble().url  # noqa: B018


def test_its_secrets_can_be_chosen() -> None:
    double = StripeDouble(secret_key="sk_test_1", publishable_key="pk_test_1", webhook_secret="whsec_1")

    assert (double.secret_key, double.publishable_key, double.webhook_secret) == (
        "sk_test_1",
        "pk_test_1",
        "whsec_1",
    )


def test_waiting_has_an_end(double: StripeDouble) -> None:
    with pytest.raises(TimeoutError):
        double.wait_for(lambda: False, timeout=0.01)
