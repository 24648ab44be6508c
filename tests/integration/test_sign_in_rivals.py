"""A guest signs in while somebody else does something with the same carts: one correct cart is left."""

from collections.abc import Iterator
from contextlib import ExitStack
from random import Random
from typing import Any
from uuid import UUID

import psycopg
import pytest
from argon2 import Type
from argon2.low_level import hash_secret
from psycopg import Connection
from psycopg.errors import LockNotAvailable

from adapters.stripe_payments import stripe_payments
from domain.access.models import Credentials, PasswordChange
from domain.access.profile import change_password
from domain.access.sign_in import sign_in
from domain.accounts.callers import Buyer, Person
from domain.accounts.identities import find_identity, lock_identity
from domain.cart.change_cart import remove_item
from domain.cart.merge_carts import meet, merge
from domain.cart.models import CartView, WantedSession
from domain.cart.view_cart import view_cart
from domain.checkout.queries import lock_cart_of
from domain.checkout.settle import settle
from domain.checkout.withdraw import hand_over
from domain.errors import Refused
from domain.ids import new_secret
from domain.payments.gateway import Payment
from domain.tutoring.models import StartCheckout
from local.postgres import Server
from tests.conftest import Database
from tests.support.people import EMAIL, PASSWORD, account, hashed
from tests.support.race import at_once, until_blocked, while_locked
from tests.support.rush import (
    HELD,
    Visit,
    adds,
    no_deadlock,
    overlapping_claims,
    rush,
    session,
    sessions_without_their_hold,
)
from tests.support.selling import SHOP, start_checkout
from tests.support.world import MONDAY_NOON, World, form, toronto

NOW = MONDAY_NOON
ENTERED = "entered"
NEW_PASSWORD = "Autre-phrase-de-passe-34"
WEAK = hash_secret(PASSWORD.encode(), b"0123456789abcdef", 1, 8, 1, 32, Type.ID).decode()


class Door:
    """A school with one course and one tutor, a student with a password, and a guest who is that student."""

    def __init__(self, world: World, url: str) -> None:
        self.world, self.url, self.connection, self.school = world, url, world.connection, world.school
        self.course = self.school.course()
        self.mme_roy = self.school.tutor(self.course)
        self.user_id = account(world)
        self.student = Buyer.student(self.user_id)
        self.browser = world.browser()
        self.browser.cookies["__Host-cart_session_id"] = cookie = new_secret()
        self.guest = Buyer.guest(cookie)

    def wanted(self, hour: int) -> WantedSession:
        return session(self.course, toronto(20, hour))

    def hold(self, buyer: Buyer, *hours: int) -> list[UUID]:
        assert adds(buyer, *map(self.wanted, hours), now=NOW)(self.connection) == HELD
        return [item.id for item in self.cart(buyer).items]

    def enters(self, password: str = PASSWORD) -> Visit[str]:
        return self.enters_as(self.guest, EMAIL, password)

    def enters_as(self, guest: Buyer, email: str, password: str = PASSWORD) -> Visit[str]:
        def visit(connection: Connection[Any]) -> str:
            form = Credentials.model_validate({"email": email, "password": password})
            try:
                sign_in(connection, SHOP, form, guest, NOW)
            except Refused as refused:
                return refused.code
            return ENTERED

        return visit

    def cart(self, buyer: Buyer) -> CartView:
        return view_cart(self.connection, buyer, NOW)

    def hours(self, buyer: Buyer) -> list[int]:
        return [item.start.hour for item in self.cart(buyer).items]

    def count(self, table: str, condition: str = "true") -> int:
        row = self.connection.execute(f"SELECT count(*) FROM {table} WHERE {condition}").fetchone()  # noqa: S608
        return int(row[0]) if row else 0

    def is_sound(self) -> bool:
        return (
            overlapping_claims(self.connection) == 0
            and sessions_without_their_hold(self.connection, NOW) == 0
        )


