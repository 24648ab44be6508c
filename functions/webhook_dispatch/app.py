"""From the queue: deliver events to Make.com. A message whose handling fails goes back to the queue alone."""

import json
from datetime import UTC, datetime
from functools import cache
from typing import Any

from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord

from adapters import database
from adapters.delivery_metrics import tell_broken_promise, tell_outcome
from adapters.jobs import job, logger, telling_failure
from adapters.make import MakeReceiver, hosts
from adapters.settings import delivery_enabled
from adapters.sqs import webhook_queue
from domain.webhooks.delivery import Delivery, Failure
from domain.webhooks.dispatch import dispatch
from domain.webhooks.events import broken_promises_of
from domain.webhooks.relay import Message, seconds_until

LONGEST_DELAY_SECONDS = 900

processor = BatchProcessor(event_type=EventType.SQS, raise_on_entire_batch_failure=False)


def deliver(record: SQSRecord) -> None:
    """Deliver the event of one message. Switched off, it is left to the relay, which finds its lease run out."""
    event_id = json.loads(record.body)["event_id"]
    if not delivery_enabled():
        return
    now = datetime.now(UTC)
    with (
        telling_failure()
    ):  # else the batch would swallow it, and the next message come to the same connection
        outcome = dispatch(database.connection_for_jobs(), receiver(), event_id, now)
    if outcome is None:
        return
    tell_outcome(outcome)
    if outcome.due:
        call_again(outcome.event_id, seconds_until(outcome.due, now))


class Checking(MakeReceiver):
    """Says so when an event is not as its schema promises, and posts it: prod records it without looking (a.5)."""

    def post(self, delivery: Delivery, now: datetime) -> Failure | None:
        if delivery.attempt == 1 and (places := broken_promises_of(delivery.type, delivery.body)):
            tell_broken_promise(delivery, places)
        return super().post(delivery, now)


@cache
def receiver() -> MakeReceiver:
    """The container's receiver; its first event leaves a line that says where events go (c.2)."""
    logger.info("webhook routes", extra={"routes": hosts()})
    return Checking()


def call_again(event_id: str, delay_seconds: int) -> None:
    """A retry that is near comes back by the queue; the relay finds the others, and this one if SQS refuses it."""
    if delay_seconds <= LONGEST_DELAY_SECONDS:
        webhook_queue().send([Message(event_id, delay_seconds)])


@job
def lambda_handler(event: dict[str, Any], context: Any) -> Any:
    return process_partial_response(event=event, record_handler=deliver, processor=processor, context=context)
