"""Locks are taken in the order that ARCHITECTURE.md gives: who waits for the first has not taken the second yet.

A rival holds the first. Once the operation waits for it, somebody else takes the second without waiting.
"""

from collections.abc import Callable, Iterator
from datetime import timedelta
from decimal import Decimal
from functools import partial
from typing import Any, LiteralString
from uuid import UUID

import psycopg
import pytest
from psycopg import Connection

from adapters.stripe_payments import stripe_payments
from domain.appointments.booked import By
from domain.appointments.change_status import cancel
from domain.checkout.follow_refunds import follow_refunds
from domain.checkout.refund_order import refund_order
from domain.checkout.settle import settle
from domain.payments.made_refunds import begin_reading
from domain.returns.bring_in_line import bring_in_line
from domain.scheduling import claims
from domain.webhooks import endpoints, replay
from domain.webhooks.outbox import record_facts
from tests.conftest import Database
from tests.support.delivering import Fact
from tests.support.guest import Guest
from tests.support.race import at_once, until_blocked, while_locked
from tests.support.school import School
from tests.support.selling import SHOP
from tests.support.world import MONDAY_NOON, World, toronto, wanted

NOW = MONDAY_NOON
HOUR = timedelta(hours=1)

LOCKED = "SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))"
TAKEN = "SELECT pg_try_advisory_xact_lock(hashtextextended(%s, 0))"


def is_free_while_waiting(
    url: str,
    operation: Callable[[Connection[Any]], object],
    first: LiteralString,
    second: LiteralString,
    held: LiteralString = "FOR UPDATE",
) -> bool:
    """Whether nobody has locked the rows of `second` when the operation waits for those of `first`."""

    def look() -> bool:
        with psycopg.connect(url) as watcher, psycopg.connect(url) as other:
            watcher.autocommit = True
            until_blocked(watcher, 1)
            try:
                other.execute(f"{second} FOR UPDATE NOWAIT")
            except psycopg.errors.LockNotAvailable:
                return False
            finally:
                other.rollback()
                rival.rollback()
            return True

    with psycopg.connect(url) as rival, psycopg.connect(url) as mover:
        rival.execute(f"{first} {held}")
        _, free = at_once(partial(operation, mover), look)
        return free.result() is True


@pytest.fixture
def school(database: Database) -> Iterator[School]:
    with psycopg.connect(database.url, autocommit=True) as connection:
        yield School(connection)


def test_tutors_are_locked_by_id_however_they_are_named_and_stored(
    school: School, database: Database
) -> None:
    high, low = UUID(int=2), UUID(int=1)
    for tutor, name in ((high, "Mme Haute"), (low, "M. Bas")):  # the table has the higher first
        school.connection.execute(
            "INSERT INTO users (id, email, first_name, last_name, role) VALUES (%s, %s, 'T', 'E', 'tutor')",
            (tutor, f"{tutor.int}@exemple.ca"),
        )
        school.connection.execute(
            "INSERT INTO tutors (id, display_name, bio_fr, hourly_base_rate_cad) VALUES (%s, %s, '', 30)",
            (tutor, name),
        )

    assert is_free_while_waiting(
        database.url,
        lambda connection: claims.lock_tutors(connection, [high, low]),
        "SELECT FROM tutors WHERE display_name = 'M. Bas'",
        "SELECT FROM tutors WHERE display_name = 'Mme Haute'",
    )


def test_expired_holds_are_cleared_by_start(school: School, database: Database) -> None:
    tutor = school.tutor()
    for start in (toronto(20, 11), toronto(20, 10)):  # the table has the later first
        school.claim(tutor, start, start + HOUR, NOW)
    wanted_claim = claims.Claim(UUID(int=9), tutor, toronto(20, 10), toronto(20, 12))

    assert is_free_while_waiting(
        database.url,
        lambda connection: claims.clear_expired(connection, wanted_claim, NOW),
        "SELECT FROM time_claims WHERE lower(during) = '2027-01-20 10:00 America/Toronto'",
        "SELECT FROM time_claims WHERE lower(during) = '2027-01-20 11:00 America/Toronto'",
    )


