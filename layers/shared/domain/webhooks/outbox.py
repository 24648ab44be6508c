"""Facts waiting to leave: recorded by the transaction that made them true, picked up by the relay.

`sequence` is known before the body is frozen, so whoever records facts of an aggregate that already has some must
hold that aggregate's row lock (b.5).
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Literal

from psycopg import Connection

from domain.ids import time_ordered_id
from domain.webhooks.events import Envelope, Payload

SCHEMA_VERSION = 1
ENQUEUED_LEASE = timedelta(minutes=10)

type Environment = Literal["prod", "staging", "dev"]


def record_facts(
    connection: Connection[Any],
    facts: Sequence[Payload],
    environment: Environment,
    now: datetime,
    last_sequence: int = 0,
) -> None:
    """Store facts of one aggregate, in order, as the bytes that will be sent. A fact told before is ignored."""
    for sequence, fact in enumerate(facts, start=last_sequence + 1):
        event_id = f"evt_{time_ordered_id(now).hex}"
        envelope = Envelope.model_construct(
            type=fact.type,
            event_id=event_id,
            sent_at=now,
            timestamp=now,
            schema_version=SCHEMA_VERSION,
            sequence=sequence,
            environment=environment,
            payload=fact,
        )
        connection.execute(
            """
            INSERT INTO outbox (event_id, type, dedupe_key, ordering_key, sequence, body, next_attempt_at, created_at)
            VALUES (%(event_id)s, %(type)s, %(dedupe_key)s, %(ordering_key)s, %(sequence)s, %(body)s, %(now)s, %(now)s)
            ON CONFLICT (dedupe_key) DO NOTHING
            """,
            {
                "event_id": event_id,
                "type": fact.type,
                "dedupe_key": fact.dedupe_key,
                "ordering_key": fact.ordering_key,
                "sequence": sequence,
                "body": envelope.model_dump_json().encode(),
                "now": now,
            },
        )


def last_sequence(connection: Connection[Any], ordering_key: str) -> int:
    """The number of the last fact of an aggregate that the caller has locked; 0 when there is none."""
    row = connection.execute(
        "SELECT coalesce(max(sequence), 0) FROM outbox WHERE ordering_key = %(ordering_key)s",
        {"ordering_key": ordering_key},
    ).fetchone()
    return int(row[0]) if row else 0


def take_due(connection: Connection[Any], now: datetime, at_most: int) -> list[str]:
    """Lease the events that are due, oldest first, and answer their ids.

    An event whose queue message or whose dispatcher was lost is due again when its lease has run out.
    """
    rows = connection.execute(
        """
        UPDATE outbox SET status = 'enqueued', lease_until = %(lease_until)s
         WHERE event_id IN (
               SELECT event_id FROM outbox
                WHERE (status IN ('pending', 'retrying') AND next_attempt_at <= %(now)s)
                   OR (status IN ('enqueued', 'delivering') AND lease_until <= %(now)s)
                ORDER BY created_at, ordering_key, sequence LIMIT %(at_most)s FOR UPDATE SKIP LOCKED)
        RETURNING event_id, created_at, ordering_key, sequence
        """,
        {"now": now, "lease_until": now + ENQUEUED_LEASE, "at_most": at_most},
    ).fetchall()
    return [event_id for event_id, *_ in sorted(rows, key=lambda row: row[1:])]


def put_back(connection: Connection[Any], event_ids: Sequence[str], now: datetime) -> None:
    """Events that could not be put on the queue are due at once."""
    connection.execute(
        """
        UPDATE outbox SET status = 'pending', next_attempt_at = %(now)s, lease_until = NULL
         WHERE event_id = ANY(%(event_ids)s) AND status = 'enqueued'
        """,
        {"event_ids": list(event_ids), "now": now},
    )
