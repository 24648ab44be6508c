"""Lambda's event source mapping: takes messages off a queue, calls the function, deletes what succeeded.

With `ReportBatchItemFailures` only the messages the function names stay on the queue, where they reappear after
their visibility timeout; without it, or when the function fails, all of them do.
"""

import logging
import threading
from collections.abc import Callable
from http.client import HTTPException
from typing import Any

from local import sqs_protocol
from local.cloudformation import ACCOUNT, REGION
from local.functions import Event
from local.template import Application, Function, QueueBinding

type Invoke = Callable[[str, Event], Any]

_LONG_POLL_SECONDS = 5
_LARGEST_RECEIVE = 10
_POLLERS_AT_MOST = 2
_PAUSE_SECONDS = 1.0  # after SQS failed to answer

logger = logging.getLogger(__name__)


class Queues:
    """The queue bindings of an application.

    Parameters
    ----------
    application
        What the template says.
    endpoint
        Where SQS is served.
    invoke
        Calls a function by name with an event.
    """

    def __init__(self, application: Application, endpoint: str, invoke: Invoke) -> None:
        self._addresses = {queue.name: queue.url for queue in application.queues}
        self._endpoint = endpoint
        self._invoke = invoke
        self._stopping = threading.Event()
        self._pollers = [
            threading.Thread(target=self._poll, args=(function, binding), name=binding.queue, daemon=True)
            for function in application.functions
            for binding in function.queues
            for _ in range(min(binding.concurrency, _POLLERS_AT_MOST))
        ]

    def start(self) -> None:
        """Begin to poll."""
        for poller in self._pollers:
            poller.start()

    def stop(self) -> None:
        """Poll no more; whoever waits for SQS or for the function ends with them."""
        self._stopping.set()

    def _poll(self, function: Function, binding: QueueBinding) -> None:
        while not self._stopping.is_set():
            try:
                if messages := self._receive(binding):
                    self._delete(binding, self._handle(function, binding, messages))
            except (OSError, HTTPException):
                if not self._stopping.is_set():
                    logger.exception("%s cannot be polled", binding.queue)
                    self._stopping.wait(_PAUSE_SECONDS)

    def _receive(self, binding: QueueBinding) -> list[dict[str, Any]]:
        answer = sqs_protocol.call(
            self._endpoint,
            "ReceiveMessage",
            QueueUrl=self._addresses[binding.queue],
            MaxNumberOfMessages=min(binding.batch_size, _LARGEST_RECEIVE),
            WaitTimeSeconds=_LONG_POLL_SECONDS,
            AttributeNames=["All"],
            MessageAttributeNames=["All"],
        )
        messages: list[dict[str, Any]] = answer.get("Messages", [])
        return messages

    def _delete(self, binding: QueueBinding, messages: list[dict[str, Any]]) -> None:
        url = self._addresses[binding.queue]
        for message in messages:
            receipt = message["ReceiptHandle"]
            sqs_protocol.call(self._endpoint, "DeleteMessage", QueueUrl=url, ReceiptHandle=receipt)

    def _handle(
        self, function: Function, binding: QueueBinding, messages: list[dict[str, Any]]
    ) -> list[dict[str, Any]]:
        """Call the function with a batch; the messages to delete are returned."""
        try:
            result = self._invoke(function.name, {"Records": [_record(binding, each) for each in messages]})
        except Exception:
            if not self._stopping.is_set():
                logger.exception("%s failed on a batch of %d", function.name, len(messages))
            return []
        return _handled(messages, result) if binding.reports_failures else messages


def _record(binding: QueueBinding, message: dict[str, Any]) -> dict[str, Any]:
    return {
        "messageId": message["MessageId"],
        "receiptHandle": message["ReceiptHandle"],
        "body": message["Body"],
        "attributes": message.get("Attributes", {}),
        "messageAttributes": {
            name: {key[0].lower() + key[1:]: value for key, value in attribute.items()}
            for name, attribute in message.get("MessageAttributes", {}).items()
        },
        "md5OfBody": message["MD5OfBody"],
        "eventSource": "aws:sqs",
        "eventSourceARN": f"arn:aws:sqs:{REGION}:{ACCOUNT}:{binding.queue}",
        "awsRegion": REGION,
    }


def _handled(messages: list[dict[str, Any]], result: Any) -> list[dict[str, Any]]:
    """The messages of a batch that succeeded: none when the answer is one Lambda would not understand."""
    failures = (result or {}).get("batchItemFailures") or []
    failed = {failure.get("itemIdentifier") for failure in failures}
    if not failed <= {message["MessageId"] for message in messages}:
        return []
    return [message for message in messages if message["MessageId"] not in failed]
