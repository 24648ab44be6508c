"""What `make faults` looks at in PostgreSQL: effects that came too late, backends at work, promises, its own end."""

import signal
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

import psycopg
import pytest

from domain.ids import fingerprint
from functions.migrate import app as migrate
from tests.conftest import Database
from tests.faults.buyer import Promised
from tests.faults.closing import broken_promises
from tests.faults.effects import Owner, written_since
from tests.faults.server import MortalServer, connect, serve
from tests.faults.watch import at_work
from tests.support.school import School

MONDAY = datetime(2027, 1, 18, 15, tzinfo=UTC)
OWNER = Owner([MONDAY.date()], "client1.%@exemple.ca")
OTHER = Owner([(MONDAY + timedelta(days=1)).date()], "client2.%@exemple.ca")


@pytest.fixture(scope="module")
def mortal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MortalServer]:
    with serve(tmp_path_factory.mktemp("mortal")) as server:
        migrate.apply(server.url())
        yield server


def committed_now(server: MortalServer) -> float:
    """An instant between two commits."""
    with connect(server.url()) as connection:
        row = connection.execute("SELECT extract(epoch FROM clock_timestamp())::float").fetchone()
        assert row
        return float(row[0])


def put_in_cart(connection: psycopg.Connection, start: datetime) -> tuple[UUID, UUID]:
    school, cart, item = School(connection), uuid4(), uuid4()
    course = school.course(uuid4().hex)
    tutor = school.tutor(course)
    connection.execute(
        "INSERT INTO carts (product, id, session_hash, created_at, updated_at) VALUES ('tutoring', %s, %s, "
        "now(), now())",
        (cart, fingerprint(cart.hex)),
    )
    connection.execute(
        "INSERT INTO cart_sessions (id, cart_id, course_id, tutor_id, tutor_selection, start_datetime, duration_min,"
        "                        unit_price_cad, line_total_cad, hold_expires_at, created_at)"
        " VALUES (%s, %s, %s, %s, 'auto', %s, 60, 45, 45, %s, now())",
        (item, cart, course, tutor, start, start),
    )
    return cart, item


def test_an_effect_is_late_when_it_was_committed_later_whatever_its_row_says(mortal: MortalServer) -> None:
    url = mortal.url()
    with psycopg.connect(url) as writer:
        cart, item = put_in_cart(writer, MONDAY)
        given_up = committed_now(mortal)
        assert written_since(url, OWNER, given_up, being_paid=False) == []
        writer.commit()

    late = written_since(url, OWNER, given_up, being_paid=False)

    assert {(effect.what, effect.id) for effect in late} == {("item", str(item)), ("cart", str(cart))}
    assert all(effect.committed_at.timestamp() > given_up for effect in late)
    assert written_since(url, OWNER, committed_now(mortal), being_paid=False) == []
    assert written_since(url, OTHER, given_up, being_paid=False) == []
    assert written_since(url, OWNER, given_up, being_paid=True) == []


def test_a_session_opened_too_late_is_seen_also_while_a_payment_is_on_its_way(mortal: MortalServer) -> None:
    url = mortal.url()
    given_up = committed_now(mortal)
    with connect(url) as writer:
        user = School(writer).user("client1.7@exemple.ca")
        writer.execute(
            "INSERT INTO auth_sessions (token_hash, user_id, created_at, expires_at)"
            " VALUES (%s, %s, now(), now() + interval '1 day')",
            (fingerprint("jeton"), user),
        )

    (late,) = written_since(url, OWNER, given_up, being_paid=True)

    assert (late.what, late.id) == ("session", fingerprint("jeton").hex())


def test_a_backend_at_work_is_seen_with_its_age(database: Database) -> None:
    with (
        psycopg.connect(database.url, autocommit=True) as watcher,
        psycopg.connect(database.settings["DATABASE_URL"]) as web,
    ):
        assert at_work(watcher) == []
        web.execute("SELECT 'mine'")

        (backend,) = at_work(watcher)
        pid = web.info.backend_pid

    assert (backend.pid, backend.role, backend.state) == (pid, "booking_web", "idle in transaction")
    assert 0 <= backend.seconds < 60
    assert backend.query == "SELECT 'mine'"


def test_what_was_promised_and_is_not_there_is_seen(database: Database) -> None:
    promised = Promised(
        orders={"6d1f1e2a-0000-4000-8000-000000000001"}, cancelled={"6d1f1e2a-0000-4000-8000-000000000002"}
    )
    with psycopg.connect(database.url) as connection:
        assert list(broken_promises(connection, promised)) == [
            "a promised order that is not there: 6d1f1e2a-0000-4000-8000-000000000001",
            "a promised cancellation that is not there: 6d1f1e2a-0000-4000-8000-000000000002",
        ]
        assert list(broken_promises(connection, Promised())) == []


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGQUIT])
def test_a_server_that_was_killed_is_there_again_with_what_it_had_committed(
    tmp_path: Path, how: signal.Signals
) -> None:
    with serve(tmp_path) as server:
        with connect(server.url()) as connection:
            connection.execute("CREATE TABLE kept AS SELECT 7 AS number")

        server.signal(how)
        server.start_again()

        with connect(server.url()) as connection:
            assert connection.execute("SELECT number FROM kept").fetchone() == (7,)