def settles(guest: Guest) -> UUID | None:
    payment = stripe_payments().find_intent(guest.intent_id)
    with psycopg.connect(guest.world.connection.info.dsn, autocommit=True) as connection:
        return settle(connection, UUID(guest.checkout_id), payment, SHOP, guest.world.clock())


@pytest.fixture
def payer(world: World) -> Guest:
    course = world.school.course()
    world.school.tutor(course)
    return Guest(world).chooses(wanted(course, toronto(20, 10))).starts().pays()


def test_a_settlement_locks_its_tutors_before_their_time(world: World, payer: Guest) -> None:
    assert is_free_while_waiting(
        world.connection.info.dsn,
        lambda _: settles(payer),
        "SELECT FROM tutors",
        "SELECT FROM time_claims",
    )
    assert world.count("appointments") == 1


def test_two_settlements_of_a_checkout_whose_cart_is_gone_make_one_order(world: World, payer: Guest) -> None:
    """There is no cart to wait for: the checkout itself is what the second waits for."""
    world.connection.execute("UPDATE checkouts SET cart_id = NULL")

    with while_locked(world.connection.info.dsn, "SELECT FROM checkouts FOR UPDATE", 2) as let_go:
        one, other, _ = at_once(partial(settles, payer), partial(settles, payer), let_go)

    assert one.result() == other.result() is not None
    assert (world.count("orders"), world.count("appointments")) == (1, 1)


def test_aggregates_that_are_told_of_are_locked_by_their_keys(school: School, database: Database) -> None:
    keys = [f"thing:{letter}" for letter in "abcdefghijklmnopqrstuvwxyz"]
    facts = [type("Told", (Fact,), {"type": "booking.created"})(f"told:{key}", key) for key in reversed(keys)]
    with psycopg.connect(database.url) as rival, psycopg.connect(database.url) as teller:
        rival.execute(LOCKED, (keys[0],))

        def look() -> list[str]:
            with psycopg.connect(database.url, autocommit=True) as watcher:
                until_blocked(watcher, 1)
                taken = [key for key in keys[1:] if watcher.execute(TAKEN, (key,)).fetchone() == (False,)]
            rival.rollback()
            return taken

        _, taken = at_once(lambda: record_facts(teller, facts, "dev", NOW), look)

    assert taken.result() == []


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("SELECT FROM users WHERE role = 'student'", "SELECT FROM tutors"),
        ("SELECT FROM tutors", "SELECT FROM time_claims"),
        ("SELECT FROM time_claims", "SELECT FROM appointments"),
    ],
)
def test_a_change_of_an_appointment_locks_its_people_its_tutor_its_claim_and_then_itself(
    world: World, payer: Guest, first: LiteralString, second: LiteralString
) -> None:
    settles(payer)
    (appointment,) = world.rows("SELECT id FROM appointments")

    def cancels(connection: Connection[Any]) -> None:
        cancel(connection, By("admin", None), appointment["id"], None, "dev", world.clock())

    assert is_free_while_waiting(world.connection.info.dsn, cancels, first, second)


def gives_back(world: World, connection: Connection[Any]) -> None:
    """An administrator gives ten dollars of the order back."""
    [order] = world.rows("SELECT id FROM orders")
    [admin] = world.rows("SELECT id FROM users WHERE role = 'admin'")
    refund_order(connection, order["id"], Decimal(10), "Geste", admin["id"], SHOP, world.clock())


def hears_of_refunds(world: World, connection: Connection[Any]) -> None:
    [order] = world.rows("SELECT stripe_payment_intent_id AS intent_id FROM orders")
    reading = begin_reading(world.connection, order["intent_id"])
    made = stripe_payments().refunds_of(order["intent_id"])
    follow_refunds(connection, order["intent_id"], made, reading, 4500, SHOP, world.clock())


