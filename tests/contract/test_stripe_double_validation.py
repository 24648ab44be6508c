"""Parameters refused, objects complete. Sources: docs.stripe.com/error-codes, stripe-python's own types."""

import typing
from collections.abc import Callable
from typing import Any

import pytest
import stripe

from local.stripe_double import StripeDouble
from tests.contract.conftest import call

Make = Callable[..., stripe.PaymentIntent]

GOOD: Any = {"amount": 4500, "currency": "cad", "allowed_payment_method_types": ["card"]}


@pytest.mark.parametrize(
    ("change", "code", "param"),
    [
        ({"colour": "red"}, "parameter_unknown", "colour"),
        ({"idempotency": "k"}, "parameter_unknown", "idempotency"),
        ({"amount": "much"}, "parameter_invalid_integer", "amount"),
        ({"amount": "12.5"}, "parameter_invalid_integer", "amount"),
        ({"amount": 0}, "parameter_invalid_integer", "amount"),
        ({"amount": 49}, "amount_too_small", "amount"),
        ({"amount": 100_000_000}, "amount_too_large", "amount"),
        ({"amount": None}, "parameter_missing", "amount"),
        ({"currency": None}, "parameter_missing", "currency"),
        ({"currency": ""}, "parameter_invalid_empty", "currency"),
        ({"currency": "moon"}, None, "currency"),
        ({"customer": "cus_nobody"}, "resource_missing", "customer"),
        ({"payment_method": "pm_card_moon"}, "resource_missing", "payment_method"),
        ({"receipt_email": "ana"}, "email_invalid", "receipt_email"),
        ({"confirm": "perhaps"}, None, "confirm"),
        ({"metadata": "red"}, None, "metadata"),
        ({"metadata": {"a": {"b": "c"}}}, None, "metadata[a]"),
        ({"allowed_payment_method_types": "card"}, None, "allowed_payment_method_types"),
        ({"allowed_payment_method_types": ["gold"]}, None, "allowed_payment_method_types[0]"),
        (
            {"payment_method_types": ["card"]},
            "payment_method_types_no_longer_supported",
            "payment_method_types",
        ),
        (
            {"automatic_payment_methods": {"enabled": True}},
            "parameters_exclusive",
            "allowed_payment_method_types",
        ),
        ({"expand": ["everything"]}, None, "expand"),
    ],
)
def test_what_is_wrong_is_named_and_nothing_is_made(
    double: StripeDouble, client: stripe.StripeClient, change: Any, code: str | None, param: str
) -> None:
    with pytest.raises(stripe.InvalidRequestError) as refusal:
        client.v1.payment_intents.create(GOOD | change)

    assert (refusal.value.http_status, refusal.value.code, refusal.value.param) == (400, code, param)
    assert (double.all("payment_intent"), double.all("event")) == ([], [])


def test_an_unknown_parameter_inside_another(client: stripe.StripeClient) -> None:
    with pytest.raises(stripe.InvalidRequestError) as refusal:
        client.v1.customers.create({"address": {"town": "Laval"}})  # type: ignore[arg-type]

    assert (refusal.value.code, refusal.value.param) == ("parameter_unknown", "address[town]")


def test_a_closed_list_of_words(client: stripe.StripeClient, pay: Make) -> None:
    with pytest.raises(
        stripe.InvalidRequestError, match="must be one of 'duplicate', 'fraudulent'"
    ) as refusal:
        client.v1.refunds.create({"payment_intent": pay().id, "reason": "regret"})

    assert refusal.value.param == "reason"


def test_what_stripe_knows_and_the_double_does_not_play_is_refused_too(client: stripe.StripeClient) -> None:
    with pytest.raises(stripe.InvalidRequestError, match="does not imitate the parameter capture_method"):
        client.v1.payment_intents.create(GOOD | {"capture_method": "manual"})


@pytest.mark.parametrize("metadata", [{"k" * 41: "v"}, {"k": "v" * 501}, {f"k{n}": "v" for n in range(51)}])
def test_metadata_has_limits(client: stripe.StripeClient, metadata: dict[str, str]) -> None:
    with pytest.raises(stripe.InvalidRequestError, match="Metadata"):
        client.v1.customers.create({"metadata": metadata})


def test_metadata_may_reach_them(client: stripe.StripeClient) -> None:
    largest = {f"{n:040}": "é" * 500 for n in range(50)}

    made = client.v1.customers.create({"metadata": largest})

    assert made.metadata is not None
    assert made.metadata.to_dict() == largest


