"""Recording of facts: one event a fact for ever, numbered without a gap, in the bytes that will be sent (b.4, b.5)."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg import Connection

from domain.webhooks.events import NestedEnvelope, Payload, TicketCreated, TicketMessageAdded
from domain.webhooks.outbox import record_facts
from tests.conftest import Database
from tests.support.documented import assert_told_as_documented
from tests.support.race import at_once, until_blocked
from tests.support.wire import counted

NOW = datetime(2027, 1, 18, 17, 0, 0, 123_456, tzinfo=UTC)
REPEATS = 1_000
RIVALS = 8


def opened(ticket: UUID) -> TicketCreated:
    return TicketCreated(
        ticket_id=ticket,
        user_id=uuid4(),
        user_email="zoe@exemple.ca",
        user_first_name="Zoé",
        user_last_name="Tremblay",
        subject="Où est mon reçu ?",
        category="payment",
        priority="medium",
        status="open",
        created_at=NOW,
    )


def replied(ticket: UUID, message: UUID) -> TicketMessageAdded:
    return TicketMessageAdded(
        ticket_id=ticket,
        message_id=message,
        user_id=uuid4(),
        user_email="admin@exemple.ca",
        user_first_name="Claire",
        user_last_name="Gagnon",
        sender_role="admin",
        message="Le voici : « reçu nº 12 ».",
        timestamp=NOW,
        owner_id=uuid4(),
        owner_email="zoe@exemple.ca",
        owner_first_name="Zoé",
        subject="Où est mon reçu ?",
    )


def tell(connection: Connection[Any], *facts: Payload, now: datetime = NOW) -> None:
    with connection.transaction():
        record_facts(connection, facts, "dev", now)


def sequences(connection: Connection[Any], ticket: UUID) -> list[int]:
    rows = connection.execute(
        "SELECT sequence FROM outbox WHERE ordering_key = %s ORDER BY sequence", (f"ticket:{ticket}",)
    ).fetchall()
    return [sequence for (sequence,) in rows]


def bodies(connection: Connection[Any]) -> list[bytes]:
    rows = connection.execute("SELECT body FROM outbox ORDER BY ordering_key, sequence").fetchall()
    return [body for (body,) in rows]


def test_the_body_is_the_envelope_in_compact_utf_8(connection: psycopg.Connection) -> None:
    fact = opened(uuid4())

    tell(connection, fact)

    (row,) = connection.execute("SELECT event_id, type, sequence, body FROM outbox").fetchall()
    event_id, event_type, sequence, body = row
    envelope = NestedEnvelope.model_construct(
        type="ticket.created",
        event_id=event_id,
        sent_at=NOW,
        timestamp=NOW,
        schema_version=1,
        sequence=1,
        environment="dev",
        payload=fact,
    )
    assert (event_type, sequence) == ("ticket.created", 1)
    assert body == envelope.model_dump_json().encode()
    assert '"subject":"Où est mon reçu ?"'.encode() in body
    assert json.loads(body)["sent_at"] == "2027-01-18T17:00:00.123Z"


def test_facts_of_several_aggregates_are_each_numbered_from_one(connection: psycopg.Connection) -> None:
    one, other = uuid4(), uuid4()

    tell(connection, opened(one), opened(other), replied(one, uuid4()))

    assert (sequences(connection, one), sequences(connection, other)) == ([1, 2], [1])


def test_numbering_goes_on_where_the_last_transaction_ended(connection: psycopg.Connection) -> None:
    ticket = uuid4()
    tell(connection, opened(ticket))

    tell(connection, replied(ticket, uuid4()), replied(ticket, uuid4()))

    told = [json.loads(body) for body in bodies(connection)]
    assert [(event["type"], event["sequence"]) for event in told] == [
        ("ticket.created", 1),
        ("ticket.message_added", 2),
        ("ticket.message_added", 3),
    ]


def test_a_fact_told_again_changes_nothing_and_uses_no_number(connection: psycopg.Connection) -> None:
    ticket = uuid4()
    tell(connection, opened(ticket))
    before = bodies(connection)

    tell(connection, opened(ticket), now=NOW + timedelta(days=400))
    tell(connection, opened(ticket), replied(ticket, uuid4()))

    assert bodies(connection)[:1] == before
    assert sequences(connection, ticket) == [1, 2]


def test_a_fact_given_twice_at_once_is_told_once(connection: psycopg.Connection) -> None:
    ticket, message = uuid4(), uuid4()

    tell(connection, replied(ticket, message), replied(ticket, message), opened(ticket))

    assert sequences(connection, ticket) == [1, 2]


def test_a_fact_whose_body_was_forgotten_is_still_told_once(connection: psycopg.Connection) -> None:
    ticket = uuid4()
    tell(connection, opened(ticket))
    connection.execute("UPDATE outbox SET body = NULL, status = 'delivered', delivered_at = now()")

    tell(connection, opened(ticket))

    assert bodies(connection) == [None]


def test_telling_nothing_writes_nothing(connection: psycopg.Connection) -> None:
    tell(connection)

    assert bodies(connection) == []


def test_a_recorded_event_that_is_not_as_documented_is_found(connection: psycopg.Connection) -> None:
    """The negative control of what the `configured` fixture asserts after every test."""
    tell(connection, opened(uuid4()))
    assert_told_as_documented(connection)
    connection.execute("UPDATE outbox SET body = replace(convert_from(body, 'UTF8'), 'open', 'ajar')::bytea")

    with pytest.raises(AssertionError, match="ajar"):
        assert_told_as_documented(connection)


def test_what_the_business_takes_back_was_never_told(connection: psycopg.Connection) -> None:
    """e.3-2: a rolled back transaction leaves neither a row nor a hole in the numbers."""
    ticket = uuid4()
    tell(connection, opened(ticket))

    with connection.transaction(force_rollback=True):
        record_facts(connection, [replied(ticket, uuid4())], "dev", NOW)
    tell(connection, replied(ticket, uuid4()))

    assert sequences(connection, ticket) == [1, 2]


def test_any_number_of_facts_is_two_statements_and_no_round_trip_more(database: Database) -> None:
    with counted(database) as wire, psycopg.connect(wire.url, autocommit=True) as connection:
        with connection.pipeline(), connection.transaction():
            connection.execute("SELECT 1")
        of_one_statement = wire.round_trips
        wire.reset()

        with connection.pipeline(), connection.transaction():
            record_facts(connection, [opened(uuid4()) for _ in range(50)], "dev", NOW)

        assert (wire.statements, wire.round_trips) == (2, of_one_statement)


def test_a_thousand_repeats_at_once_are_one_event(database: Database) -> None:
    """B-4: rivals in threads, each repeating in a pipeline; the numbers have no hole for those that were ignored."""
    ticket, message = uuid4(), uuid4()

    def repeat() -> None:
        with psycopg.connect(database.url, autocommit=True) as connection, connection.pipeline():
            for _ in range(REPEATS // RIVALS):
                tell(connection, replied(ticket, message))

    for future in at_once(*[repeat] * RIVALS):
        future.result()

    with psycopg.connect(database.url) as connection:
        tell(connection, opened(ticket))
        assert sequences(connection, ticket) == [1, 2]


def test_rivals_who_tell_different_facts_of_one_aggregate_are_numbered_without_a_gap(
    database: Database,
) -> None:
    ticket = uuid4()

    def tell_ten() -> None:
        with psycopg.connect(database.url, autocommit=True) as connection:
            for _ in range(10):
                tell(connection, replied(ticket, uuid4()))

    for future in at_once(*[tell_ten] * RIVALS):
        future.result()

    with psycopg.connect(database.url) as connection:
        assert sequences(connection, ticket) == list(range(1, 10 * RIVALS + 1))
        told = [json.loads(body)["sequence"] for body in bodies(connection)]
        assert told == list(range(1, 10 * RIVALS + 1))


def test_whoever_records_second_waits_and_takes_the_next_number(database: Database) -> None:
    ticket = uuid4()
    with psycopg.connect(database.url) as first, psycopg.connect(database.url, autocommit=True) as watcher:
        record_facts(first, [opened(ticket)], "dev", NOW)

        def second() -> None:
            with psycopg.connect(database.url) as connection:
                tell(connection, replied(ticket, uuid4()))

        def let_go() -> None:
            until_blocked(watcher, 1)
            first.commit()

        for future in at_once(second, let_go):
            future.result()
        assert sequences(watcher, ticket) == [1, 2]


def test_whoever_tells_of_another_aggregate_waits_for_nobody(database: Database) -> None:
    with psycopg.connect(database.url) as first, psycopg.connect(database.url) as second:
        record_facts(first, [opened(uuid4())], "dev", NOW)
        second.execute("SET LOCAL lock_timeout = '1s'")

        record_facts(second, [opened(uuid4())], "dev", NOW)


def test_without_the_wait_rivals_would_take_the_same_number(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The negative control: the guard off, the database refuses the second of two equal numbers."""
    monkeypatch.setattr("domain.webhooks.outbox._one_at_a_time", lambda connection, keys: None)
    ticket = uuid4()
    with psycopg.connect(database.url) as first, psycopg.connect(database.url, autocommit=True) as watcher:
        record_facts(first, [opened(ticket)], "dev", NOW)

        def second() -> None:
            with psycopg.connect(database.url) as connection:
                tell(connection, replied(ticket, uuid4()))

        def let_go() -> None:
            until_blocked(watcher, 1)
            first.commit()

        refused, _ = at_once(second, let_go)
        assert isinstance(refused.exception(), psycopg.errors.UniqueViolation)
        assert sequences(watcher, ticket) == [1]
