"""Refunds. Sources: docs.stripe.com/refunds, docs.stripe.com/testing#refunds."""

from collections.abc import Callable
from typing import Any

import pytest
import stripe

from local.stripe_double import StripeDouble

Make = Callable[..., stripe.PaymentIntent]


def test_a_refund_gives_all_back(
    client: stripe.StripeClient, pay: Make, told: Callable[[], list[str]]
) -> None:
    intent = pay()

    refund = client.v1.refunds.create(
        {"payment_intent": intent.id, "reason": "requested_by_customer", "metadata": {"order": "12"}}
    )

    assert (refund.amount, refund.status, refund.currency) == (4500, "succeeded", "cad")
    assert (refund.payment_intent, refund.charge) == (intent.id, intent.latest_charge)
    assert client.v1.refunds.retrieve(refund.id) == refund
    charge = client.v1.charges.retrieve(str(intent.latest_charge))
    assert (charge.amount_refunded, charge.refunded) == (4500, True)
    assert told()[-2:] == ["refund.created", "charge.refunded"]


def test_parts_add_up_to_the_charge(client: stripe.StripeClient, pay: Make) -> None:
    intent = pay()
    seen = []
    for amount in (1000, 1500, 2000):
        client.v1.refunds.create({"charge": str(intent.latest_charge), "amount": amount})
        charge = client.v1.charges.retrieve(str(intent.latest_charge))
        seen.append((charge.amount_refunded, charge.refunded))

    assert seen == [(1000, False), (2500, False), (4500, True)]
    assert client.v1.payment_intents.retrieve(intent.id).amount_received == 4500


def test_without_an_amount_the_rest_is_refunded(client: stripe.StripeClient, pay: Make) -> None:
    intent = pay()
    client.v1.refunds.create({"payment_intent": intent.id, "amount": 1000})

    assert client.v1.refunds.create({"payment_intent": intent.id}).amount == 3500


def test_a_refunded_charge_cannot_be_refunded_again(
    double: StripeDouble, client: stripe.StripeClient, pay: Make
) -> None:
    intent = pay()
    client.v1.refunds.create({"payment_intent": intent.id})
    events = len(double.all("event"))

    with pytest.raises(stripe.InvalidRequestError) as refusal:
        client.v1.refunds.create({"payment_intent": intent.id, "amount": 1})

    assert (refusal.value.http_status, refusal.value.code) == (400, "charge_already_refunded")
    assert (len(double.all("refund")), len(double.all("event"))) == (1, events)


def test_more_than_what_is_left_is_refused(
    double: StripeDouble, client: stripe.StripeClient, pay: Make
) -> None:
    intent = pay()
    client.v1.refunds.create({"payment_intent": intent.id, "amount": 4000})

    with pytest.raises(
        stripe.InvalidRequestError, match=r"\$5\.01.*greater than unrefunded.*\$5\.00"
    ) as refusal:
        client.v1.refunds.create({"payment_intent": intent.id, "amount": 501})

    assert (refusal.value.http_status, refusal.value.param, refusal.value.code) == (400, "amount", None)
    assert double.all("charge")[0]["amount_refunded"] == 4000


def test_a_refund_needs_a_payment(client: stripe.StripeClient, new_intent: Make) -> None:
    with pytest.raises(stripe.InvalidRequestError, match="does not have a successful charge to refund"):
        client.v1.refunds.create({"payment_intent": new_intent().id})


def test_a_disputed_charge_cannot_be_refunded(client: stripe.StripeClient, pay: Make) -> None:
    with pytest.raises(stripe.InvalidRequestError) as refusal:
        client.v1.refunds.create({"payment_intent": pay("pm_card_createDispute").id})

    assert refusal.value.code == "charge_disputed"


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({}, "parameter_missing"),
        ({"payment_intent": "pi_nobody"}, "resource_missing"),
        ({"charge": "ch_nobody"}, "resource_missing"),
    ],
)
def test_of_what_must_be_said(client: stripe.StripeClient, params: Any, code: str) -> None:
    with pytest.raises(stripe.InvalidRequestError) as refusal:
        client.v1.refunds.create(params)

    assert refusal.value.code == code


def test_an_amount_is_positive(client: stripe.StripeClient, pay: Make) -> None:
    with pytest.raises(stripe.InvalidRequestError) as refusal:
        client.v1.refunds.create({"payment_intent": pay().id, "amount": 0})

    assert refusal.value.code == "parameter_invalid_integer"


def test_a_refund_from_the_dashboard_is_told_without_a_request(
    double: StripeDouble, client: stripe.StripeClient, pay: Make
) -> None:
    intent = pay()

    double.dashboard.refund(intent.id, 2000)

    event = double.all("event")[-1]
    assert (event["type"], event["data"]["object"]["amount_refunded"]) == ("charge.refunded", 2000)
    assert event["data"]["previous_attributes"] == {"amount_refunded": 0}
    assert event["request"] == {"id": None, "idempotency_key": None}
    assert [refund.amount for refund in client.v1.refunds.list({"payment_intent": intent.id}).data] == [2000]


def test_a_refund_may_fail_long_after_it_succeeded(
    double: StripeDouble,
    client: stripe.StripeClient,
    pay: Make,
    stripe_clock: Any,
    told: Callable[[], list[str]],
) -> None:
    intent = pay("pm_card_refundFail")
    refund = client.v1.refunds.create({"payment_intent": intent.id})
    assert refund.status == "succeeded"

    stripe_clock.advance(60)
    double.run_due()

    failed = client.v1.refunds.retrieve(refund.id)
    assert (failed.status, failed.failure_reason) == ("failed", "expired_or_canceled_card")
    assert {"refund.updated", "charge.refund.updated", "refund.failed"} <= set(told())
    assert client.v1.charges.retrieve(str(intent.latest_charge)).refunded is False


def test_a_refund_may_be_pending_first(
    double: StripeDouble, client: stripe.StripeClient, pay: Make, stripe_clock: Any
) -> None:
    refund = client.v1.refunds.create({"payment_intent": pay("pm_card_pendingRefund").id})
    assert refund.status == "pending"

    stripe_clock.advance(60)
    double.run_due()

    assert client.v1.refunds.retrieve(refund.id).status == "succeeded"
    updated = next(event for event in double.all("event") if event["type"] == "refund.updated")
    assert updated["data"]["previous_attributes"] == {"status": "pending"}


def test_any_refund_can_be_made_to_fail(double: StripeDouble, client: stripe.StripeClient, pay: Make) -> None:
    refund = client.v1.refunds.create({"payment_intent": pay().id})

    double.dashboard.settle_refund(refund.id, "fail")

    assert client.v1.refunds.retrieve(refund.id).status == "failed"