@pytest.fixture
def door(world: World, database: Database, postgres: Server) -> Iterator[Door]:
    """Whatever happens in a test of this door, the server's log must tell of no deadlock."""
    with no_deadlock(postgres, database.name):
        yield Door(world, database.url)


def together(door: Door, *visits: Visit[str]) -> list[str]:
    """All at once, and let go only when every one of them waits for a cart."""
    with ExitStack() as stack:
        connections = [stack.enter_context(psycopg.connect(door.url, autocommit=True)) for _ in visits]
        let_go = stack.enter_context(while_locked(door.url, "SELECT FROM carts FOR UPDATE", len(visits)))
        actions = [
            lambda visit=visit, connection=connection: visit(connection)
            for visit, connection in zip(visits, connections, strict=True)
        ]
        *outcomes, _ = at_once(*actions, let_go)
        return [outcome.result() for outcome in outcomes]


# --- two sign-ins ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("has_a_cart", [True, False])
def test_eight_sign_ins_of_one_browser_merge_its_cart_once(door: Door, *, has_a_cart: bool) -> None:
    if has_a_cart:
        door.hold(door.student, 14)
    door.hold(door.guest, 9, 10)

    outcomes = rush(door.url, *[door.enters() for _ in range(8)])

    assert outcomes == [ENTERED] * 8
    assert door.hours(door.student) == ([9, 10, 14] if has_a_cart else [9, 10])
    assert door.cart(door.student).version == (2 if has_a_cart else 1)
    assert door.count("carts") == 1
    assert door.count("auth_sessions") == 8
    assert door.is_sound()


def test_sign_ins_that_wait_for_the_same_carts_merge_them_once(door: Door) -> None:
    door.hold(door.student, 14)
    door.hold(door.guest, 9)

    assert together(door, *[door.enters() for _ in range(4)]) == [ENTERED] * 4

    assert (door.hours(door.student), door.cart(door.student).version) == ([9, 14], 2)
    assert door.is_sound()


def test_two_browsers_of_one_student_bring_both_their_carts(door: Door) -> None:
    elsewhere = Buyer.guest(new_secret())
    door.hold(door.guest, 9)
    door.hold(elsewhere, 11)

    outcomes = rush(door.url, door.enters(), door.enters_as(elsewhere, EMAIL))

    assert outcomes == [ENTERED] * 2
    assert (door.hours(door.student), door.cart(door.student).version) == ([9, 11], 2)
    assert door.count("carts") == 1
    assert door.is_sound()


def test_two_people_at_one_browser_leave_its_cart_to_one_of_them(door: Door) -> None:
    other = door.school.user("lea@exemple.ca")
    door.connection.execute("UPDATE users SET password_hash = %s", (hashed(PASSWORD),))
    door.hold(door.guest, 9)

    outcomes = rush(door.url, door.enters(), door.enters_as(door.guest, "lea@exemple.ca"))

    assert outcomes == [ENTERED] * 2
    assert sorted([door.hours(door.student), door.hours(Buyer.student(other))]) == [[], [9]]
    assert door.is_sound()


def test_a_renewed_hash_does_not_keep_the_other_tab_out(door: Door) -> None:
    """Both verified the password against the old hash; one of them replaces it first."""
    door.connection.execute("UPDATE users SET password_hash = %s WHERE id = %s", (WEAK, door.user_id))
    door.hold(door.guest, 9)

    assert together(door, *[door.enters() for _ in range(2)]) == [ENTERED] * 2
    assert door.hours(door.student) == [9]


# --- a sign-in and the cart -----------------------------------------------------------------------------------


def test_what_the_student_adds_meanwhile_stands_beside_what_the_guest_brings(door: Door) -> None:
    door.hold(door.student, 14)
    door.hold(door.guest, 9)

    outcomes = together(door, door.enters(), adds(door.student, door.wanted(11), now=NOW))

    assert outcomes == [ENTERED, HELD]
    assert door.hours(door.student) == [9, 11, 14]
    assert door.is_sound()


