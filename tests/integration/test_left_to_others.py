"""What somebody is working on is left to them: a run goes on with the rest instead of waiting for it."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any, LiteralString

import psycopg
import pytest
from psycopg import Connection

from domain.checkout.reconcile import _take_next
from domain.payments.refunds import _lease_due
from domain.scheduling import claims
from domain.webhooks import endpoints, expiry, relay
from domain.webhooks.delivery import Route
from tests.conftest import Database
from tests.support.school import School
from tests.support.world import MONDAY_NOON, toronto

NOW = MONDAY_NOON
HOUR = timedelta(hours=1)
ROUTES = {
    "booking.created": Route("BOOKING", "BOOKING"),
    "password.reset_requested": Route("BOOKING", "BOOKING"),
}

EVENTS: LiteralString = """
INSERT INTO outbox (event_id, type, dedupe_key, ordering_key, sequence, body, status, next_attempt_at, created_at,
                    endpoint, expires_at)
SELECT 'evt_' || lpad(n::text, 32, '0'), %(type)s, 'told:' || n, 'thing:' || n, 1, '{}', %(status)s::delivery_status,
       %(now)s, %(now)s, 'BOOKING', %(expires)s
  FROM generate_series(1, 2) AS n
"""


@pytest.fixture
def school(database: Database) -> Iterator[School]:
    with psycopg.connect(database.url, autocommit=True) as connection:
        connection.execute("SET lock_timeout = '2s'")
        yield School(connection)


def holds(school: School) -> None:
    for tutor in (school.tutor(), school.tutor()):
        school.claim(tutor, toronto(20, 10), toronto(20, 11), NOW)


def refunds(school: School) -> None:
    school.connection.execute(
        "INSERT INTO refunds (id, payment_intent_id, amount_cents, reason, next_attempt_at, created_at)"
        " SELECT gen_random_uuid(), 'pi_' || n, 100, 'Geste', %(now)s, %(now)s FROM generate_series(1, 2) AS n",
        {"now": NOW},
    )


def events(
    status: str, event_type: str = "booking.created", *, expired: bool = False
) -> Callable[[School], None]:
    """Two events in that status."""

    def tell(school: School) -> None:
        values = {"type": event_type, "status": status, "now": NOW, "expires": NOW if expired else None}
        school.connection.execute(EVENTS, values)

    return tell


def silent(school: School) -> None:
    """Two events of an address that did not answer, whose canary is due."""
    events("retrying")(school)
    school.connection.execute(
        "INSERT INTO webhook_endpoints (area, state, reason, opened_at, probe_at)"
        " VALUES ('BOOKING', 'open', 'failing', %(now)s, %(now)s)",
        {"now": NOW},
    )


def checkouts(status: str) -> Callable[[School], None]:
    """Two that have been in that status for a while, about whose intents Stripe is asked."""

    def start(school: School) -> None:
        school.connection.execute(
            "INSERT INTO checkouts (product, id, status, cart_version, session_hash, items, subtotal_cad, discount_cad,"
            "                       total_cad, amount_cents, payment_intent_id, created_at, expires_at)"
            " SELECT 'tutoring', gen_random_uuid(), %(status)s, 1, sha256(n::text::bytea), '[{}]', 45, 0, 45, 4500,"
            "        'pi_' || n, %(began)s, %(ends)s FROM generate_series(1, 2) AS n",
            {"status": status, "began": NOW - HOUR, "ends": NOW + HOUR},
        )

    return start


def asked_about(connection: Connection[Any]) -> int:
    return sum(_take_next(connection, NOW) is not None for _ in range(2))


def due_refunds(connection: Connection[Any]) -> int:
    return sum(_lease_due(connection, NOW) is not None for _ in range(2))


RUNS: dict[str, tuple[Callable[[School], None], LiteralString, Callable[[Connection[Any]], int], int]] = {
    "delete expired holds": (holds, "time_claims", lambda c: claims.sweep_expired(c, NOW, 10), 1),
    "ask about what is being paid": (checkouts("open"), "checkouts", asked_about, 1),
    "ask about what was withdrawn": (checkouts("cancelled"), "checkouts", asked_about, 1),
    "pay refunds": (refunds, "refunds", due_refunds, 1),
    "expire events": (events("held", expired=True), "outbox", lambda c: expiry.expire(c, NOW), 1),
    "forget secrets": (
        events("cancelled", "password.reset_requested", expired=True),
        "outbox",
        lambda c: expiry.forget_secrets(c, NOW),
        1,
    ),
    "put what is due on the queue": (
        events("pending"),
        "outbox",
        lambda c: len(relay.take_due(c, ROUTES, 5, NOW, NOW + relay.LOOK_AHEAD, 10)),
        1,
    ),
    "put what is new on the queue": (events("pending"), "outbox", lambda c: len(relay.take_new(c, NOW)), 1),
    "send a canary": (silent, "outbox", lambda c: len(endpoints.take_canaries(c, ROUTES, NOW, NOW)), 1),
    "send a canary to an address that somebody changes": (
        silent,
        "webhook_endpoints",
        lambda c: len(endpoints.take_canaries(c, ROUTES, NOW, NOW)),
        0,
    ),
}
"""What each run finds, whose first row somebody has locked, and how many it does."""


@pytest.mark.parametrize("run", RUNS)
def test_what_somebody_is_working_on_is_left_to_them(school: School, database: Database, run: str) -> None:
    make, table, do, done = RUNS[run]
    make(school)
    with psycopg.connect(database.url) as rival:
        rival.execute(f"SELECT FROM {table} LIMIT 1 FOR UPDATE")

        assert do(school.connection) == done


def test_what_was_left_is_done_by_the_next_run(school: School, database: Database) -> None:
    refunds(school)
    with psycopg.connect(database.url) as rival:
        rival.execute("SELECT FROM refunds LIMIT 1 FOR UPDATE")
        assert due_refunds(school.connection) == 1

    assert due_refunds(school.connection) == 1


@pytest.mark.parametrize("status", ["open", "cancelled"])
def test_what_was_never_asked_about_comes_first_and_then_what_was_asked_about_longest_ago(
    school: School, status: str
) -> None:
    """The table has the last of them first."""
    for number, (age, asked) in enumerate([(6, 1), (5, 2), (4, None), (7, None)]):
        school.connection.execute(
            "INSERT INTO checkouts (product, id, status, cart_version, session_hash, items, subtotal_cad, discount_cad,"
            "                       total_cad, amount_cents, payment_intent_id, created_at, expires_at, asked_at)"
            " VALUES ('tutoring', gen_random_uuid(), %s, 1, sha256('a'), '[{}]', 45, 0, 45, 4500, %s, %s, %s, %s)",
            (
                status,
                f"pi_{number}",
                NOW - age * HOUR,
                NOW + HOUR,
                NOW - asked * HOUR if asked else None,
            ),
        )
    school.connection.execute(
        "SET enable_indexscan = off; SET enable_bitmapscan = off"
    )  # it would be in order

    asked_about = [_take_next(school.connection, NOW) for _ in range(5)]

    assert [one and one.payment_intent_id for one in asked_about] == ["pi_3", "pi_2", "pi_1", "pi_0", None]
