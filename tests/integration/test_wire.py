"""The counter of statements and round trips counts what psycopg really does."""

from collections.abc import Iterator

import psycopg
import pytest

from tests.conftest import Database
from tests.support.wire import Wire, counted


@pytest.fixture
def wire(database: Database) -> Iterator[Wire]:
    with counted(database) as wire:
        yield wire


@pytest.fixture
def client(wire: Wire) -> Iterator[psycopg.Connection]:
    with psycopg.connect(wire.url, autocommit=True) as client:
        yield client


def test_opening_a_connection_is_not_counted(client: psycopg.Connection, wire: Wire) -> None:
    assert (wire.sql, wire.statements, wire.round_trips) == ([], 0, 0)


def test_each_statement_alone_is_one_round_trip(client: psycopg.Connection, wire: Wire) -> None:
    client.execute("SELECT 1")
    client.execute("SELECT %s::int", (2,))

    assert wire.sql == ["SELECT 1", "SELECT $1::int"]
    assert (wire.statements, wire.round_trips) == (2, 2)


def test_a_transaction_costs_the_round_trips_of_its_begin_and_commit(
    client: psycopg.Connection, wire: Wire
) -> None:
    with client.transaction():
        client.execute("SELECT %s::int", (1,))

    assert wire.sql == ["BEGIN", "SELECT $1::int", "COMMIT"]
    assert (wire.statements, wire.round_trips) == (1, 3)


def test_a_pipeline_of_any_length_is_one_round_trip(client: psycopg.Connection, wire: Wire) -> None:
    with client.pipeline():
        answers = [client.execute("SELECT %s::int", (n,)) for n in range(20)]

    assert [answer.fetchone() for answer in answers] == [(n,) for n in range(20)]
    assert (wire.statements, wire.round_trips) == (20, 1)


def test_looking_at_an_answer_inside_a_pipeline_is_a_round_trip(
    client: psycopg.Connection, wire: Wire
) -> None:
    with client.pipeline():
        client.execute("SELECT %s::int", (1,)).fetchone()
        client.execute("SELECT %s::int", (2,)).fetchone()

    # one wait per answer, and the pipeline's end
    assert (wire.statements, wire.round_trips) == (2, 3)


def test_preparing_a_statement_is_a_round_trip_but_no_statement(
    client: psycopg.Connection, wire: Wire
) -> None:
    for _ in range(2):
        client.execute("SELECT %s::int", (1,), prepare=True)

    assert (wire.statements, wire.round_trips) == (2, 3)


def test_a_long_answer_and_a_long_question_are_one_round_trip(client: psycopg.Connection, wire: Wire) -> None:
    row = client.execute("SELECT repeat('é', %s), %s", (1_000_000, "x" * 1_000_000)).fetchone()

    assert row is not None
    assert [len(text) for text in row] == [1_000_000, 1_000_000]
    assert (wire.statements, wire.round_trips) == (1, 1)


def test_a_failed_statement_was_sent_all_the_same(client: psycopg.Connection, wire: Wire) -> None:
    with pytest.raises(psycopg.errors.DivisionByZero):
        client.execute("SELECT 1 / %s", (0,))

    assert (wire.statements, wire.round_trips) == (1, 1)


def test_reset_forgets_what_came_before(client: psycopg.Connection, wire: Wire) -> None:
    client.execute("SELECT 1")
    wire.reset()
    client.execute("SELECT 2")

    assert (wire.sql, wire.round_trips) == (["SELECT 2"], 1)


def test_clients_that_are_still_connected_do_not_keep_the_counter_alive(database: Database) -> None:
    with counted(database) as wire:
        client = psycopg.connect(wire.url, autocommit=True)

    with pytest.raises(psycopg.OperationalError):
        client.execute("SELECT 1")
    client.close()
