"""Stripe's events. Answers 200 once what an event asks is committed, so that Stripe repeats what was not."""

from typing import Any

from aws_lambda_powertools.event_handler import Request, Response
from pydantic import BaseModel

from adapters.http import Visit, answers, create_resolver, logger
from adapters.settings import delivery_enabled, environment
from adapters.sqs import webhook_queue
from adapters.stripe_payments import payment_of, read_event, stripe_payments
from domain.checkout.settle import UnknownCheckout, settle
from domain.payments import inbound
from domain.payments.refunds import pay_refunds
from domain.webhooks.relay import relay

app = create_resolver()


class Received(BaseModel):
    received: bool


@app.post(
    "/v1/stripe/webhook",
    summary="Recevoir un événement de Stripe",
    tags=["Stripe"],
    responses=answers("INVALID_SIGNATURE"),
)
def receive(request: Request) -> Response[Received]:
    visit = Visit(request)
    event = read_event(visit.raw_body, visit.header("stripe-signature"), visit.now)
    if not inbound.receive_event(visit.connection, event["id"], event["type"], visit.now):
        act_on(visit, event)
        inbound.finish_event(visit.connection, event["id"], visit.now)
    return visit.answer(Received(received=True))


def act_on(visit: Visit, event: dict[str, Any]) -> None:
    """Do what an event asks; types that ask nothing are only noted."""
    if event["type"] != "payment_intent.succeeded":
        return
    payment = payment_of(event["data"]["object"])
    try:
        if payment.checkout_id is None:
            raise UnknownCheckout
        settle(visit.connection, payment.checkout_id, payment, environment(), visit.now)
    except UnknownCheckout:
        logger.error("ORPHAN_PAYMENT", extra={"payment_intent_id": payment.intent_id})
        return
    try:  # the schedules are the net for both
        pay_refunds(visit.connection, stripe_payments(), visit.now)
        if delivery_enabled():
            relay(visit.connection, webhook_queue(), visit.now)
    except Exception as error:
        logger.warning("nudge failed", extra={"error": type(error).__name__})


def lambda_handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    return app.resolve(event, context)
