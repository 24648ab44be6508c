"""A student who buys is one customer at Stripe, made once and named on each payment (spec 5.4)."""

from typing import Any
from uuid import UUID

import psycopg
import pytest
from psycopg.pq import TransactionStatus

from adapters.stripe_payments import stripe_payments
from domain.payments.customers import customer_of
from local.stripe_double.faults import Kind
from tests.conftest import Database
from tests.support.guest import Guest
from tests.support.race import at_once
from tests.support.student import Student
from tests.support.world import World, toronto, wanted


@pytest.fixture
def course(world: World) -> UUID:
    course = world.school.course()
    world.school.tutor(course)
    return course


@pytest.fixture
def student(world: World, course: UUID) -> Student:
    return Student(world).chooses(wanted(course, toronto(20, 10)))


def customers(world: World) -> list[dict[str, Any]]:
    return world.stripe.all("customer")


def stored(world: World) -> list[str | None]:
    return [
        row["id"] for row in world.rows("SELECT stripe_customer_id AS id FROM users WHERE role = 'student'")
    ]


def test_the_first_payment_makes_the_customer(world: World, student: Student) -> None:
    student.starts()

    (customer,) = customers(world)
    assert (customer["email"], customer["name"]) == ("zoe@exemple.ca", "Zoé Tremblay")
    assert customer["metadata"] == {"user_id": str(student.user_id)}
    assert stored(world) == [customer["id"]]
    (intent,) = world.stripe.all("payment_intent")
    assert (intent["customer"], intent["setup_future_usage"]) == (customer["id"], None)


def test_the_next_payments_are_the_same_customers(world: World, course: UUID, student: Student) -> None:
    student.starts().pays()
    world.webhooks()
    student.chooses(wanted(course, toronto(20, 14))).starts()
    student.starts()

    (customer,) = customers(world)
    assert [intent["customer"] for intent in world.stripe.all("payment_intent")] == [customer["id"]] * 2
    assert [call.path for call in world.stripe.calls].count("/v1/customers") == 1


def test_the_customer_of_an_account_without_a_name_has_none(world: World, student: Student) -> None:
    """Le Dojo asks for none."""
    world.connection.execute("UPDATE users SET first_name = '', last_name = ''")
    student.starts()

    assert [(one["email"], one["name"]) for one in customers(world)] == [("zoe@exemple.ca", None)]


def test_a_guest_is_no_customer(world: World, course: UUID) -> None:
    Guest(world).chooses(wanted(course, toronto(20, 10))).starts()

    assert customers(world) == []
    assert [intent["customer"] for intent in world.stripe.all("payment_intent")] == [None]


def test_who_pays_with_credits_alone_is_no_customer(world: World, student: Student) -> None:
    student.has_credits("45").starts(credits_cad="all")

    assert world.stripe.calls == []
    assert stored(world) == [None]


def test_two_payments_at_once_make_one_customer(world: World, student: Student, database: Database) -> None:
    def meets() -> str:
        with psycopg.connect(database.url, autocommit=True) as connection:
            return customer_of(connection, stripe_payments(), student.user_id)

    made = {future.result() for future in at_once(meets, meets, meets)}

    assert made == set(stored(world))
    assert [customer["id"] for customer in customers(world)] == list(made)


def test_whoever_is_stored_first_is_everybodys_customer(world: World, student: Student) -> None:
    """Stripe forgets an idempotency key after a day: a second customer is then made, and not used."""

    class MeetsSomebody:
        def create_customer(self, user_id: UUID, email: str, name: str, instead_of: str | None) -> str:
            assert world.connection.info.transaction_status == TransactionStatus.IDLE  # no call inside one
            world.connection.execute(
                "UPDATE users SET stripe_customer_id = 'cus_first' WHERE id = %s", (user_id,)
            )
            return "cus_second"

    payments: Any = MeetsSomebody()
    assert customer_of(world.connection, payments, student.user_id) == "cus_first"
    assert stored(world) == ["cus_first"]


@pytest.mark.parametrize("fault", ["timeout_after_commit", "connection_reset", "rate_limit"])
def test_while_stripe_fails_the_form_can_be_sent_again(world: World, student: Student, fault: Kind) -> None:
    world.stripe.faults.add(fault, path="/v1/customers", times=2)

    assert student.sends_form().code == "PAYMENT_UNAVAILABLE"
    assert world.stripe.all("payment_intent") == []
    world.stripe.faults.clear()
    student.starts()

    (customer,) = customers(world)
    assert stored(world) == [customer["id"]]


