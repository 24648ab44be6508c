"""Spending what a limit allows: exactly so much, whoever else spends, and when there is more (0017)."""

from collections.abc import Callable
from contextlib import ExitStack
from datetime import datetime, timedelta
from functools import partial
from hashlib import sha256
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from psycopg import Connection

from domain.errors import Refused
from domain.throttling.allowances import delete_unspent, give_back, spend
from domain.throttling.limits import HOUR, MINUTE, SIGN_IN_FAILURES, Limit
from tests.conftest import Database
from tests.support.race import at_once, until_blocked, while_locked
from tests.support.tables import contents
from tests.support.world import MONDAY_NOON

NOW = MONDAY_NOON
TEN_A_MINUTE = Limit("TEN_A_MINUTE", MINUTE)
SOMEBODY, SOMEBODY_ELSE = "203.0.113.7", "203.0.113.8"
MOMENT = timedelta.resolution
SPACING = MINUTE / 10
RIVALS, MOST = 50, 10


def wait(
    connection: Connection[Any],
    *,
    at: datetime = NOW,
    subject: str = SOMEBODY,
    limit: Limit = TEN_A_MINUTE,
    most: int = MOST,
    units: int = 1,
) -> int:
    """How long it is said to take until one may: 0 when it was allowed."""
    try:
        spend(connection, limit, subject, most, at, units)
    except Refused as refused:
        if refused.code != "RATE_LIMITED":
            raise
        return refused.retry_after or 0
    return 0


# --- How much ---------------------------------------------------------------------------------------------------


def test_all_of_it_can_be_had_at_once_and_no_more(connection: Connection[Any]) -> None:
    assert [wait(connection) for _ in range(MOST + 2)] == [0] * MOST + [6, 6]


def test_then_it_comes_back_evenly(connection: Connection[Any]) -> None:
    for _ in range(MOST):
        wait(connection)

    assert wait(connection, at=NOW + SPACING - MOMENT) == 1
    assert wait(connection, at=NOW + SPACING) == 0
    assert wait(connection, at=NOW + SPACING) == 6
    assert [wait(connection, at=NOW + 4 * SPACING) for _ in range(4)] == [0, 0, 0, 6]


def test_after_a_period_all_of_it_is_back(connection: Connection[Any]) -> None:
    for _ in range(MOST):
        wait(connection)

    assert [wait(connection, at=NOW + MINUTE) for _ in range(MOST + 1)] == [0] * MOST + [6]


def test_a_refusal_costs_nothing(connection: Connection[Any]) -> None:
    for _ in range(MOST + 100):
        wait(connection)

    assert wait(connection, at=NOW + SPACING) == 0


def test_what_is_given_back_can_be_spent_again(connection: Connection[Any]) -> None:
    for _ in range(MOST):
        wait(connection)
    give_back(connection, TEN_A_MINUTE, SOMEBODY, MOST, NOW)

    assert [wait(connection), wait(connection)] == [0, 6]


def test_giving_back_what_has_come_back_already_gives_nothing_more(connection: Connection[Any]) -> None:
    wait(connection)
    for _ in range(3):
        give_back(connection, TEN_A_MINUTE, SOMEBODY, MOST, NOW + MINUTE)
    late = NOW + MINUTE + 2 * SPACING

    assert [wait(connection, at=late) for _ in range(MOST + 1)] == [0] * MOST + [6]


def test_several_units_are_had_together_or_not_at_all(connection: Connection[Any]) -> None:
    assert wait(connection, units=7) == 0
    assert wait(connection, units=4) == 6
    assert wait(connection, units=3) == 0
    assert wait(connection, units=3) == 18


def test_more_than_there_ever_is_means_all_of_it_and_is_given_back_so(connection: Connection[Any]) -> None:
    assert wait(connection, units=50) == 0
    assert wait(connection) == 6
    give_back(connection, TEN_A_MINUTE, SOMEBODY, MOST, NOW, units=50)

    assert [wait(connection) for _ in range(MOST + 1)] == [0] * MOST + [6]


def test_nobody_spends_what_is_somebody_else_s_or_of_another_limit(connection: Connection[Any]) -> None:
    for _ in range(MOST):
        wait(connection)

    assert wait(connection, subject=SOMEBODY_ELSE) == 0
    assert wait(connection, limit=SIGN_IN_FAILURES) == 0
    assert wait(connection) == 6


def test_a_clock_that_was_set_back_keeps_nobody_out(connection: Connection[Any]) -> None:
    """As the local stack's is, after a demonstration of next month."""
    for _ in range(MOST):
        wait(connection, at=NOW + timedelta(days=30))

    assert [wait(connection) for _ in range(MOST + 1)] == [0] * MOST + [6]


