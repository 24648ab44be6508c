"""Who works on the database, and what it ends when nobody waits for it any more (decision 23)."""

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from adapters import database as adapter
from functions.migrate import app as migrate
from local.configuration import ROLES
from tests.conftest import Database

LIMITS = {
    "booking_web": ("8s", "3s", "8s", "8s", "250ms"),
    "booking_jobs": ("25s", "5s", "25s", "25s", "250ms"),
}
SETTINGS = (
    "statement_timeout",
    "lock_timeout",
    "idle_in_transaction_session_timeout",
    "transaction_timeout",
    "client_connection_check_interval",
)


@pytest.mark.usefixtures("configured")
def test_requests_and_jobs_come_as_their_role_with_its_limits() -> None:
    for connection in (adapter.connection(), adapter.connection_for_jobs()):
        row = connection.execute("SELECT current_user").fetchone()
        assert row
        known = tuple(
            connection.execute("SELECT current_setting(%s)", (name,)).fetchall()[0][0] for name in SETTINGS
        )
        assert known == LIMITS[row[0]]
    assert adapter.connection() is not adapter.connection_for_jobs()


def test_without_an_address_of_their_own_jobs_take_that_of_requests(
    configured: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DATABASE_JOBS_URL")

    assert adapter.connection_for_jobs() is adapter.connection()


@pytest.mark.parametrize("role", ROLES.values())
@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TABLE mine ()",
        "DROP TABLE orders",
        "ALTER TABLE orders ADD COLUMN mine text",
        "TRUNCATE outbox",
        "CREATE ROLE helper",
        "ALTER TABLE line_returns DISABLE TRIGGER ALL",
        "DELETE FROM _yoyo_migration",
        "CREATE OR REPLACE FUNCTION takes_money(text) RETURNS boolean LANGUAGE sql RETURN false",
    ],
)
def test_a_role_owns_nothing_and_changes_no_schema(database: Database, role: str, statement: str) -> None:
    with (
        psycopg.connect(database.url, user=role) as connection,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        connection.execute(statement)


def test_a_table_of_a_later_migration_is_theirs_to_use(database: Database) -> None:
    with psycopg.connect(database.url) as owner:
        owner.execute("CREATE TABLE later (id int GENERATED ALWAYS AS IDENTITY, number serial)")
    for role in ROLES.values():
        with psycopg.connect(database.url, user=role) as connection:
            connection.execute("INSERT INTO later DEFAULT VALUES")
            connection.execute("UPDATE later SET number = 7")
            connection.execute("DELETE FROM later")


def test_each_role_gets_the_password_in_its_address_and_the_owner_keeps_its_own(database: Database) -> None:
    """Rolled out by running the migration function; what the server is sent is what it keeps."""
    addresses = [make_conninfo(database.url, user=role, password=f"of {role}") for role in ROLES.values()]

    given = migrate.set_passwords(database.url, *addresses, make_conninfo(database.url, password="another"))

    with psycopg.connect(database.url) as owner:
        kept: dict[str, str | None] = dict(
            owner.execute("SELECT rolname, rolpassword FROM pg_authid WHERE rolcanlogin").fetchall()
        )
        for role in ROLES.values():
            owner.execute(psycopg.sql.SQL("ALTER ROLE {} PASSWORD NULL").format(psycopg.sql.Identifier(role)))
    assert given == list(ROLES.values())
    assert all(str(kept[role]).startswith("SCRAM-SHA-256$") for role in ROLES.values())
    assert kept["postgres"] is None


def test_an_address_without_a_password_changes_none(database: Database) -> None:
    assert migrate.set_passwords(database.url, *database.settings.values()) == []
