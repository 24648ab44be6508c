"""What health tells apart: the way to the database, its door, its schema, and what guards the books (UR-24)."""

from pathlib import Path
from typing import Any

import pytest
from psycopg import OperationalError, connect
from psycopg.conninfo import make_conninfo

from adapters import database as adapter
from adapters import schema
from functions.system import app as system
from tests.conftest import Database
from tests.support.world import World


def health(world: World) -> tuple[int, str, dict[str, Any]]:
    answer = world.browser().get("/v1/health")
    checks = {name: check.get("reason") for name, check in answer.body["checks"].items()}
    return answer.status, answer.body["status"], checks


def test_all_is_well(world: World) -> None:
    assert health(world) == (200, "ok", {"database": None, "schema": None, "integrity": None})


@pytest.mark.parametrize("table", ["orders", "line_returns"])
def test_a_missing_table(world: World, table: str) -> None:
    world.connection.execute(f"ALTER TABLE {table} RENAME TO elsewhere")

    status, said, checks = health(world)
    assert (status, said, checks["schema"]) == (503, "failing", "tables_missing")


def test_a_schema_behind_the_code(world: World) -> None:
    world.connection.execute(
        "DELETE FROM _yoyo_migration WHERE migration_id = %s", (schema.NEWEST_MIGRATION,)
    )

    assert health(world) == (503, "failing", {"database": None, "schema": "behind", "integrity": None})


def test_a_database_that_nobody_migrated(world: World) -> None:
    world.connection.execute("ALTER TABLE _yoyo_migration RENAME TO elsewhere")

    assert health(world) == (503, "failing", {"database": None, "schema": "behind"})


@pytest.mark.parametrize(
    "statement",
    [
        "ALTER TABLE time_claims DROP CONSTRAINT time_claims_one_owner_per_minute",
        "ALTER TABLE order_items DROP CONSTRAINT order_items_return_at_most_what_was_paid",
        "ALTER TABLE line_returns DISABLE TRIGGER line_returns_count",
        "DROP TRIGGER line_returns_count ON line_returns",
        "DROP TRIGGER credit_transactions_enter ON credit_transactions",
    ],
)
def test_a_guard_that_is_gone(world: World, statement: str) -> None:
    world.connection.execute(statement)

    assert health(world) == (
        503,
        "failing",
        {"database": None, "schema": None, "integrity": "guards_missing"},
    )


def test_a_server_that_takes_no_writes(world: World, configured: Database) -> None:
    """A standby, or a writer that another has taken over from: nothing can be sold there."""
    world.connection.execute(
        f'ALTER DATABASE "{world.connection.info.dbname}" SET default_transaction_read_only = on'
    )
    adapter.disconnect()

    assert health(world) == (503, "failing", {"database": "read_only", "schema": None, "integrity": None})


def test_a_server_that_is_full_is_not_taken_for_a_wrong_password(world: World, configured: Database) -> None:
    world.connection.execute("CREATE ROLE crowded LOGIN PASSWORD 'right' CONNECTION LIMIT 0")
    with pytest.raises(OperationalError) as full:
        connect(make_conninfo(configured.url, user="crowded", password="right"))
    world.connection.execute("DROP ROLE crowded")
    assert ("too many connections" in str(full.value), adapter.is_refusal(full.value)) == (True, False)


def test_a_register_that_is_locked_is_told_apart_from_the_way_there(
    world: World, configured: Database
) -> None:
    with connect(configured.url) as rival:
        rival.execute("LOCK TABLE _yoyo_migration")
        assert health(world) == (503, "failing", {"database": None, "schema": "unreachable"})


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"port": "1"}, "unreachable"),
        ({"user": "nobody_we_know"}, "credentials"),
        ({"dbname": "nothing"}, "credentials"),
    ],
)
def test_who_cannot_get_in(
    world: World, configured: Database, monkeypatch: pytest.MonkeyPatch, changes: dict[str, str], reason: str
) -> None:
    monkeypatch.setenv("DATABASE_URL", make_conninfo(configured.url, **changes))
    adapter.disconnect()

    assert health(world) == (503, "failing", {"database": reason})


def test_the_code_knows_each_table_and_the_newest_migration(world: World) -> None:
    tables = world.rows(
        "SELECT tablename AS name FROM pg_tables WHERE schemaname = 'public' AND tablename !~ 'yoyo'"
    )

    assert sorted(schema.TABLES) == sorted(row["name"] for row in tables)
    assert max(path.stem for path in Path("migrations").glob("*.sql")) == schema.NEWEST_MIGRATION


def test_each_guard_is_a_constraint(world: World) -> None:
    known = world.rows(
        "SELECT conname AS name FROM pg_constraint WHERE conname = ANY(%s)", list(schema.GUARDS)
    )

    assert sorted(row["name"] for row in known) == sorted(schema.GUARDS)


def test_it_looks_for_every_trigger(world: World) -> None:
    known = world.rows("SELECT tgname AS name FROM pg_trigger WHERE NOT tgisinternal")

    assert sorted(row["name"] for row in known) == sorted(schema.TRIGGERS)


def test_it_knows_its_commit(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "COMMIT").write_text("0123abc\n")
    (tmp_path / "adapters").mkdir()
    system.commit.cache_clear()
    assert world.browser().get("/v1/health").body["commit"] is None
    system.commit.cache_clear()
    monkeypatch.setattr(schema, "__file__", str(tmp_path / "adapters" / "schema.py"))

    assert world.browser().get("/v1/health").body["commit"] == "0123abc"
    system.commit.cache_clear()
