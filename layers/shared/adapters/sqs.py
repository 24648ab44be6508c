"""The queue that carries event ids to the dispatcher. The AWS client loads when it is first used."""

import json
from collections.abc import Sequence
from functools import cache, cached_property
from typing import TYPE_CHECKING

from adapters.settings import setting
from domain.webhooks.relay import Message

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

BATCH = 10
NUDGE_CONNECT_SECONDS = 0.1
NUDGE_READ_SECONDS = 0.2
"""A visitor waits for the nudge: no longer than 300 ms (b.6)."""


class WebhookQueue:
    """Implements `domain.webhooks.relay.Queue` on SQS. Times are in seconds, for each of a call's `attempts`."""

    def __init__(self, url: str, connect_timeout: float, read_timeout: float, attempts: int) -> None:
        self._url = url
        self._timeouts = connect_timeout, read_timeout
        self._attempts = attempts

    def send(self, messages: Sequence[Message]) -> list[str]:
        """Put ids on the queue, ten a call; answers those that SQS did not take. Silent, it is not called again."""
        from botocore.exceptions import BotoCoreError, ClientError

        refused: list[str] = []
        for begin in range(0, len(messages), BATCH):
            batch = messages[begin : begin + BATCH]
            try:
                refused += self._send_batch(batch)
            except (BotoCoreError, ClientError):
                return refused + [message.event_id for message in messages[begin:]]
        return refused

    def _send_batch(self, batch: Sequence[Message]) -> list[str]:
        answer = self._client.send_message_batch(
            QueueUrl=self._url,
            Entries=[
                {
                    "Id": str(place),
                    "MessageBody": json.dumps({"event_id": message.event_id}),
                    "DelaySeconds": message.delay_seconds,
                }
                for place, message in enumerate(batch)
            ],
        )
        return [batch[int(failed["Id"])].event_id for failed in answer.get("Failed", [])]

    @cached_property
    def _client(self) -> "SQSClient":
        import boto3
        from botocore.config import Config

        connect_timeout, read_timeout = self._timeouts
        config = Config(
            connect_timeout=connect_timeout,
            read_timeout=read_timeout,
            retries={"total_max_attempts": self._attempts},
        )
        return boto3.client("sqs", config=config)


@cache
def webhook_queue() -> WebhookQueue:
    """The container's queue, from WEBHOOK_QUEUE_URL."""
    return WebhookQueue(setting("WEBHOOK_QUEUE_URL"), connect_timeout=2, read_timeout=5, attempts=2)


@cache
def nudged_queue() -> WebhookQueue:
    """The same queue for whoever keeps a visitor waiting, and no second attempt (b.6)."""
    return WebhookQueue(setting("WEBHOOK_QUEUE_URL"), NUDGE_CONNECT_SECONDS, NUDGE_READ_SECONDS, attempts=1)
