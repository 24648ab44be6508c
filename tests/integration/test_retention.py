"""What is forgotten at night, and what is kept: to the instant, a batch at a time."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, LiteralString
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg import Connection
from psycopg.types.json import Jsonb

from functions.retention import app
from tests.conftest import Database
from tests.support.browser import CONTEXT
from tests.support.guest import Guest
from tests.support.school import School
from tests.support.shop import NINE, Shop
from tests.support.tables import nothing_written
from tests.support.world import MONDAY_NOON, World, toronto, wanted

NOW = MONDAY_NOON.astimezone(UTC)
MOMENT = timedelta.resolution
DAY = timedelta(days=1)
NOTHING = dict.fromkeys(app.PURGES, 0)

TOLD: LiteralString = """
INSERT INTO outbox (event_id, type, dedupe_key, ordering_key, sequence, body, status, next_attempt_at, created_at)
SELECT 'evt_' || lpad(n::text, 32, '0'), '{type}', 'told:' || n, 'thing:' || n, 1, '', '{status}', {old}, {old}
  FROM generate_series(1, 3) AS n
"""


@dataclass
class Archive:
    connection: Connection[Any]
    school: School

    def run(self, at: datetime = NOW) -> dict[str, int]:
        """What the night's run did, where it did something."""
        done = app.lambda_handler({"time": at.isoformat()}, CONTEXT)
        assert set(done) == set(NOTHING)
        return {what: count for what, count in done.items() if count}

    def cart(self, *, changed_at: datetime, owner: UUID | None = None) -> UUID:
        cart_id = uuid4()
        self.connection.execute(
            "INSERT INTO carts (product, id, user_id, session_hash, created_at, updated_at) VALUES ('tutoring', "
            "%s, %s, %s, %s, %s)",
            (cart_id, owner, None if owner else uuid4().bytes * 2, changed_at, changed_at),
        )
        return cart_id

    def checkout(
        self,
        status: str,
        *,
        cart: UUID | None = None,
        created_at: datetime = NOW - 400 * DAY,
        settled_at: datetime | None = None,
        buyer: dict[str, Any] | None = None,
    ) -> UUID:
        checkout_id = uuid4()
        order = None
        if status == "settled":
            order = uuid4()
            self.connection.execute(
                "INSERT INTO orders (product, id, user_id, status, source, subtotal_cad, discount_cad, "
                "total_cad, created_at,"
                " updated_at) VALUES ('tutoring', %s, %s, 'paid', 'free', 45, 45, 0, %s, %s)",
                (order, self.school.user(f"{order.hex}@exemple.ca"), created_at, created_at),
            )
        self.connection.execute(
            "INSERT INTO checkouts (product, id, status, cart_id, cart_version, session_hash, buyer, items, "
            "subtotal_cad,"
            "                       discount_cad, total_cad, amount_cents, created_at, expires_at, settled_at,"
            "                       order_id)"
            " VALUES ('tutoring', %s, %s, %s, 1, %s, %s, '[{}]', 45, 0, 45, 4500, %s, %s, %s, %s)",
            (
                checkout_id,
                status,
                cart,
                uuid4().bytes * 2,
                Jsonb(buyer) if buyer else None,
                created_at,
                created_at + DAY,
                settled_at,
                order,
            ),
        )
        return checkout_id

    def ids(self, table: str) -> set[UUID]:
        return {row_id for (row_id,) in self.connection.execute(f"SELECT id FROM {table}")}  # noqa: S608  ours


@pytest.fixture
def archive(configured: Database) -> Iterator[Archive]:
    with psycopg.connect(configured.url, autocommit=True) as connection:
        yield Archive(connection, School(connection))


def test_with_nothing_old_nothing_is_written(archive: Archive) -> None:
    archive.cart(changed_at=NOW)
    archive.checkout("open", created_at=NOW, buyer={"password_hash": "x"})

    with nothing_written(archive.connection):
        assert archive.run() == {}


# --- Guests' carts ----------------------------------------------------------------------------------------------


