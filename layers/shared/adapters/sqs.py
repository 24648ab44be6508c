"""The queue that carries event ids to the dispatcher. The AWS client loads when it is first used."""

import json
from collections.abc import Sequence
from functools import cache
from itertools import batched
from typing import TYPE_CHECKING

from adapters.settings import setting
from domain.webhooks.relay import Message

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

BATCH = 10
CONNECT_TIMEOUT_SECONDS = 2
READ_TIMEOUT_SECONDS = 5


class WebhookQueue:
    """Implements `domain.webhooks.relay.Queue` on SQS."""

    def __init__(self, client: "SQSClient", url: str) -> None:
        self._client = client
        self._url = url

    def send(self, messages: Sequence[Message]) -> list[str]:
        """Put ids on the queue, ten a call; answers those that SQS did not take."""
        from botocore.exceptions import BotoCoreError, ClientError

        refused: list[str] = []
        for batch in batched(messages, BATCH, strict=False):
            try:
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
            except (BotoCoreError, ClientError):
                refused += [message.event_id for message in batch]
                continue
            refused += [batch[int(failed["Id"])].event_id for failed in answer.get("Failed", [])]
        return refused


@cache
def webhook_queue() -> WebhookQueue:
    """The container's queue, from WEBHOOK_QUEUE_URL."""
    import boto3
    from botocore.config import Config

    config = Config(
        connect_timeout=CONNECT_TIMEOUT_SECONDS,
        read_timeout=READ_TIMEOUT_SECONDS,
        retries={"total_max_attempts": 2},
    )
    return WebhookQueue(boto3.client("sqs", config=config), setting("WEBHOOK_QUEUE_URL"))
