"""Webhooks: signed, repeated, disturbed. Source: docs.stripe.com/webhooks."""

import json
from collections.abc import Callable
from typing import Any

import pytest
import stripe

from local.stripe_double import StripeDouble, customers
from local.stripe_double.sandbox import Request
from tests.contract.conftest import Inbox, call

Make = Callable[..., stripe.PaymentIntent]

PAID = ["payment_intent.created", "charge.succeeded", "payment_intent.succeeded"]


def test_what_happened_is_told_in_order_and_signed(
    inbox: Inbox, client: stripe.StripeClient, pay: Make
) -> None:
    intent = pay()

    received = inbox.wait_for(3)

    events = [
        stripe.Webhook.construct_event(body, headers["Stripe-Signature"], "whsec_inbox")
        for headers, body in received
    ]
    assert [event.type for event in events] == PAID
    assert events[-1].data.object["id"] == intent.id
    assert [event.id for event in client.v1.events.list().data] == [event.id for event in reversed(events)]


@pytest.mark.parametrize("secret", ["whsec_other", ""])
def test_another_secret_does_not_verify(inbox: Inbox, new_intent: Make, secret: str) -> None:
    new_intent()
    ((headers, body),) = inbox.wait_for(1)

    with pytest.raises(stripe.SignatureVerificationError):
        stripe.Webhook.construct_event(body, headers["Stripe-Signature"], secret)


def test_nor_does_another_body(inbox: Inbox, new_intent: Make) -> None:
    new_intent()
    ((headers, body),) = inbox.wait_for(1)

    with pytest.raises(stripe.SignatureVerificationError):
        stripe.Webhook.construct_event(
            body.replace(b"4500", b"1"), headers["Stripe-Signature"], "whsec_inbox"
        )


def test_the_event_is_told_after_the_answer(inbox: Inbox) -> None:
    double = StripeDouble(webhook_url=inbox.url)  # nothing runs but what is called here
    request = Request("req_1", "2026-10-28.endive")

    with double.sandbox.during(request):
        customers.create(double.sandbox, {})
    double.run_due()
    assert inbox.received == []

    for answered in request.after_answer:
        answered()
    double.run_due()
    assert inbox.types(1) == ["customer.created"]


def test_an_endpoint_hears_only_what_it_asked_for(double: StripeDouble, inbox: Inbox, pay: Make) -> None:
    picky = double.webhooks.register(None, enabled_events=["payment_intent.succeeded", "charge.dispute.*"])
    pay("pm_card_createDispute")

    heard = [d.event["type"] for d in double.webhooks.pending() if d.endpoint is picky]

    double.webhooks.unregister(picky)
    assert heard == ["payment_intent.succeeded", "charge.dispute.created", "charge.dispute.funds_withdrawn"]


class TestRetries:
    def test_a_failed_delivery_is_tried_again_later_with_the_same_event(
        self, double: StripeDouble, inbox: Inbox, new_intent: Make, stripe_clock: Any
    ) -> None:
        inbox.answers += [500, 404]
        new_intent()
        inbox.wait_for(1)
        double.wait_for(lambda: self._attempts(double, inbox) == [500])
        assert len(inbox.received) == 1

        stripe_clock.advance(10)
        inbox.wait_for(2)
        double.wait_for(lambda: self._attempts(double, inbox) == [500, 404])
        stripe_clock.advance(60)
        received = inbox.wait_for(3)

        assert len({json.loads(body)["id"] for _, body in received}) == 1
        assert len({headers["Stripe-Signature"] for headers, _ in received}) == 3
        double.wait_for(lambda: self._attempts(double, inbox) == [500, 404, 200])

    def test_and_given_up_in_the_end(
        self,
        double: StripeDouble,
        inbox: Inbox,
        client: stripe.StripeClient,
        new_intent: Make,
        stripe_clock: Any,
    ) -> None:
        inbox.answers += [500, 500, 500]
        new_intent()
        for attempts in (1, 2, 3):
            double.wait_for(lambda n=attempts: len(self._attempts(double, inbox)) == n)  # type: ignore[misc]
            stripe_clock.advance(60)

        (delivery,) = [d for d in double.webhooks.deliveries if d.endpoint.url == inbox.url]
        assert delivery.status == "failed"
        assert client.v1.events.list().data[0].pending_webhooks > 0

    def test_an_endpoint_that_is_away_counts_as_failed(self, double: StripeDouble, new_intent: Make) -> None:
        away = double.webhooks.register("http://127.0.0.1:1/webhooks")
        new_intent()
        (delivery,) = [d for d in double.webhooks.pending() if d.endpoint is away]

        double.wait_for(lambda: delivery.attempts != [])

        double.webhooks.unregister(away)
        assert "ConnectionRefused" in str(delivery.attempts[0])

    @staticmethod
    def _attempts(double: StripeDouble, inbox: Inbox) -> list[int | str]:
        return [n for d in double.webhooks.deliveries if d.endpoint.url == inbox.url for n in d.attempts]