def test_a_guest_s_cart_idle_for_more_than_thirty_days_goes_and_a_student_s_stays(archive: Archive) -> None:
    archive.cart(changed_at=NOW - 30 * DAY - MOMENT)
    kept = {
        archive.cart(changed_at=NOW - 30 * DAY),
        archive.cart(changed_at=NOW - 900 * DAY, owner=archive.school.user()),
    }

    assert archive.run() == {"guest_carts_deleted": 1}
    assert archive.ids("carts") == kept


@pytest.mark.parametrize("status", ["open", "processing"])
def test_a_cart_that_is_being_paid_with_stays(archive: Archive, status: str) -> None:
    cart = archive.cart(changed_at=NOW - 31 * DAY)
    archive.checkout(status, cart=cart, created_at=NOW - 31 * DAY)

    assert archive.run() == {}
    assert archive.ids("carts") == {cart}


def test_a_cart_goes_with_its_sessions_and_what_was_bought_with_it_stays(world: World) -> None:
    shop = Shop(world)
    buyer, visitor = Guest(world), Guest(world, "b@exemple.ca")
    buyer.books(wanted(shop.course, NINE))
    visitor.chooses(wanted(shop.course, toronto(20, 11)))
    world.clock.advance(days=31)

    done = app.lambda_handler({"time": world.clock().isoformat()}, CONTEXT)

    assert done == NOTHING | {"guest_carts_deleted": 2, "sessions_deleted": done["sessions_deleted"]}
    assert [world.count(table) for table in ("carts", "cart_sessions")] == [0, 0]
    assert [world.count(table) for table in ("checkouts", "orders", "appointments")] == [1, 1, 1]
    assert [row["kind"] for row in shop.claims() if row["kind"] == "appointment"] == ["appointment"]


# --- What was paid with -----------------------------------------------------------------------------------------


def test_a_paid_checkout_is_kept_for_ninety_days(archive: Archive) -> None:
    archive.checkout("settled", settled_at=NOW - 90 * DAY - MOMENT)
    archive.checkout("refunded", settled_at=NOW - 90 * DAY - MOMENT)
    kept = archive.checkout("settled", settled_at=NOW - 90 * DAY)

    assert archive.run() == {"checkouts_deleted": 2}
    assert archive.ids("checkouts") == {kept}
    assert len(archive.ids("orders")) == 2


@pytest.mark.parametrize("status", ["cancelled", "failed"])
def test_an_abandoned_checkout_is_kept_for_a_day_after_it_could_be_paid(
    archive: Archive, status: str
) -> None:
    archive.checkout(status, created_at=NOW - 2 * DAY - MOMENT)
    kept = archive.checkout(status, created_at=NOW - 2 * DAY)

    assert archive.run() == {"checkouts_deleted": 1}
    assert archive.ids("checkouts") == {kept}


def test_a_cancelled_checkout_is_kept_as_long_as_stripe_may_still_take_its_payment(archive: Archive) -> None:
    checkout = archive.checkout("cancelled")
    archive.connection.execute("UPDATE checkouts SET payment_intent_id = 'pi_1'")

    assert archive.run() == {}
    archive.connection.execute("UPDATE checkouts SET intent_closed_at = %s", [NOW])
    assert archive.ids("checkouts") == {checkout}
    assert archive.run() == {"checkouts_deleted": 1}


@pytest.mark.parametrize("status", ["open", "processing"])
def test_one_that_got_no_intent_loses_its_hash_and_nothing_else(archive: Archive, status: str) -> None:
    old = archive.checkout(
        status, created_at=NOW - 2 * DAY - MOMENT, buyer={"email": "a@exemple.ca", "password_hash": "x"}
    )
    fresh = archive.checkout(status, created_at=NOW - 2 * DAY, buyer={"password_hash": "x"})

    assert archive.run() == {"password_hashes_forgotten": 1}
    buyers = dict(archive.connection.execute("SELECT id, buyer FROM checkouts").fetchall())
    assert buyers == {old: {"email": "a@exemple.ca"}, fresh: {"password_hash": "x"}}


