"""Many visitors who want the same time of the same tutor, each with a connection of their own."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

import psycopg
from psycopg import Connection

from domain.accounts.callers import Buyer
from domain.cart.add_items import add_items
from domain.cart.models import WantedSession
from domain.errors import Refused
from local.postgres import Server
from tests.support.race import at_once, while_locked

HELD = "held"
NOBODY_WRITES_TIME = "LOCK TABLE time_claims IN SHARE MODE"  # everybody may read it

type Visit[T] = Callable[[Connection[Any]], T]


def rush[T](url: str, *visits: Visit[T], all_see_it_free: bool = False) -> list[T]:
    """Every visit at the same time; their results in order.

    `all_see_it_free` is the worst case: whoever wants to write time waits until everybody has read the calendars
    and wants to write, then all are let go.
    """
    with ExitStack() as stack:
        connections = [stack.enter_context(psycopg.connect(url, autocommit=True)) for _ in visits]
        actions: list[Callable[[], T]] = [
            lambda visit=visit, connection=connection: visit(connection)  # type: ignore[misc]
            for visit, connection in zip(visits, connections, strict=True)
        ]
        if not all_see_it_free:
            return [future.result() for future in at_once(*actions)]
        with while_locked(url, NOBODY_WRITES_TIME, len(visits)) as open_the_gate:
            futures = at_once(*actions, open_the_gate)
        futures.pop().result()
        return [future.result() for future in futures]  # type: ignore[misc]


def guest() -> Buyer:
    """Somebody who was never here before."""
    return Buyer.guest(uuid4().hex)


def session(course: UUID, start: datetime, minutes: int = 60, tutor: UUID | None = None) -> WantedSession:
    return WantedSession(course_id=course, start=start, duration_min=minutes, tutor_id=tutor)


def adds(buyer: Buyer, *sessions: WantedSession, now: datetime) -> Visit[str]:
    """A visit that puts sessions in the buyer's cart: HELD, or the code of the refusal."""

    def visit(connection: Connection[Any]) -> str:
        try:
            add_items(connection, buyer, lambda: buyer, sessions, now)
        except Refused as refused:
            return refused.code
        return HELD

    return visit


def overlapping_claims(connection: Connection[Any]) -> int:
    """How many pairs of claims own one minute of one tutor: none, ever."""
    row = connection.execute(
        """
        SELECT count(*) FROM time_claims AS one JOIN time_claims AS other
            ON one.id < other.id AND one.tutor_id = other.tutor_id AND one.during && other.during
        """
    ).fetchone()
    return int(row[0]) if row else 0


def sessions_without_their_hold(connection: Connection[Any], now: datetime) -> int:
    """How many sessions of a cart should be held and are not, or are held and should not be: none, ever."""
    row = connection.execute(
        """
        SELECT count(*)
          FROM (SELECT id, tutor_id, hold_expires_at,
                       tstzrange(start_datetime, start_datetime + make_interval(mins => duration_min)) AS during
                  FROM cart_sessions WHERE removed_at IS NULL AND hold_expires_at > %(now)s) AS item
          FULL JOIN (SELECT * FROM time_claims WHERE kind = 'hold' AND expires_at > %(now)s) AS hold
            ON (hold.id, hold.tutor_id, hold.during, hold.expires_at)
             = (item.id, item.tutor_id, item.during, item.hold_expires_at)
         WHERE item.id IS NULL OR hold.id IS NULL
        """,
        {"now": now},
    ).fetchone()
    return int(row[0]) if row else 0


@contextmanager
def no_deadlock(server: Server, database: str) -> Iterator[None]:
    """Fails when the server had to end a transaction of that database to break a deadlock."""
    assert server.log, "only a server of our own shows its log"
    before = server.log.stat().st_size
    yield
    with server.log.open("rb") as log:
        log.seek(before)
        said = [line for line in log.read().decode().splitlines() if f"] {database} " in line]
    assert not [line for line in said if "deadlock detected" in line]