def test_an_empty_value_unsets(client: stripe.StripeClient) -> None:
    made = client.v1.customers.create({"metadata": {"a": "1", "b": "2"}, "address": {"city": "Laval"}})

    some = client.v1.customers.update(made.id, {"metadata": {"a": ""}, "address": ""})
    none = client.v1.customers.update(made.id, {"metadata": ""})

    assert some.metadata is not None
    assert (some.metadata.to_dict(), some.address) == ({"b": "2"}, None)
    assert none.metadata is not None
    assert none.metadata.to_dict() == {}


def test_nobody_is_404(client: stripe.StripeClient) -> None:
    with pytest.raises(stripe.InvalidRequestError, match="No such payment_intent: 'pi_nobody'") as refusal:
        client.v1.payment_intents.retrieve("pi_nobody")

    assert (refusal.value.http_status, refusal.value.code) == (404, "resource_missing")


def test_an_address_that_does_not_exist(double: StripeDouble) -> None:
    answer = call("GET", f"{double.url}/v1/nothing", Authorization=f"Bearer {double.secret_key}")

    assert answer.status == 404
    assert answer.body["error"]["message"].startswith("Unrecognized request URL (GET: /v1/nothing)")


def test_json_is_not_understood(double: StripeDouble) -> None:
    answer = call(
        "POST", f"{double.url}/v1/customers", data={"name": "Ana"}, Authorization=f"Bearer {double.secret_key}",
        Content_Type="application/json",
    )  # fmt: skip

    assert answer.status == 400
    assert "x-www-form-urlencoded" in answer.body["error"]["message"]


def test_another_api_version_is_not_spoken(connect: Callable[..., stripe.StripeClient]) -> None:
    with pytest.raises(stripe.InvalidRequestError, match="Invalid Stripe API version: 2019-12-03"):
        connect(stripe_version="2019-12-03").v1.balance.retrieve()


class TestExpansion:
    def test_identifiers_become_objects(self, client: stripe.StripeClient, new_intent: Make) -> None:
        customer = client.v1.customers.create({"name": "Ana"})
        intent = new_intent(customer=customer.id, payment_method="pm_card_visa", confirm=True)
        client.v1.refunds.create({"payment_intent": intent.id, "amount": 1000})

        full: Any = client.v1.payment_intents.retrieve(
            intent.id, {"expand": ["customer", "latest_charge.refunds", "latest_charge.payment_intent"]}
        )

        assert full.customer.name == "Ana"
        assert [refund.amount for refund in full.latest_charge.refunds.data] == [1000]
        assert full.latest_charge.payment_intent.id == intent.id

    def test_in_lists_too(self, client: stripe.StripeClient, pay: Make) -> None:
        pay()

        first: Any = client.v1.payment_intents.list({"expand": ["data.latest_charge"]}).data[0]

        assert first.latest_charge.amount == 4500

    def test_a_bad_path_stops_the_operation_before_it_begins(
        self, double: StripeDouble, client: stripe.StripeClient, new_intent: Make
    ) -> None:
        intent = new_intent()
        with pytest.raises(stripe.InvalidRequestError, match="cannot be expanded"):
            client.v1.payment_intents.confirm(
                intent.id, {"payment_method": "pm_card_visa", "expand": ["latest_charge.owner"]}
            )

        assert double.all("charge") == []


def _optional(hint: Any) -> bool:
    return type(None) in typing.get_args(hint)


@pytest.mark.parametrize(
    "kind",
    [
        stripe.Customer,
        stripe.PaymentIntent,
        stripe.PaymentMethod,
        stripe.Charge,
        stripe.Refund,
        stripe.Dispute,
        stripe.Event,
    ],
)
def test_objects_have_the_members_of_the_pinned_version(
    double: StripeDouble, client: stripe.StripeClient, pay: Make, kind: type[stripe.StripeObject]
) -> None:
    customer = client.v1.customers.create()
    client.v1.refunds.create({"payment_intent": pay(customer=customer.id).id})
    pay("pm_card_createDispute")
    hints = {name: hint for name, hint in kind.__annotations__.items() if "ClassVar" not in str(hint)}
    required = {name for name, hint in hints.items() if not _optional(hint)}

    name = typing.cast(str, getattr(kind, "OBJECT_NAME"))  # noqa: B009 - only some classes have one
    for made in double.all(name):
        assert made.keys() <= hints.keys()
        assert required <= made.keys()
        assert {member for member in required if made[member] is None} == set()
    assert double.all(name)


def test_the_balance_is_what_was_paid_less_what_was_refunded(client: stripe.StripeClient, pay: Make) -> None:
    client.v1.refunds.create({"payment_intent": pay().id, "amount": 1000})

    assert client.v1.balance.retrieve().available[0].amount == 3500