def test_a_hash_stays_while_its_intent_may_be_paid(archive: Archive) -> None:
    archive.checkout("processing", created_at=NOW - 9 * DAY, buyer={"password_hash": "x"})
    archive.connection.execute("UPDATE checkouts SET payment_intent_id = 'pi_1'")

    with nothing_written(archive.connection):
        assert archive.run() == {}


# --- Sessions, events, coupons ----------------------------------------------------------------------------------


def test_a_session_is_deleted_once_it_has_expired(archive: Archive) -> None:
    user = archive.school.user()
    for number, expires_at in enumerate((NOW - DAY, NOW, NOW + MOMENT)):
        archive.connection.execute(
            "INSERT INTO auth_sessions (token_hash, user_id, created_at, expires_at) VALUES (%s, %s, %s, %s)",
            (bytes([number]) * 32, user, NOW - 30 * DAY, expires_at),
        )

    assert archive.run() == {"sessions_deleted": 2}
    assert archive.connection.execute("SELECT token_hash FROM auth_sessions").fetchall() == [(b"\2" * 32,)]


def test_a_way_back_into_an_account_is_deleted_once_it_has_expired(archive: Archive) -> None:
    for number, expires_at in enumerate((NOW, NOW + MOMENT)):
        archive.connection.execute(
            "INSERT INTO password_reset_tokens (token_hash, expires_at) VALUES (%s, %s)",
            (bytes([number]) * 32, expires_at),
        )

    assert archive.run() == {"reset_tokens_deleted": 1}
    assert archive.connection.execute("SELECT token_hash FROM password_reset_tokens").fetchall() == [
        (b"\1" * 32,)
    ]


def test_who_may_do_everything_again_is_not_remembered(archive: Archive) -> None:
    for number, spent_until in enumerate((NOW - DAY, NOW, NOW + MOMENT)):
        archive.connection.execute(
            "INSERT INTO allowances (bucket, subject, spent_until) VALUES ('EMAIL_CHECKS_PER_MINUTE', %s, %s)",
            (bytes([number]) * 32, spent_until),
        )

    assert archive.run() == {"allowances_deleted": 2}
    assert archive.connection.execute("SELECT subject FROM allowances").fetchall() == [(b"\2" * 32,)]


def test_stripe_s_events_are_remembered_for_thirteen_months(archive: Archive) -> None:
    for name, received_at in (("evt_old", NOW - 397 * DAY - MOMENT), ("evt_kept", NOW - 397 * DAY)):
        archive.connection.execute(
            "INSERT INTO webhook_events (source, external_event_id, type, received_at) VALUES ('stripe', %s, 't', %s)",
            (name, received_at),
        )

    assert archive.run() == {"payment_events_deleted": 1}
    assert archive.connection.execute("SELECT external_event_id FROM webhook_events").fetchall() == [
        ("evt_kept",)
    ]


def test_purges_go_batch_after_batch(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app, "BATCH", 2)
    for _ in range(5):
        archive.cart(changed_at=NOW - 31 * DAY)
        archive.checkout("cancelled")

    assert archive.run() == {"checkouts_deleted": 5, "guest_carts_deleted": 5}


def test_a_row_somebody_is_working_on_is_left_for_tomorrow(archive: Archive, configured: Database) -> None:
    cart = archive.cart(changed_at=NOW - 31 * DAY)
    with psycopg.connect(configured.url) as visitor:
        visitor.execute("SELECT FROM carts WHERE id = %s FOR UPDATE", (cart,))
        assert archive.run() == {}

    assert archive.run(NOW + DAY) == {"guest_carts_deleted": 1}


LOCKED = {
    "guest_carts_deleted": "SELECT FROM carts FOR UPDATE",
    "checkouts_deleted": "SELECT FROM checkouts FOR UPDATE",
    "payment_events_deleted": "SELECT FROM webhook_events FOR UPDATE",
    "sessions_deleted": "SELECT FROM auth_sessions FOR UPDATE",
    "reset_tokens_deleted": "SELECT FROM password_reset_tokens FOR UPDATE",
}