def brings_in_line(world: World, connection: Connection[Any]) -> None:
    """What the dashboard gave back takes the credit of the cancelled session."""
    [order] = world.rows("SELECT id FROM orders")
    bring_in_line(connection, order["id"], world.clock())


@pytest.mark.parametrize(
    ("operation", "first", "second"),
    [
        (gives_back, "SELECT FROM orders", "SELECT FROM order_items"),
        (hears_of_refunds, "SELECT FROM orders", "SELECT FROM refund_readings"),
        (brings_in_line, "SELECT FROM orders", "SELECT FROM order_items"),
        (brings_in_line, "SELECT FROM order_items", "SELECT FROM credit_accounts"),
    ],
)
def test_money_that_goes_back_locks_its_order_before_all_else_and_the_lines_before_the_credit(
    world: World,
    payer: Guest,
    operation: Callable[[World, Connection[Any]], None],
    first: LiteralString,
    second: LiteralString,
) -> None:
    settles(payer)
    admin = By("admin", world.school.user("chef@exemple.ca", "admin"))
    if operation is brings_in_line:
        [appointment] = world.rows("SELECT id FROM appointments")
        cancel(world.connection, admin, appointment["id"], None, "dev", world.clock())
        world.connection.execute(
            "INSERT INTO refunds (id, payment_intent_id, order_id, amount_cents, reason, status, stripe_refund_id,"
            "                     made_elsewhere, next_attempt_at, created_at, processed_at)"
            " SELECT gen_random_uuid(), stripe_payment_intent_id, id, 4500, 'Geste', 'processed', 're_9', true,"
            "        created_at, created_at, created_at FROM orders"
        )

    assert is_free_while_waiting(
        world.connection.info.dsn,
        lambda connection: operation(world, connection),
        first,
        second,
        "FOR NO KEY UPDATE",  # a foreign key does not wait for it
    )


HOUR_OF_EVENTS = replay.Range(NOW - HOUR, NOW + HOUR)
WHAT_CHANGES_MANY_EVENTS: dict[str, tuple[str, Callable[[Connection[Any]], object]]] = {
    "hold": ("pending", lambda connection: endpoints.hold_events(connection, "BOOKING", {})),
    "drain": ("held", lambda connection: endpoints.drain(connection, "BOOKING", 5, NOW)),
    "give up": ("held", lambda connection: endpoints.cancel_waiting(connection, "BOOKING", {}, NOW)),
    "send again": (
        "held",
        lambda connection: replay.redeliver_range(connection, None, HOUR_OF_EVENTS, 5, NOW),
    ),
    "stop": ("pending", lambda connection: replay.stop(connection, None, UUID(int=1), NOW)),
}


@pytest.mark.parametrize("what", WHAT_CHANGES_MANY_EVENTS)
def test_events_are_locked_by_id_whoever_changes_many(school: School, database: Database, what: str) -> None:
    status, change = WHAT_CHANGES_MANY_EVENTS[what]
    school.connection.execute(
        "INSERT INTO webhook_redeliveries (id, events, created_at) VALUES (%s, 2, %s)", (UUID(int=1), NOW)
    )
    for place, event_id in ((1, f"evt_{'f' * 32}"), (2, f"evt_{'0' * 32}")):  # the table has the higher first
        school.connection.execute(
            "INSERT INTO outbox (event_id, type, dedupe_key, ordering_key, sequence, body, status, next_attempt_at,"
            "                    created_at, endpoint, redelivery_id, resting_status)"
            " VALUES (%s, 'booking.created', %s, 'thing:1', %s, '{}', %s, %s, %s, 'BOOKING', %s, %s)",
            (
                event_id,
                f"told:{place}",
                place,
                status,
                NOW,
                NOW,
                UUID(int=1) if what == "stop" else None,
                "held" if what == "stop" else None,
            ),
        )

    assert is_free_while_waiting(
        database.url,
        change,
        "SELECT FROM outbox WHERE sequence = 2",
        "SELECT FROM outbox WHERE sequence = 1",
    )
