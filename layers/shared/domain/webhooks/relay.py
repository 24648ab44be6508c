"""From the outbox to the queue. The queue carries ids only; the outbox keeps the facts."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Protocol

from psycopg import Connection

from domain.webhooks import outbox

BATCH = 100


class Queue(Protocol):
    def send(self, event_ids: Sequence[str]) -> Sequence[str]:
        """Put ids on the queue; answers those that could not be."""


def relay(connection: Connection[Any], queue: Queue, now: datetime) -> int:
    """Put every due event on the queue, one batch; answers how many."""
    event_ids = outbox.take_due(connection, now, BATCH)
    if not event_ids:
        return 0
    refused = queue.send(event_ids)
    if refused:
        outbox.put_back(connection, refused, now)
    return len(event_ids) - len(refused)