def old_rows(archive: Archive) -> None:
    """One of each that tonight deletes."""
    archive.cart(changed_at=NOW - 31 * DAY)
    archive.checkout("cancelled")
    archive.connection.execute(
        "INSERT INTO webhook_events (source, external_event_id, type, received_at) VALUES ('stripe', 'e', 't', %s)",
        (NOW - 400 * DAY,),
    )
    archive.connection.execute(
        "INSERT INTO auth_sessions (token_hash, user_id, created_at, expires_at) VALUES (sha256('a'), %s, %s, %s)",
        (archive.school.user(), NOW - 30 * DAY, NOW - DAY),
    )
    archive.connection.execute(
        "INSERT INTO password_reset_tokens (token_hash, expires_at) VALUES (sha256('b'), %s)", (NOW,)
    )


@pytest.mark.parametrize("purge", sorted(LOCKED))
def test_no_purge_waits_for_a_row_that_somebody_is_working_on(
    archive: Archive, configured: Database, purge: str
) -> None:
    """A purge that waits is ended by the patience of its role (0034), and the night's run says that it failed."""
    old_rows(archive)
    with psycopg.connect(configured.url) as visitor:
        visitor.execute(LOCKED[purge])
        assert archive.run() == {what: 1 for what in LOCKED if what != purge}
    assert archive.run(NOW + MOMENT) == {purge: 1}


# --- Any of them ------------------------------------------------------------------------------------------------


OLD: dict[str, LiteralString] = {
    "password_hashes_forgotten": """
        INSERT INTO checkouts (product, id, status, cart_version, session_hash, buyer, items, subtotal_cad,
               discount_cad,
                               total_cad, amount_cents, created_at, expires_at)
        SELECT 'tutoring', gen_random_uuid(), 'open', 1, sha256(n::text::bytea), '{"password_hash": "x"}',
               '[{}]', 45, 0, 45, 4500,
               %(old)s, %(old)s + interval '1 day' FROM generate_series(1, 3) AS n
        """,
    "checkouts_deleted": """
        INSERT INTO checkouts (product, id, status, cart_version, session_hash, items, subtotal_cad,
               discount_cad, total_cad,
                               amount_cents, created_at, expires_at)
        SELECT 'tutoring', gen_random_uuid(), 'failed', 1, sha256(n::text::bytea), '[{}]', 45, 0, 45, 4500, %(old)s,
               %(old)s + interval '1 day' FROM generate_series(1, 3) AS n
        """,
    "guest_carts_deleted": """
        INSERT INTO carts (product, id, session_hash, created_at, updated_at)
        SELECT 'tutoring', gen_random_uuid(), sha256(n::text::bytea), %(old)s, %(old)s FROM generate_series(1, 3) AS n
        """,
    "sessions_deleted": """
        INSERT INTO auth_sessions (token_hash, user_id, created_at, expires_at)
        SELECT sha256(n::text::bytea), id, %(old)s, %(old)s + interval '1 day' FROM users, generate_series(1, 3) AS n
        """,
    "reset_tokens_deleted": """
        INSERT INTO password_reset_tokens (token_hash, expires_at)
        SELECT sha256(n::text::bytea), %(old)s FROM generate_series(1, 3) AS n
        """,
    "idempotency_keys_deleted": """
        INSERT INTO idempotency_keys (scope, body_hash, created_at)
        SELECT sha256(n::text::bytea), sha256(''), %(old)s FROM generate_series(1, 3) AS n
        """,
    "allowances_deleted": """
        INSERT INTO allowances (bucket, subject, spent_until)
        SELECT 'SIGN_IN', sha256(n::text::bytea), %(old)s FROM generate_series(1, 3) AS n
        """,
    "payment_events_deleted": """
        INSERT INTO webhook_events (source, external_event_id, type, received_at, processed_at)
        SELECT 'stripe', 'evt_' || n, 'payment_intent.succeeded', %(old)s, %(old)s FROM generate_series(1, 3) AS n
        """,
    "webhook_bodies_forgotten": TOLD.format(
        type="booking.created", old="%(now)s::timestamptz - interval '91 days'", status="cancelled"
    ),
    "webhook_events_deleted": TOLD.format(type="booking.created", old="%(old)s", status="cancelled"),
    "webhook_attempts_deleted": """
        WITH told AS (INSERT INTO outbox (event_id, type, dedupe_key, ordering_key, sequence, status, next_attempt_at,
                                          created_at)
                      VALUES ('evt_' || repeat('0', 32), 'booking.created', 'a', 'a', 1, 'cancelled', %(now)s, %(now)s)
                      RETURNING event_id)
        INSERT INTO webhook_attempts (event_id, attempt_no, trigger, started_at, duration_ms)
        SELECT event_id, n, 'auto', %(old)s, 1 FROM told, generate_series(1, 3) AS n
        """,
    "webhook_admin_events_deleted": TOLD.format(
        type="course.created", old="%(now)s::timestamptz - interval '5 days'", status="exhausted"
    ),
}
"""Three of what each purge takes, and of nothing that another takes."""