def test_a_customer_that_cannot_be_made_keeps_nobody_from_paying(world: World, student: Student) -> None:
    """Stripe keeps the answer 500 under the key for a day."""
    world.stripe.faults.add("server_error", path="/v1/customers")
    student.starts().pays()
    world.webhooks()

    assert (world.count("orders"), customers(world), stored(world)) == (1, [], [None])


def test_an_email_that_changed_between_two_tries_is_no_conflict(world: World, student: Student) -> None:
    """The first customer was made and never stored; the key is not the same for other details."""
    stripe_payments().create_customer(student.user_id, "avant@exemple.ca", "Zoé Tremblay", None)

    student.starts()

    assert len(customers(world)) == 2
    assert stored(world) == [world.stripe.all("payment_intent")[0]["customer"]]


# --- A customer that somebody deleted at Stripe -----------------------------------------------------------------


def deletes_them_all(world: World) -> list[str]:
    """Somebody tidies up in Stripe's dashboard; answers who is gone."""
    gone = [customer["id"] for customer in living(world)]
    for customer_id in gone:
        world.stripe_client.v1.customers.delete(customer_id)
    return gone


def living(world: World) -> list[dict[str, Any]]:
    return [customer for customer in customers(world) if not customer.get("deleted")]


@pytest.fixture
def tidied(world: World, course: UUID, student: Student) -> Student:
    """Has bought before; the customer of that purchase was deleted since. Wants to buy again."""
    student.starts().pays()
    world.webhooks()
    deletes_them_all(world)
    return student.chooses(wanted(course, toronto(20, 14)))


def test_a_deleted_customer_is_made_anew_and_pays(world: World, tidied: Student) -> None:
    tidied.starts().pays()
    world.webhooks()

    (customer,) = living(world)
    assert (customer["email"], customer["metadata"]) == ("zoe@exemple.ca", {"user_id": str(tidied.user_id)})
    assert stored(world) == [customer["id"]]
    assert world.stripe.all("payment_intent")[-1]["customer"] == customer["id"]
    assert world.count("orders") == 2


def test_one_deleted_before_it_was_stored_is_made_anew(world: World, student: Student) -> None:
    """Stripe answers the same key with the one that is gone."""
    stripe_payments().create_customer(student.user_id, "zoe@exemple.ca", "Zoé Tremblay", None)
    deletes_them_all(world)

    student.starts()

    (customer,) = living(world)
    assert stored(world) == [customer["id"]]


def test_each_time_one_is_deleted_another_is_made(world: World, course: UUID, tidied: Student) -> None:
    for day in (21, 22):
        tidied.chooses(wanted(course, toronto(day, 14))).starts()
        assert stored(world) == [customer["id"] for customer in living(world)]
        deletes_them_all(world)

    assert len(customers(world)) == 3


def test_two_payments_at_once_make_one_new_customer(
    world: World, tidied: Student, database: Database
) -> None:
    (gone,) = stored(world)

    def meets() -> str:
        with psycopg.connect(database.url, autocommit=True) as connection:
            return customer_of(connection, stripe_payments(), tidied.user_id, gone)

    made = {future.result() for future in at_once(meets, meets, meets)}

    assert made == set(stored(world))
    assert [customer["id"] for customer in living(world)] == list(made)


def test_whoever_is_stored_first_in_the_place_of_one_who_is_gone_is_everybodys(
    world: World, tidied: Student
) -> None:
    (gone,) = stored(world)

    class MeetsSomebody:
        def create_customer(self, user_id: UUID, email: str, name: str, instead_of: str | None) -> str:
            assert instead_of == gone
            world.connection.execute(
                "UPDATE users SET stripe_customer_id = 'cus_first' WHERE id = %s", (user_id,)
            )
            return "cus_second"

    payments: Any = MeetsSomebody()
    assert customer_of(world.connection, payments, tidied.user_id, gone) == "cus_first"
    assert customer_of(world.connection, payments, tidied.user_id, gone) == "cus_first"  # nothing to make
    assert stored(world) == ["cus_first"]


def test_a_new_customer_that_cannot_be_made_keeps_nobody_from_paying(world: World, tidied: Student) -> None:
    before = stored(world)
    world.stripe.faults.add("server_error", path="/v1/customers")

    tidied.starts().pays()
    world.webhooks()

    assert (world.count("orders"), stored(world)) == (2, before)
    assert world.stripe.all("payment_intent")[-1]["customer"] is None
