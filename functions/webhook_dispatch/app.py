"""From the queue: deliver events to Make.com. A message whose handling fails goes back to the queue alone."""

import json
from datetime import UTC, datetime
from typing import Any

from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord

from adapters import database
from adapters.make import make_receiver
from domain.webhooks.dispatch import dispatch

processor = BatchProcessor(event_type=EventType.SQS, raise_on_entire_batch_failure=False)


def deliver(record: SQSRecord) -> None:
    event_id = json.loads(record.body)["event_id"]
    dispatch(database.connection(), make_receiver(), event_id, datetime.now(UTC))


def lambda_handler(event: dict[str, Any], context: Any) -> Any:
    return process_partial_response(event=event, record_handler=deliver, processor=processor, context=context)