OLD_PAID: LiteralString = """
    WITH sold AS (
        INSERT INTO orders (product, id, user_id, status, source, subtotal_cad, discount_cad, total_cad,
                            created_at, updated_at)
        SELECT 'tutoring', gen_random_uuid(), id, 'paid', 'free', 45, 45, 0, %(old)s, %(old)s
          FROM users, generate_series(1, 3)
        RETURNING id)
    INSERT INTO checkouts (product, id, status, cart_version, session_hash, items, subtotal_cad, discount_cad,
                           total_cad, amount_cents, created_at, expires_at, settled_at, order_id)
    SELECT 'tutoring', gen_random_uuid(), 'settled', 1, sha256(id::text::bytea), '[{}]', 45, 0, 45, 4500, %(old)s,
           %(old)s + interval '1 day', %(old)s, id FROM sold
    """

AGED: dict[str, tuple[LiteralString, LiteralString, LiteralString]] = {
    "password_hashes_forgotten": ("checkouts", "expires_at", "buyer ? 'password_hash'"),
    "checkouts_deleted": ("checkouts", "expires_at", "true"),
    "paid checkouts_deleted": ("checkouts", "settled_at", "true"),
    "guest_carts_deleted": ("carts", "updated_at", "true"),
    "sessions_deleted": ("auth_sessions", "expires_at", "true"),
    "reset_tokens_deleted": ("password_reset_tokens", "expires_at", "true"),
    "idempotency_keys_deleted": ("idempotency_keys", "created_at", "true"),
    "payment_events_deleted": ("webhook_events", "received_at", "true"),
    "webhook_bodies_forgotten": ("outbox", "created_at", "body IS NOT NULL"),
    "webhook_events_deleted": ("outbox", "created_at", "true"),
    "webhook_attempts_deleted": ("webhook_attempts", "started_at", "true"),
    "webhook_admin_events_deleted": ("outbox", "next_attempt_at", "true"),
}
"""Where each purge that takes the oldest first finds its rows, what they are aged by, and which are still there."""


@pytest.mark.parametrize("what", AGED)
def test_the_oldest_goes_first_wherever_the_table_has_it(archive: Archive, what: str) -> None:
    """Three are of one age; the one stored last, then the one before it, is made an hour older than the others."""
    table, age, still_there = AGED[what]
    archive.school.user("zoe@exemple.ca")
    filling = OLD_PAID if what.startswith("paid") else OLD[what]
    archive.connection.execute(filling, {"old": NOW - 400 * DAY, "now": NOW})
    purge = app.PURGES[what.removeprefix("paid ")]
    rows = f"FROM {table} WHERE {still_there}"
    ((youngest,),) = archive.connection.execute(f"SELECT max({age}) {rows}".encode()).fetchall()
    archive.connection.execute(
        "SET enable_indexscan = off; SET enable_bitmapscan = off"
    )  # it would be in order

    for left in (2, 1):
        archive.connection.execute(
            f"UPDATE {table} SET {age} = {age} - interval '1 hour'"  # noqa: S608  ours
            f" WHERE ctid = (SELECT max(ctid) {rows} AND {age} = %(youngest)s)".encode(),
            {"youngest": youngest},
        )
        assert purge(archive.connection, NOW, 1) == 1
        ages = archive.connection.execute(f"SELECT {age} {rows}".encode()).fetchall()
        assert ages == [(youngest,)] * left
    archive.connection.execute("DELETE FROM webhook_attempts; DELETE FROM outbox")  # these events say nothing


