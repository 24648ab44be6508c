"""What PostgreSQL itself refuses, whatever the code does. Each refusal has a twin that is accepted."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg import Connection, errors
from psycopg.rows import dict_row
from psycopg.sql import SQL, Identifier, Placeholder
from psycopg.types.json import Jsonb

from tests.support.guest import Guest
from tests.support.tables import nothing_written
from tests.support.world import World, toronto, wanted

TEN = toronto(20, 10)
ELEVEN = toronto(20, 11)
TWO = toronto(20, 14)
THREE = toronto(20, 15)


@dataclass
class Booked:
    """One order of one session at ten with Mme Roy; M. Côté teaches the same course and is free."""

    connection: Connection[Any]
    roy: UUID
    cote: UUID

    def row(self, table: str) -> dict[str, Any]:
        """The one row of a table, without what the database computes."""
        query = SQL("SELECT * FROM {}").format(Identifier(table))
        (row,) = self.connection.cursor(row_factory=dict_row).execute(query).fetchall()
        computed = {"claim_id", "during", "order_number"} if table != "time_claims" else set()
        return {name: value for name, value in row.items() if name not in computed}

    def insert(self, table: str, row: dict[str, Any]) -> None:
        row = {name: Jsonb(value) if isinstance(value, dict) else value for name, value in row.items()}
        self.connection.execute(
            SQL("INSERT INTO {} ({}) VALUES ({})").format(
                Identifier(table),
                SQL(", ").join(map(Identifier, row)),
                SQL(", ").join(map(Placeholder, row)),
            ),
            row,
        )

    def copy(self, table: str, **changes: Any) -> None:
        """One more row like the one that is there, with another id and these changes."""
        self.insert(table, self.row(table) | {"id": uuid4()} | changes)

    def change(self, table: str, assignment: str) -> None:
        self.connection.execute(f"UPDATE {table} SET {assignment}")  # noqa: S608  test tables

    def claim(self, claim_id: UUID, tutor: UUID, start: Any, end: Any) -> None:
        self.connection.execute(
            "INSERT INTO time_claims (id, tutor_id, during, kind) VALUES (%s, %s, tstzrange(%s, %s), 'appointment')",
            (claim_id, tutor, start, end),
        )


@pytest.fixture
def booked(world: World) -> Booked:
    course = world.school.course()
    roy = world.school.tutor(course, name="Mme Roy")
    cote = world.school.tutor(course, name="M. Côté")
    Guest(world).books(wanted(course, TEN, tutor=roy))
    return Booked(world.connection, roy, cote)


@contextmanager
def refused(booked: Booked, error: type[psycopg.Error], constraint: str) -> Iterator[None]:
    """The transaction inside must be refused by that constraint, at its end at the latest."""
    with nothing_written(booked.connection):
        with pytest.raises(error) as caught, booked.connection.transaction():
            yield
        assert caught.value.diag.constraint_name == constraint


@contextmanager
def contradicted(booked: Booked) -> Iterator[None]:
    """A row that does not agree with itself must be refused."""
    with nothing_written(booked.connection), pytest.raises(errors.CheckViolation):
        yield


# --- An appointment owns its minutes of its tutor -----------------------------------------------------------


def test_an_appointment_without_its_claim_is_refused(booked: Booked) -> None:
    with refused(booked, errors.ForeignKeyViolation, "appointments_own_their_time"):
        booked.copy("appointments", order_item_id=None, start_datetime=TWO, end_datetime=THREE)


def test_an_appointment_with_its_claim_is_accepted(booked: Booked) -> None:
    """Also when the claim comes second: it is looked at when the transaction ends."""
    appointment = uuid4()
    with booked.connection.transaction():
        booked.copy(
            "appointments", id=appointment, order_item_id=None, start_datetime=TWO, end_datetime=THREE
        )
        booked.claim(appointment, booked.roy, TWO, THREE)


@pytest.mark.parametrize(
    ("start", "end", "other_tutor"),
    [(TWO, THREE, True), (THREE, toronto(20, 16), False), (TWO, toronto(20, 16), False)],
    ids=["another tutor's claim", "a claim at another time", "a longer claim"],
)
def test_an_appointment_that_differs_from_its_claim_is_refused(
    booked: Booked, start: Any, end: Any, other_tutor: bool
) -> None:
    appointment = uuid4()
    with refused(booked, errors.ForeignKeyViolation, "appointments_own_their_time"):
        booked.claim(appointment, booked.cote if other_tutor else booked.roy, start, end)
        booked.copy(
            "appointments", id=appointment, order_item_id=None, start_datetime=TWO, end_datetime=THREE
        )


@pytest.mark.parametrize(
    "assignment",
    [
        "start_datetime = start_datetime + interval '1 hour', end_datetime = end_datetime + interval '1 hour'",
        "end_datetime = end_datetime + interval '30 minutes'",
        "tutor_id = (SELECT id FROM tutors WHERE display_name = 'M. Côté')",
    ],
)
def test_an_appointment_cannot_be_moved_without_its_claim(booked: Booked, assignment: str) -> None:
    with refused(booked, errors.ForeignKeyViolation, "appointments_own_their_time"):
        booked.change("appointments", assignment)


def test_an_appointment_and_its_claim_can_be_moved_together(booked: Booked) -> None:
    with booked.connection.transaction():
        booked.change(
            "appointments",
            "start_datetime = start_datetime + interval '4 hours', end_datetime = end_datetime + interval '4 hours'",
        )
        booked.change(
            "time_claims",
            "during = tstzrange(lower(during) + interval '4 hours', upper(during) + interval '4 hours')",
        )


def test_the_claim_of_an_appointment_can_be_neither_deleted_nor_moved(booked: Booked) -> None:
    with refused(booked, errors.ForeignKeyViolation, "appointments_own_their_time"):
        booked.connection.execute("DELETE FROM time_claims")
    with refused(booked, errors.ForeignKeyViolation, "appointments_own_their_time"):
        booked.change("time_claims", "during = tstzrange(lower(during), upper(during) + interval '1 hour')")


def test_the_claim_of_a_cancelled_appointment_can_be_deleted(booked: Booked) -> None:
    with booked.connection.transaction():
        booked.change("appointments", "status = 'cancelled', cancelled_at = now()")
        booked.connection.execute("DELETE FROM time_claims")


def test_a_cancelled_appointment_cannot_come_back_once_its_time_is_gone(booked: Booked) -> None:
    booked.change("appointments", "status = 'cancelled', cancelled_at = now()")
    booked.connection.execute("DELETE FROM time_claims")
    with refused(booked, errors.ForeignKeyViolation, "appointments_own_their_time"):
        booked.change("appointments", "status = 'scheduled', cancelled_at = NULL")


@pytest.mark.parametrize(
    ("start", "end"),
    [(TEN, ELEVEN), (toronto(20, 9, 30), toronto(20, 10, 30)), (toronto(20, 9), toronto(20, 12))],
)
def test_two_claims_of_one_minute_of_one_tutor_are_refused(booked: Booked, start: Any, end: Any) -> None:
    with refused(booked, errors.ExclusionViolation, "time_claims_one_owner_per_minute"):
        booked.claim(uuid4(), booked.roy, start, end)


def test_adjacent_claims_and_claims_of_another_tutor_are_accepted(booked: Booked) -> None:
    booked.claim(uuid4(), booked.roy, toronto(20, 9), TEN)
    booked.claim(uuid4(), booked.roy, ELEVEN, toronto(20, 12))
    booked.claim(uuid4(), booked.cote, TEN, ELEVEN)


# --- A payment leads to one order ---------------------------------------------------------------------------


def test_a_second_order_of_one_payment_is_refused(booked: Booked) -> None:
    with refused(booked, errors.UniqueViolation, "orders_stripe_payment_intent_id_key"):
        booked.copy("orders")


def test_an_order_of_another_payment_is_accepted(booked: Booked) -> None:
    booked.copy("orders", stripe_payment_intent_id="pi_other")


def test_an_order_paid_through_stripe_must_name_the_payment(booked: Booked) -> None:
    with contradicted(booked):
        booked.copy("orders", stripe_payment_intent_id=None)
    booked.copy("orders", stripe_payment_intent_id=None, source="manual")


def test_a_second_appointment_of_one_order_item_is_refused(booked: Booked) -> None:
    appointment = uuid4()
    with refused(booked, errors.UniqueViolation, "appointments_order_item_id_key"):
        booked.claim(appointment, booked.roy, TWO, THREE)
        booked.copy("appointments", id=appointment, start_datetime=TWO, end_datetime=THREE)


def test_two_checkouts_of_one_payment_or_of_one_order_are_refused(booked: Booked) -> None:
    items = Jsonb(booked.row("checkouts")["items"])
    with refused(booked, errors.UniqueViolation, "checkouts_payment_intent_id_key"):
        booked.copy("checkouts", items=items, order_id=None, status="open")
    with refused(booked, errors.UniqueViolation, "checkouts_order_id_key"):
        booked.copy("checkouts", items=items, payment_intent_id=None)
    booked.copy("checkouts", items=items, payment_intent_id=None, order_id=None, status="open")


def test_two_open_checkouts_of_one_cart_are_refused(booked: Booked) -> None:
    items = Jsonb(booked.row("checkouts")["items"])
    again = {"items": items, "payment_intent_id": None, "order_id": None, "status": "open"}
    row = booked.row("checkouts") | again
    booked.insert("checkouts", row | {"id": uuid4()})
    with refused(booked, errors.UniqueViolation, "checkouts_one_open_per_cart"):
        booked.insert("checkouts", row | {"id": uuid4()})
    booked.insert("checkouts", row | {"id": uuid4(), "status": "cancelled"})


def test_a_settled_checkout_has_an_order_and_no_other_has(booked: Booked) -> None:
    with contradicted(booked):
        booked.change("checkouts", "order_id = NULL")
    with contradicted(booked):
        booked.change("checkouts", "status = 'refunded'")
    booked.change("checkouts", "status = 'refunded', order_id = NULL")


# --- Money adds up ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "assignment",
    [
        "total_cad = 44.99",
        "discount_cad = 45.01, total_cad = -0.01",
        "refunded_cad = 45.01",
        "credits_applied_cad = 45.01",
        "currency = 'USD'",
    ],
)
def test_an_order_that_does_not_add_up_is_refused(booked: Booked, assignment: str) -> None:
    with contradicted(booked):
        booked.change("orders", assignment)


def test_an_order_that_adds_up_is_accepted(booked: Booked) -> None:
    booked.change("orders", "discount_cad = 4.50, total_cad = 40.50, refunded_cad = 40.50")


@pytest.mark.parametrize(
    ("table", "assignment"),
    [
        ("session_items", "end_datetime = end_datetime + interval '30 minutes'"),
        ("session_items", "duration_min = 45"),
        ("order_items", "discount_share_cad = 45.01"),
        ("order_items", "credit_share_cad = 45.01"),
        ("order_items", "position = -1"),
        ("earnings", "hours = 0"),
        ("earnings", "rate_cad = 0"),
        ("earnings", "amount_cad = -1"),
        ("earnings", "status = 'paid'"),
    ],
)
def test_an_item_that_does_not_agree_with_itself_is_refused(
    booked: Booked, table: str, assignment: str
) -> None:
    with contradicted(booked):
        booked.change(table, assignment)


def test_an_item_that_agrees_with_itself_is_accepted(booked: Booked) -> None:
    booked.change("session_items", "duration_min = 90, end_datetime = end_datetime + interval '30 minutes'")
    booked.change("earnings", "hours = 1.5, status = 'paid', paid_at = now()")


def test_a_tutor_earns_what_they_teach(booked: Booked) -> None:
    with refused(booked, errors.ForeignKeyViolation, "earnings_of_their_session"):
        booked.change("earnings", "tutor_id = gen_random_uuid()")


def test_a_checkout_charges_what_its_cart_costs(booked: Booked) -> None:
    with contradicted(booked):
        booked.change("checkouts", "amount_cents = 4499")


# --- Money goes back once -----------------------------------------------------------------------------------


def refund(booked: Booked, **changes: Any) -> None:
    booked.insert(
        "refunds",
        {
            "id": uuid4(),
            "payment_intent_id": "pi_1",
            "amount_cents": 4500,
            "reason": "Créneau",
            "next_attempt_at": TEN,
            "created_at": TEN,
        }
        | changes,
    )


def test_a_payment_that_bought_nothing_goes_back_once(booked: Booked) -> None:
    refund(booked)
    with refused(booked, errors.UniqueViolation, "refunds_one_per_unbooked_payment"):
        refund(booked)
    refund(booked, payment_intent_id="pi_2")


def test_an_item_is_refunded_once(booked: Booked) -> None:
    order, item = booked.row("orders")["id"], booked.row("order_items")["id"]
    refund(booked, order_id=order, order_item_id=item)
    with refused(booked, errors.UniqueViolation, "refunds_order_item_id_key"):
        refund(booked, order_id=order, order_item_id=item)
    refund(booked, order_id=order)


def test_a_refund_at_stripe_belongs_to_one_row_and_a_paid_one_says_which(booked: Booked) -> None:
    paid = {"status": "processed", "processed_at": TEN, "stripe_refund_id": "re_1"}
    refund(booked, **paid)
    with refused(booked, errors.UniqueViolation, "refunds_stripe_refund_id_key"):
        refund(booked, payment_intent_id="pi_2", **paid)
    with contradicted(booked):
        refund(booked, payment_intent_id="pi_2", **paid | {"stripe_refund_id": None})


# --- One account, one fact ----------------------------------------------------------------------------------


def test_two_accounts_with_one_email_are_refused_in_any_case(booked: Booked) -> None:
    person = {"first_name": "Zoé", "last_name": "Tremblay"}
    with refused(booked, errors.UniqueViolation, "users_email_key"):
        booked.insert("users", person | {"id": uuid4(), "email": "zoe@exemple.ca"})
    with nothing_written(booked.connection), pytest.raises((errors.UniqueViolation, errors.CheckViolation)):
        booked.insert("users", person | {"id": uuid4(), "email": "Zoe@Exemple.ca"})
    booked.insert("users", person | {"id": uuid4(), "email": "zoe2@exemple.ca"})


def test_one_fact_is_told_once(booked: Booked) -> None:
    event = {
        "event_id": f"evt_{uuid4().hex}",
        "type": "booking.created",
        "ordering_key": "order:x",
        "sequence": 1,
        "next_attempt_at": TEN,
        "created_at": TEN,
    }
    told = booked.connection.execute("SELECT dedupe_key FROM outbox ORDER BY sequence DESC").fetchone()
    assert told
    with refused(booked, errors.UniqueViolation, "outbox_dedupe_key_key"):
        booked.insert("outbox", event | {"dedupe_key": told[0]})
    booked.insert("outbox", event | {"dedupe_key": "booking.created:x"})
    with refused(booked, errors.UniqueViolation, "outbox_ordering_key_sequence_key"):
        booked.insert("outbox", event | {"event_id": f"evt_{uuid4().hex}", "dedupe_key": "booking.created:y"})


def test_an_order_uses_one_coupon_once(world: World) -> None:
    course = world.school.course()
    tutor = world.school.tutor(course)
    world.school.coupon("SAVE10", "percent", "10")
    guest = Guest(world).chooses(wanted(course, TEN, tutor=tutor)).uses_coupon("SAVE10").starts().pays()
    world.webhooks()
    booked = Booked(world.connection, tutor, tutor)
    assert guest.started["discount_cad"] == "4.50"
    with refused(booked, errors.UniqueViolation, "coupon_redemptions_pkey"):
        booked.insert("coupon_redemptions", booked.row("coupon_redemptions"))
