"""A deadlock that nobody foresaw costs the visitor a second, never an error."""

from collections.abc import Iterator

import psycopg
import pytest
from psycopg.errors import DeadlockDetected

from domain.accounts.callers import Buyer
from domain.cart.view_cart import view_cart
from tests.conftest import Database
from tests.support.race import at_once, until_blocked
from tests.support.rush import HELD, adds, overlapping_claims, session
from tests.support.school import School
from tests.support.world import MONDAY_NOON, toronto

NOW = MONDAY_NOON
BUYER = Buyer.guest("somebody")


@pytest.fixture
def school(database: Database) -> Iterator[School]:
    with psycopg.connect(database.url, autocommit=True) as connection:
        yield School(connection)


@pytest.mark.parametrize("times", [1, 2])
def test_the_victim_of_a_deadlock_is_tried_once_more(school: School, database: Database, times: int) -> None:
    """The rival holds the time the visitor waits for, then wants all carts: a circle, broken at the visitor."""
    course = school.course()
    tutor = school.tutor(course)
    view_cart(school.connection, BUYER, NOW)

    with (
        psycopg.connect(database.url, options="-c deadlock_timeout=10s") as rival,
        psycopg.connect(database.url, autocommit=True, options="-c deadlock_timeout=1s") as visitor,
        psycopg.connect(database.url, autocommit=True) as watcher,
    ):
        School(rival).claim(tutor, toronto(20, 9), toronto(20, 10), NOW)

        def close_the_circle() -> None:
            for _ in range(times):
                rival.execute("SAVEPOINT before")
                until_blocked(watcher, 1)
                rival.execute("LOCK TABLE carts IN EXCLUSIVE MODE")  # granted once the visitor was the victim
                rival.execute("ROLLBACK TO before")
            rival.rollback()

        visit, rivalry = at_once(
            lambda: adds(BUYER, session(course, toronto(20, 9)), now=NOW)(visitor), close_the_circle
        )

    rivalry.result()
    if times == 1:
        assert visit.result() == HELD
        assert len(view_cart(school.connection, BUYER, NOW).items) == 1
    else:
        with pytest.raises(DeadlockDetected):
            visit.result()
        assert view_cart(school.connection, BUYER, NOW).items == []
    assert overlapping_claims(school.connection) == 0