KEPT_FOR = {
    "webhook_bodies_forgotten": timedelta(days=90),
    "webhook_events_deleted": timedelta(days=396),
    "webhook_attempts_deleted": timedelta(days=30),
}


@pytest.mark.parametrize("what", KEPT_FOR)
def test_what_is_kept_of_deliveries_is_kept_to_the_instant(archive: Archive, what: str) -> None:
    filling: LiteralString = OLD["webhook_attempts_deleted"]
    if what != "webhook_attempts_deleted":
        filling = TOLD.format(type="booking.created", old="%(old)s", status="cancelled")
    archive.connection.execute(filling, {"old": NOW - KEPT_FOR[what], "now": NOW})

    assert app.PURGES[what](archive.connection, NOW, 10) == 0
    assert app.PURGES[what](archive.connection, NOW + MOMENT, 10) == 3
    archive.connection.execute("DELETE FROM webhook_attempts; DELETE FROM outbox")  # these events say nothing


@pytest.mark.parametrize("what", app.PURGES)
def test_a_step_takes_no_more_than_it_is_told_to(archive: Archive, what: str) -> None:
    archive.school.user("zoe@exemple.ca")
    archive.connection.execute(OLD[what], {"old": NOW - 400 * DAY, "now": NOW})
    purge = app.PURGES[what]

    assert [purge(archive.connection, NOW, 2) for _ in range(3)] == [2, 1, 0]


@pytest.mark.parametrize("status", ["exhausted", "skipped", "cancelled"])
def test_an_administrators_event_that_was_given_up_goes_after_three_days(
    archive: Archive, status: str
) -> None:
    archive.connection.execute(
        TOLD.format(type="course.created", old="%(old)s", status=status).encode(), {"old": NOW - 3 * DAY}
    )

    assert archive.run() == {}
    assert archive.run(NOW + MOMENT) == {"webhook_admin_events_deleted": 3}


@pytest.mark.parametrize("status", ["pending", "retrying", "held", "enqueued"])
def test_one_that_still_waits_stays(archive: Archive, status: str) -> None:
    archive.connection.execute(
        TOLD.format(type="course.created", old="%(old)s", status=status).encode(), {"old": NOW - 500 * DAY}
    )

    assert archive.run() == {}
    archive.connection.execute("DELETE FROM outbox")  # these events say nothing


HELD: dict[str, LiteralString] = {
    "password_hashes_forgotten": "checkouts",
    "checkouts_deleted": "checkouts",
    "guest_carts_deleted": "carts",
    "sessions_deleted": "auth_sessions",
    "reset_tokens_deleted": "password_reset_tokens",
    "idempotency_keys_deleted": "idempotency_keys",
    "allowances_deleted": "allowances",
    "payment_events_deleted": "webhook_events",
    "webhook_bodies_forgotten": "outbox",
    "webhook_events_deleted": "outbox",
    "webhook_attempts_deleted": "webhook_attempts",
    "webhook_admin_events_deleted": "outbox",
}
"""Whose rows each purge takes."""


@pytest.mark.parametrize("what", app.PURGES)
def test_what_somebody_is_working_on_is_left_until_the_next_night(archive: Archive, what: str) -> None:
    archive.school.user("zoe@exemple.ca")
    archive.connection.execute(OLD[what], {"old": NOW - 400 * DAY, "now": NOW})
    archive.connection.execute("SET lock_timeout = '2s'")
    with psycopg.connect(archive.connection.info.dsn) as rival:
        rival.execute(f"SELECT FROM {HELD[what]} LIMIT 1 FOR UPDATE".encode())

        assert app.PURGES[what](archive.connection, NOW, 10) == 2

    assert app.PURGES[what](archive.connection, NOW, 10) == 1
