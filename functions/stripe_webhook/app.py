"""Stripe's events. Answers 200 once what an event asks is committed, so that Stripe repeats what was not."""

from typing import Any

import psycopg
from aws_lambda_powertools.event_handler import Request, Response
from pydantic import BaseModel

from adapters import database
from adapters.http import Visit, answers, create_resolver, logger
from adapters.jobs import metrics
from adapters.selling import shop
from adapters.settings import SettingMissing, delivery_enabled, environment
from adapters.sqs import nudged_queue
from adapters.stripe_payments import dispute_of, payment_of, read_event, stripe_payments
from domain.checkout import reconcile
from domain.checkout.disputed import follow_dispute
from domain.checkout.failures import tell_failure
from domain.checkout.follow_refunds import follow_refunds, knows_payment
from domain.checkout.settle import UnknownCheckout, settle
from domain.errors import Refused
from domain.payments import inbound, orphans
from domain.payments.gateway import Payment, PaymentRefused, PaymentsUnavailable
from domain.payments.made_refunds import begin_reading
from domain.payments.refunds import count_troubled, pay_refunds
from domain.webhooks import relay

MOST_BYTES = 1024 * 1024
app = create_resolver(most_bytes=MOST_BYTES)

ENOUGH_FOR_ONE_REFUND_MS = 12_000


class Received(BaseModel):
    received: bool


@app.post(
    "/v1/stripe/webhook",
    summary="Recevoir un événement de Stripe",
    tags=["Stripe"],
    responses=answers("INVALID_SIGNATURE", "PAYMENT_UNAVAILABLE"),
)
def receive(request: Request) -> Response[Received]:
    visit = Visit(request)
    event = read_event(visit.raw_body, visit.header("stripe-signature"), visit.now)
    if not inbound.receive_event(visit.connection, event["id"], event["type"], visit.now):
        act_on(visit, event["id"], event["type"], event["data"]["object"])
        # Another connection, when the nudge has lost the visit's.
        inbound.finish_event(database.connection(), event["id"], visit.now)
    return visit.answer(Received(received=True))


def act_on(visit: Visit, event_id: str, kind: str, about: dict[str, Any]) -> None:
    """Do what an event asks; types that ask nothing are only noted."""
    match kind:
        case (
            "payment_intent.succeeded"
            | "payment_intent.processing"
            | "payment_intent.canceled"
            | "payment_intent.payment_failed"
        ):
            payment = payment_of(about)
            if not orphans.is_anothers(payment, environment()):
                follow_payment(visit, kind, payment, event_id)
        case "charge.refunded" | "refund.created" | "refund.updated" | "refund.failed":
            if about["payment_intent"] and knows_payment(visit.connection, about["payment_intent"]):
                follow_refunded(visit, about["payment_intent"])
        case "charge.dispute.created" | "charge.dispute.updated" | "charge.dispute.closed":
            if about["payment_intent"] and knows_payment(visit.connection, about["payment_intent"]):
                follow_disputed(visit, about)


def follow_payment(visit: Visit, kind: str, payment: Payment, event_id: str) -> None:
    if kind == "payment_intent.processing":
        reconcile.mark_processing(visit.connection, payment)
    elif kind == "payment_intent.canceled":
        reconcile.note_cancelled(visit.connection, payment, shop(), visit.now)
    elif kind == "payment_intent.payment_failed":
        tell_failure(visit.connection, shop(), payment, event_id, visit.now)
    elif settled_or_orphaned(visit, with_time_of_payment(payment)):
        nudge(visit)


def with_time_of_payment(payment: Payment) -> Payment:
    """The payment with the time its card was charged, which an event does not say, where its product counts from it."""
    if payment.paid_at is None and shop().sales[payment.product].counts_from_payment:
        return find_payment(payment.intent_id)
    return payment


def settled_or_orphaned(visit: Visit, payment: Payment) -> bool:
    """Book what was paid; answers False when nobody knows what was."""
    try:
        if payment.checkout_id is None:
            raise UnknownCheckout
        settle(visit.connection, payment.checkout_id, payment, shop(), visit.now)
    except UnknownCheckout:
        if orphans.note_orphan(visit.connection, payment, visit.now):
            logger.error("ORPHAN_PAYMENT", extra={"payment_intent_id": payment.intent_id})
            count("orphan_payments")
        return False
    return True


def nudge(visit: Visit) -> None:
    """Do at once what the schedules would do later. They are the net for both: what fails here fails no request."""
    try:
        pay_refunds(visit.connection, stripe_payments(), visit.now, time_is_left)
        if delivery_enabled():
            relay.nudge(visit.connection, nudged_queue(), visit.now)
    except (psycopg.Error, SettingMissing) as error:
        if isinstance(error, psycopg.Error):
            database.was_unavailable(error)
        logger.warning("nudge failed", extra={"error": type(error).__name__})


def find_payment(intent_id: str) -> Payment:
    """A payment as Stripe has it now. Refuses with PAYMENT_UNAVAILABLE: Stripe sends the event again."""
    try:
        return stripe_payments().find_intent(intent_id)
    except (PaymentsUnavailable, PaymentRefused) as error:
        raise Refused("PAYMENT_UNAVAILABLE", retry_after=5) from error


def find_settled(visit: Visit, intent_id: str) -> Payment:
    """A payment as Stripe has it, booked if it was paid: a refund's or a dispute's event may come before its own."""
    payment = find_payment(intent_id)
    if payment.status == "succeeded":
        settled_or_orphaned(visit, payment)
    return payment


def follow_refunded(visit: Visit, intent_id: str) -> None:
    """The refunds of a payment as Stripe has them now, which may be newer than the event."""
    payment = find_settled(visit, intent_id)
    reading = begin_reading(visit.connection, intent_id)
    try:
        made = stripe_payments().refunds_of(intent_id)
    except (PaymentsUnavailable, PaymentRefused) as error:
        raise Refused("PAYMENT_UNAVAILABLE", retry_after=5) from error
    follow_refunds(visit.connection, intent_id, made, reading, payment.received_cents, shop(), visit.now)
    _, failed = count_troubled(visit.connection, visit.now)
    if failed:
        count("refunds_failed", failed)


def follow_disputed(visit: Visit, about: dict[str, Any]) -> None:
    dispute = dispute_of(about)
    find_settled(visit, dispute.intent_id)
    if follow_dispute(visit.connection, dispute, visit.now):
        logger.error("PAYMENT_DISPUTED", extra={"dispute_id": dispute.id, "status": dispute.status})
        count("disputes_told")


def count(name: str, times: int = 1) -> None:
    metrics.add_metric(name=name, unit="Count", value=times)
    metrics.flush_metrics()


def time_is_left() -> bool:
    return bool(app.lambda_context.get_remaining_time_in_millis() > ENOUGH_FOR_ONE_REFUND_MS)


def lambda_handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    return app.resolve(event, context)
