"""The rules of the house that import-linter cannot see: who writes a table, and what a table may refer to.

What breaks them today is listed; the lists may only become shorter. Each rule is seen failing on a planted case.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from tests.conftest import Database
from tests.support.house import (
    OWNERS,
    ROOT,
    Use,
    foreign_queries,
    foreign_writes,
    layers,
    outside_imports,
)

WRITES_OF_TODAY = {Use("cart", "time_claims")}
QUERIES_OF_TODAY: set[Use] = set()
REFERENCES_OF_TODAY = {
    ("coupon_reservations", "checkouts"),
    ("credit_reservations", "checkouts"),
    ("idempotency_keys", "checkouts"),
}

LIBRARIES = {"argon2", "email_validator", "phonenumbers", "psycopg", "pydantic", "pydantic_core"}


@pytest.fixture
def connection(database: Database) -> Iterator[psycopg.Connection]:
    with psycopg.connect(database.url) as connection:
        yield connection


def references(connection: psycopg.Connection) -> set[tuple[str, str]]:
    """Which table refers to which."""
    found = connection.execute(
        "SELECT conrelid::regclass::text, confrelid::regclass::text FROM pg_constraint WHERE contype = 'f'"
    )
    return {(str(one), str(other)) for one, other in found}


def upward(connection: psycopg.Connection) -> set[tuple[str, str]]:
    """Which of them refer to a table of a package above their own."""
    height = layers()
    return {
        (one, other) for one, other in references(connection) if height[OWNERS[one]] < height[OWNERS[other]]
    }


def test_every_table_has_an_owner_in_a_layer(connection: psycopg.Connection) -> None:
    tables = {
        name for (name,) in connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    }

    assert set(OWNERS) == {name for name in tables if "yoyo" not in name}
    assert set(OWNERS.values()) <= set(layers())


def test_only_its_owner_writes_a_table() -> None:
    assert foreign_writes() == WRITES_OF_TODAY


def test_nobody_imports_a_neighbour_s_queries() -> None:
    assert foreign_queries() == QUERIES_OF_TODAY


def test_the_domain_imports_these_libraries_and_no_other() -> None:
    assert outside_imports() - sys.stdlib_module_names == LIBRARIES


def test_tables_refer_to_tables_of_their_own_floor_or_below(connection: psycopg.Connection) -> None:
    assert upward(connection) == REFERENCES_OF_TODAY


# --- Each of them bites -----------------------------------------------------------------------------------------


def planted(folder: Path, package: str, text: str) -> Path:
    (folder / package).mkdir()
    (folder / package / "planted.py").write_text(text, encoding="utf-8")
    return folder


@pytest.mark.parametrize(
    "statement",
    [
        'connection.execute("UPDATE orders SET total_cad = 0")',
        'connection.execute("""\n  WITH one AS (\n INSERT INTO orders VALUES (1) RETURNING id)\n SELECT 1""")',
        'connection.execute(f"DELETE FROM orders WHERE {condition}")',
    ],
)
def test_a_planted_write_is_seen(tmp_path: Path, statement: str) -> None:
    assert foreign_writes(planted(tmp_path, "catalog", statement)) == {Use("catalog", "orders")}
    (tmp_path / "own").mkdir()
    assert foreign_writes(planted(tmp_path / "own", "orders", statement)) == set()


@pytest.mark.parametrize(
    "line",
    [
        "from domain.orders import queries",
        "from domain.orders.queries import select_orders",
        "import domain.orders.queries",
    ],
)
def test_a_planted_import_of_queries_is_seen(tmp_path: Path, line: str) -> None:
    assert foreign_queries(planted(tmp_path, "catalog", line)) == {Use("catalog", "orders")}
    (tmp_path / "own").mkdir()
    assert foreign_queries(planted(tmp_path / "own", "orders", line)) == set()


def test_a_planted_library_is_seen(tmp_path: Path) -> None:
    assert outside_imports(planted(tmp_path, "catalog", "import datetime\nimport boto3")) == {
        "datetime",
        "boto3",
    }


def test_a_planted_reference_upwards_is_seen(connection: psycopg.Connection) -> None:
    connection.execute("ALTER TABLE users ADD COLUMN first_order uuid REFERENCES orders")

    assert upward(connection) - REFERENCES_OF_TODAY == {("users", "orders")}


@pytest.mark.parametrize(
    ("file", "line", "broken"),
    [
        ("domain/cellar/__init__.py", "", "a room on no floor"),
        ("domain/orders/planted.py", "from domain.checkout import settle", "a floor above"),
        ("domain/orders/planted.py", "from domain.credits import ledger", "a neighbour"),
        (
            "domain/appointments/planted.py",
            "from domain.credits import ledger",
            "credits that are no returns",
        ),
        ("domain/training/planted.py", "from domain.catalog import browse", "tutoring, known to trainings"),
        ("domain/training/planted.py", "from domain.scheduling import grid", "tutoring, known to trainings"),
        ("domain/training/planted.py", "from domain.cart import cart", "tutoring, known to trainings"),
        ("domain/tutoring/planted.py", "from domain.training import cta", "trainings, known to tutoring"),
        ("domain/appointments/planted.py", "from domain.training import cta", "trainings, known to tutoring"),
        ("domain/orders/planted.py", "import boto3", "an outside world"),
        ("domain/orders/planted.py", "from adapters import database", "an adapter"),
    ],
)
def test_import_linter_sees_what_is_planted(tmp_path: Path, file: str, line: str, broken: str) -> None:
    for package in ("domain", "adapters"):
        shutil.copytree(ROOT / "layers/shared" / package, tmp_path / package)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    assert linted(tmp_path) == 0

    (tmp_path / file).parent.mkdir(exist_ok=True)
    (tmp_path / file).write_text(line, encoding="utf-8")

    assert linted(tmp_path) == 1, broken


def linted(folder: Path) -> int:
    return subprocess.run(  # noqa: S603  our own linter
        [Path(sys.executable).with_name("lint-imports"), "--no-cache"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder)},
        capture_output=True,
        check=False,
    ).returncode