def test_the_student_s_first_cart_may_be_made_meanwhile(door: Door) -> None:
    door.hold(door.guest, 9)

    outcomes = rush(door.url, door.enters(), *[adds(door.student, door.wanted(h), now=NOW) for h in (11, 13)])

    assert outcomes == [ENTERED, HELD, HELD]
    assert door.hours(door.student) == [9, 11, 13]
    assert door.count("carts") == 1
    assert door.is_sound()


def test_what_the_guest_adds_meanwhile_comes_along_or_stays_a_guest_s(door: Door) -> None:
    door.hold(door.guest, 9)

    outcomes = together(door, door.enters(), adds(door.guest, door.wanted(11), now=NOW))

    assert outcomes == [ENTERED, HELD]
    assert sorted(door.hours(door.student) + door.hours(door.guest)) == [9, 11]
    assert 9 in door.hours(door.student)
    assert door.is_sound()


def test_what_the_guest_takes_out_meanwhile_is_out(door: Door) -> None:
    item_id, _ = door.hold(door.guest, 9, 11)

    def remove(connection: Connection[Any]) -> str:
        try:
            remove_item(connection, door.guest, item_id, NOW)
        except Refused as refused:
            return refused.code
        return "removed"

    outcomes = together(door, remove, door.enters())

    assert outcomes[1] == ENTERED
    assert outcomes[0] in ("removed", "ITEM_NOT_FOUND")
    assert door.hours(door.student) == ([11] if outcomes[0] == "removed" else [9, 11])
    assert door.is_sound()


# --- a sign-in and a payment ----------------------------------------------------------------------------------


def pays(door: Door, email: str = "autre@exemple.ca") -> tuple[UUID, Payment]:
    """The guest pays for the cart as it stands, in the name of another e-mail; nobody has told us yet."""
    started = door.browser.post("/v1/checkout", form(email))
    assert started.status == 201, started.text
    intent_id = started.body["payment_intent_id"]
    door.world.pay(intent_id)
    return UUID(started.body["checkout_id"]), stripe_payments().find_intent(intent_id)


def settles(checkout_id: UUID, payment: Payment) -> Visit[str]:
    def visit(connection: Connection[Any]) -> str:
        return "booked" if settle(connection, checkout_id, payment, SHOP, NOW) else "returned"

    return visit


@pytest.mark.parametrize("first", ["the settlement", "the sign-in", "both"])
def test_a_payment_settled_meanwhile_books_what_it_paid_for_and_the_rest_comes_along(
    door: Door, first: str
) -> None:
    door.hold(door.student, 14)
    door.hold(door.guest, 9)
    settlement = settles(*pays(door))
    door.hold(door.guest, 11)

    match first:
        case "the settlement":
            outcomes = [settlement(door.connection), door.enters()(door.connection)]
        case "the sign-in":
            outcomes = [door.enters()(door.connection), settlement(door.connection)]
        case _:
            outcomes = together(door, settlement, door.enters())

    assert sorted(outcomes) == ["booked", ENTERED]
    assert door.hours(door.student) == [11, 14]
    assert door.count("appointments") == door.count("orders") == 1
    assert door.count("carts") == 1
    assert door.is_sound()


def test_a_settlement_that_waited_for_the_guest_s_cart_goes_on_with_the_account_s_locked(door: Door) -> None:
    """Else it would take out what was sold while somebody else works on that cart, against the order of locks."""
    door.hold(door.guest, 9)
    checkout_id, _ = pays(door)

    with (
        psycopg.connect(door.url) as merging,
        psycopg.connect(door.url) as settling,
        psycopg.connect(door.url, autocommit=True) as watcher,
    ):
        meeting = meet(merging, door.guest, door.student, NOW)
        assert meeting is not None

        def finish() -> None:
            until_blocked(watcher, 1)
            hand_over(merging, meeting.guest.id, meeting.own.id)
            merge(merging, meeting, NOW)
            merging.commit()

        at_once(lambda: lock_cart_of(settling, checkout_id), finish)

        with pytest.raises(LockNotAvailable):
            watcher.execute("SELECT FROM carts WHERE id = %s FOR UPDATE NOWAIT", (meeting.own.id,))