class TestDisorder:
    def test_held_deliveries_wait(self, double: StripeDouble, inbox: Inbox, pay: Make) -> None:
        double.webhooks.hold()
        pay()
        double.run_due()
        assert inbox.received == []

        double.webhooks.release()

        assert inbox.types(3) == PAID

    def test_and_come_in_another_order(self, double: StripeDouble, inbox: Inbox, pay: Make) -> None:
        double.webhooks.hold()
        pay()
        double.webhooks.release("reversed")

        assert inbox.types(3) == PAID[::-1]

    def test_the_same_disorder_for_the_same_seed(self, double: StripeDouble, inbox: Inbox, pay: Make) -> None:
        orders = []
        for _ in range(2):
            inbox.received.clear()
            double.reset()
            double.webhooks.hold()
            pay()
            double.webhooks.release("shuffled", seed=3)
            orders.append(inbox.types(3))

        assert orders[0] == orders[1] != PAID

    def test_deliveries_may_be_doubled(self, double: StripeDouble, inbox: Inbox, new_intent: Make) -> None:
        double.webhooks.behave(copies=3)
        new_intent()

        received = inbox.wait_for(3)

        assert len({json.loads(body)["id"] for _, body in received}) == 1

    def test_or_lost(
        self, double: StripeDouble, inbox: Inbox, client: stripe.StripeClient, pay: Make
    ) -> None:
        double.webhooks.drop("payment_intent.succeeded")
        pay()

        assert inbox.types(2) == PAID[:2]
        assert client.v1.events.list().data[0].type == "payment_intent.succeeded"
        pay()
        assert inbox.types(5)[2:] == PAID

    def test_or_late(self, double: StripeDouble, inbox: Inbox, new_intent: Make, stripe_clock: Any) -> None:
        double.webhooks.behave(delay=300)
        new_intent()
        double.run_due()
        assert inbox.received == []

        stripe_clock.advance(300)

        assert inbox.types(1) == ["payment_intent.created"]

    def test_any_event_can_be_sent_again(self, double: StripeDouble, inbox: Inbox, new_intent: Make) -> None:
        new_intent()
        inbox.wait_for(1)

        assert double.webhooks.deliver(double.all("event")[0]["id"]) == [200]

        assert len(inbox.received) == 2


class TestByHand:
    """Without an address nothing is sent: a test takes the messages and hands them to its own handler."""

    def test_messages_are_signed_and_ready(self, double: StripeDouble, pay: Make) -> None:
        pay()

        messages = double.webhooks.take("payment_intent.*")

        assert [message.event_type for message in messages] == [
            "payment_intent.created",
            "payment_intent.succeeded",
        ]
        for message in messages:
            event = stripe.Webhook.construct_event(
                message.body, message.headers["Stripe-Signature"], double.webhook_secret
            )
            assert event.id == message.event_id

    def test_what_is_taken_is_delivered_and_the_rest_waits(
        self, double: StripeDouble, client: stripe.StripeClient, pay: Make
    ) -> None:
        pay()
        double.webhooks.take("payment_intent.succeeded")

        assert [delivery.event["type"] for delivery in double.webhooks.pending()] == PAID[:2]
        newest, older, _ = client.v1.events.list().data
        assert (newest.pending_webhooks, older.pending_webhooks) == (0, 1)

    def test_an_event_can_be_signed_as_often_as_wanted(self, double: StripeDouble, new_intent: Make) -> None:
        new_intent()
        event = double.all("event")[0]["id"]

        assert double.webhooks.message(event).event_id == double.webhooks.message(event).event_id == event


def test_the_knobs_over_http(double: StripeDouble, inbox: Inbox, pay: Make) -> None:
    def control(path: str, method: str = "POST", **data: Any) -> Any:
        return call(method, f"{double.url}/_double/webhooks/{path}", data=data).status

    assert control("hold") == 200
    assert control("behaviour", "PUT", copies=2) == 200
    assert control("drop", kind="charge.succeeded") == 200
    pay()
    assert control("release", order="reversed") == 200
    twice = ["payment_intent.succeeded"] * 2 + ["payment_intent.created"] * 2
    assert inbox.types(4) == twice
    assert control(f"deliver/{double.all('event')[0]['id']}") == 200
    assert control("endpoints", url=None, enabled_events=["refund.*"]) == 200
    double.webhooks.unregister(double.webhooks.endpoints[-1])
    assert control("release", order="sideways") == 422