def test_requests_that_arrive_out_of_order_do_not_start_anew(connection: Connection[Any]) -> None:
    """Each function reads its own request's time; a few seconds apart they are still one crowd."""
    for _ in range(MOST):
        wait(connection)

    assert wait(connection, at=NOW - timedelta(seconds=5)) == 11


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@example(most=7, seconds=60)
@example(most=119, seconds=3600)
@given(most=st.integers(1, 150), seconds=st.integers(1, 86_400))
def test_of_any_limit_exactly_so_many_are_had_at_once(
    connection: Connection[Any], most: int, seconds: int
) -> None:
    limit, subject = Limit("ANY", timedelta(seconds=seconds)), uuid4().hex

    def next_wait(at: datetime = NOW) -> int:
        return wait(connection, limit=limit, subject=subject, most=most, at=at)

    assert [next_wait() for _ in range(most)] == [0] * most
    promised = next_wait()
    assert 0 < promised <= seconds // most + 1
    assert next_wait(NOW + timedelta(seconds=promised)) == 0


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(pauses=st.lists(st.integers(0, 90_000), min_size=30, max_size=80))
def test_no_period_ever_sees_more_than_what_was_saved_and_what_came_back(
    connection: Connection[Any], pauses: list[int]
) -> None:
    """Whatever the rhythm of the calls (pauses in milliseconds)."""
    subject, at, allowed = uuid4().hex, NOW, []
    for pause in pauses:
        at += timedelta(milliseconds=pause)
        if wait(connection, subject=subject, at=at) == 0:
            allowed.append(at)

    for first, begun in enumerate(allowed):
        for last, ended in enumerate(allowed[first:], start=1):
            assert last <= MOST + (ended - begun) / SPACING + 1e-6


# --- Rivals -----------------------------------------------------------------------------------------------------


def at_the_same_instant[T](url: str, table: str, visit: Callable[[Connection[Any]], T]) -> list[T]:
    """Fifty visits, each on a connection of its own, let go together once all of them want to write that table."""
    gate = f"LOCK TABLE {table} IN SHARE MODE"  # everybody may read it
    with ExitStack() as stack:
        rivals = [stack.enter_context(psycopg.connect(url, autocommit=True)) for _ in range(RIVALS)]
        let_go = stack.enter_context(while_locked(url, gate, RIVALS))
        futures = at_once(*(partial(visit, rival) for rival in rivals), let_go)
    return [future.result() for future in futures[:-1]]  # type: ignore[misc]


def test_fifty_at_once_get_exactly_what_is_allowed(database: Database) -> None:
    waits = at_the_same_instant(database.url, "allowances", wait)

    assert sorted(waits) == [0] * MOST + [6] * (RIVALS - MOST)


def test_fifty_at_once_get_exactly_what_is_left(database: Database, connection: Connection[Any]) -> None:
    for _ in range(4):
        wait(connection)
    connection.commit()

    assert at_the_same_instant(database.url, "allowances", wait).count(0) == MOST - 4


def test_who_looks_first_and_writes_then_would_let_all_fifty_through(
    database: Database, connection: Connection[Any]
) -> None:
    """The negative control: the limit as it must not be."""
    connection.execute("CREATE TABLE tries (n int)")
    connection.commit()

    def look_then_write(rival: Connection[Any]) -> bool:
        row = rival.execute("SELECT count(*) FROM tries").fetchone()
        allowed = bool(row and row[0] < MOST)
        if allowed:
            rival.execute("INSERT INTO tries VALUES (1)")
        return allowed

    assert at_the_same_instant(database.url, "tries", look_then_write).count(True) == RIVALS


@pytest.mark.parametrize(("ends", "waits"), [(Connection.commit, 6), (Connection.rollback, 0)])
def test_whoever_may_have_spent_the_last_one_is_waited_for(
    database: Database, connection: Connection[Any], ends: Callable[[Connection[Any]], None], waits: int
) -> None:
    """A request with an Idempotency-Key spends in a transaction that goes on."""
    for _ in range(MOST - 1):
        wait(connection)
    connection.commit()
    assert wait(connection) == 0
    with (
        psycopg.connect(database.url, autocommit=True) as rival,
        psycopg.connect(database.url, autocommit=True) as watcher,
    ):

        def end() -> int:
            until_blocked(watcher, 1)
            ends(connection)
            return 0

        spent, _ = at_once(lambda: wait(rival), end)

    assert spent.result() == waits


# --- What is kept -----------------------------------------------------------------------------------------------


def test_neither_address_nor_email_is_kept(connection: Connection[Any]) -> None:
    wait(connection)
    wait(connection, subject="zoe@exemple.ca")

    rows = contents(connection)["allowances"]

    assert len(rows) == 2
    assert all(name not in str(rows) for name in (SOMEBODY, "zoe", "exemple"))
    digests = connection.execute("SELECT subject FROM allowances").fetchall()
    assert {bytes(digest) for (digest,) in digests} == {
        sha256(text.encode()).digest() for text in (SOMEBODY, "zoe@exemple.ca")
    }


def test_who_has_everything_again_is_forgotten(connection: Connection[Any]) -> None:
    wait(connection)
    wait(connection, subject=SOMEBODY_ELSE, units=2)

    assert delete_unspent(connection, NOW + SPACING - MOMENT, 100) == 0
    assert delete_unspent(connection, NOW + SPACING, 100) == 1
    assert delete_unspent(connection, NOW + HOUR, 100) == 1
    assert contents(connection)["allowances"] == []


def test_they_are_forgotten_a_batch_at_a_time(connection: Connection[Any]) -> None:
    for number in range(5):
        wait(connection, subject=f"203.0.113.{number}")

    assert [delete_unspent(connection, NOW + HOUR, 2) for _ in range(4)] == [2, 2, 1, 0]


def test_counting_waits_for_no_disk(connection: Connection[Any]) -> None:
    unlogged = connection.execute("SELECT relpersistence = 'u' FROM pg_class WHERE relname = 'allowances'")

    assert unlogged.fetchone() == (True,)
