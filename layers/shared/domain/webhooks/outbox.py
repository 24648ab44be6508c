"""Facts waiting to leave: recorded by the transaction that made them true, picked up by the relay.

A fact is told once, ever: its `dedupe_key` is unique, and outlives its body; that of a row that was deleted is in
`outbox_forgotten`. Facts of one aggregate are numbered 1, 2, 3… without a gap: whoever records waits for the rival
who is recording another of the same aggregate.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, ClassVar, Literal, Protocol
from uuid import UUID

from psycopg import Connection

from domain.ids import time_ordered_id
from domain.webhooks.event_types import EVENTS
from domain.webhooks.promises import BrokenPromise

type Environment = Literal["prod", "staging", "dev"]


class Fact(Protocol):
    """What can be told: implemented by `domain.webhooks.events.Payload`, which costs pydantic to load."""

    type: ClassVar[str]

    @property
    def dedupe_key(self) -> str: ...
    @property
    def ordering_key(self) -> str: ...
    @property
    def told_until(self) -> datetime | None: ...
    @property
    def about_user(self) -> UUID | None: ...
    @property
    def about_order(self) -> UUID | None: ...
    def model_dump_json(self) -> str: ...
    def broken_promises(self) -> list[str]: ...


def record_facts(
    connection: Connection[Any], facts: Sequence[Fact], environment: Environment, now: datetime
) -> None:
    """Store facts, in order, as the bytes that will be sent. A fact told before is ignored.

    Everywhere but in prod, one that is not as its schema says is a BrokenPromise; prod tells it, and the dispatcher
    raises an alarm: no booking fails for it (a.5).

    The last thing a transaction does: it waits for whoever is telling of the same aggregates, and for nobody else.
    Two statements, whatever the number of facts, and no answer is awaited.
    """
    new = {fact.dedupe_key: fact for fact in reversed(facts)}
    told = [fact for fact in facts if new.get(fact.dedupe_key) is fact]
    if environment != "prod":
        _check(told)
    if told:
        _one_at_a_time(connection, {fact.ordering_key for fact in told})
        _insert(connection, told, environment, now)


def _check(facts: Sequence[Fact]) -> None:
    for fact in facts:
        if broken := fact.broken_promises():
            raise BrokenPromise(f"{fact.type}: {', '.join(broken)}")


def _one_at_a_time(connection: Connection[Any], ordering_keys: set[str]) -> None:
    """Until the transaction ends nobody else numbers facts of these aggregates."""
    connection.execute(
        "SELECT pg_advisory_xact_lock(hashtextextended(key, 0)) FROM unnest(%(keys)s::text[]) AS key",
        {"keys": sorted(ordering_keys)},
    )


def _insert(
    connection: Connection[Any], facts: Sequence[Fact], environment: Environment, now: datetime
) -> None:
    """The body is frozen here, its envelope that of its type, around the number that only the database knows."""
    envelopes = [EVENTS[fact.type].envelope for fact in facts]
    ids = [f"evt_{time_ordered_id(now).hex}" for _ in facts]
    connection.execute(
        """
        INSERT INTO outbox (event_id, type, dedupe_key, ordering_key, sequence, body, next_attempt_at, created_at,
                            expires_at, about_user, about_order)
        SELECT event_id, type, dedupe_key, ordering_key, sequence,
               before || convert_to(sequence::text, 'UTF8') || after, %(now)s, %(now)s, expires_at, about_user,
               about_order
          FROM (SELECT fact.*, row_number() OVER (PARTITION BY ordering_key ORDER BY place) + greatest(
                       (SELECT max(sequence) FROM outbox WHERE ordering_key = fact.ordering_key),
                       (SELECT max(sequence) FROM outbox_forgotten WHERE ordering_key = fact.ordering_key),
                       0) AS sequence
                  FROM unnest(%(event_id)s::text[], %(type)s::text[], %(dedupe_key)s::text[], %(ordering_key)s::text[],
                              %(before)s::bytea[], %(after)s::bytea[], %(expires_at)s::timestamptz[],
                              %(about_user)s::uuid[], %(about_order)s::uuid[]) WITH ORDINALITY
                       AS fact (event_id, type, dedupe_key, ordering_key, before, after, expires_at, about_user,
                                about_order, place)
                 WHERE NOT EXISTS (SELECT FROM outbox WHERE dedupe_key = fact.dedupe_key)
                   AND NOT EXISTS (SELECT FROM outbox_forgotten WHERE dedupe_key = fact.dedupe_key)) AS numbered
         ORDER BY place
        ON CONFLICT (dedupe_key) DO NOTHING
        """,
        {
            "now": now,
            "event_id": ids,
            "type": [fact.type for fact in facts],
            "dedupe_key": [fact.dedupe_key for fact in facts],
            "ordering_key": [fact.ordering_key for fact in facts],
            "before": [
                envelope.before_sequence(fact.type, event_id, now)
                for envelope, fact, event_id in zip(envelopes, facts, ids, strict=True)
            ],
            "after": [
                envelope.after_sequence(environment, fact.model_dump_json())
                for envelope, fact in zip(envelopes, facts, strict=True)
            ],
            "expires_at": [fact.told_until for fact in facts],
            "about_user": [fact.about_user for fact in facts],
            "about_order": [fact.about_order for fact in facts],
        },
    )