@pytest.mark.parametrize("seed", range(3))
def test_sign_ins_settlements_and_clicks_all_at_once_leave_one_cart(door: Door, seed: int) -> None:
    door.hold(door.student, 14)
    door.hold(door.guest, 9)
    settlement = settles(*pays(door))
    visits = [
        settlement,
        settlement,
        door.enters(),
        door.enters(),
        adds(door.student, door.wanted(11), now=NOW),
        adds(door.student, door.wanted(12), now=NOW),
    ]

    outcomes = together(door, *Random(seed).sample(visits, len(visits)))

    assert sorted(outcomes) == sorted(["booked"] * 2 + [ENTERED] * 2 + [HELD] * 2)
    assert door.hours(door.student) == [11, 12, 14]
    assert door.count("appointments") == door.count("orders") == 1
    assert door.is_sound()


def test_a_checkout_of_the_guest_s_cart_started_meanwhile_is_withdrawn_or_refused(door: Door) -> None:
    """The guest's other tab sends the form just as this one signs in."""
    door.hold(door.guest, 9)

    def starts(connection: Connection[Any]) -> str:
        body = StartCheckout.model_validate(form("autre@exemple.ca"))
        try:
            start_checkout(connection, stripe_payments(), door.guest, body, "pk_test", NOW)
        except Refused as refused:
            return refused.code
        return "started"

    outcomes = together(door, starts, door.enters())

    assert outcomes[1] == ENTERED
    assert outcomes[0] in ("started", "CART_EMPTY")
    assert door.hours(door.student) == [9]
    assert door.count("checkouts", "status IN ('open', 'processing')") == 0
    assert door.is_sound()


# --- a sign-in and the password -------------------------------------------------------------------------------


def test_a_session_opened_with_the_old_password_does_not_outlive_its_change(door: Door) -> None:
    """The sign-in has verified the old password and waits for its cart while the password is changed."""
    door.hold(door.guest, 9)
    sign_in(door.connection, SHOP, credentials(), None, NOW)
    change = PasswordChange.model_validate(
        {"current_password": PASSWORD, "password": NEW_PASSWORD, "password_confirmation": NEW_PASSWORD}
    )

    with (
        psycopg.connect(door.url) as holder,
        psycopg.connect(door.url, autocommit=True) as visitor,
        psycopg.connect(door.url, autocommit=True) as watcher,
    ):
        holder.execute("SELECT FROM carts FOR UPDATE")

        def change_then_let_go() -> None:
            until_blocked(watcher, 1)
            change_password(door.connection, Person(door.user_id, "student"), change, NOW)
            holder.rollback()

        entry, changed = at_once(lambda: door.enters()(visitor), change_then_let_go)

    changed.result()
    assert entry.result() == "INVALID_CREDENTIALS"
    assert door.count("auth_sessions", "revoked_at IS NULL") == 1  # the one that the change opened
    assert door.hours(door.guest) == [9]  # nothing was merged
    assert door.is_sound()


def test_negative_control_without_the_second_look_the_old_password_would_open_a_session(door: Door) -> None:
    """What the sign-in does last, on a hash that was replaced: no row, where a look at the id alone has one."""
    old = hashed(PASSWORD)
    door.connection.execute("UPDATE users SET password_hash = %s", (hashed(NEW_PASSWORD),))

    assert lock_identity(door.connection, door.user_id, old).fetchone() is None
    assert find_identity(door.connection, user_id=door.user_id).fetchone() is not None


def credentials() -> Credentials:
    return Credentials.model_validate({"email": EMAIL, "password": PASSWORD})
