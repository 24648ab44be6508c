"""A real PostgreSQL for every test that asks: one server a session, a fresh migrated database a test."""

import os
import uuid
import zoneinfo
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

from functions.migrate import app as migrate
from local import postgres as local_postgres
from local.configuration import as_roles
from tests.support.memory import in_memory_or

os.environ["PYTHONTZPATH"] = ""  # for the processes that tests start; this one has read it already
zoneinfo.reset_tzpath()
os.environ.setdefault("POWERTOOLS_SERVICE_NAME", "booking")
os.environ.setdefault("WEBHOOK_EVENTS_PER_SECOND", "1000")  # nobody waits but where the pace is what is tried
os.environ.setdefault("POWERTOOLS_METRICS_NAMESPACE", "FourAS")


DROPPED_TOGETHER = 50


@dataclass(frozen=True)
class Database:
    """A database that only this test sees. `url` is its owner's."""

    name: str
    url: str

    @property
    def settings(self) -> dict[str, str]:
        """How the functions reach it, as the roles they sign in as."""
        return as_roles(self.url)


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[local_postgres.Server]:
    """The server of this session; `log` is where it reports deadlocks."""
    with (
        in_memory_or(tmp_path_factory.mktemp("postgres")) as home,
        local_postgres.serve(home, durable=False, keep=Path(".local/cache")) as server,
    ):
        yield server


@pytest.fixture(scope="session")
def migrated_template(postgres: local_postgres.Server) -> Iterator[str]:
    """The name of a database with every migration applied and no other row: cloned, never used."""
    name = _new_name("template")
    migrate.apply(postgres.create_database(name))
    yield name
    postgres.drop_database(name)


@pytest.fixture(scope="session")
def used(postgres: local_postgres.Server) -> Iterator[list[str]]:
    """The databases of tests that have ended. They are dropped together: after a drop, the next copy is slow."""
    names: list[str] = []
    yield names
    _drop(postgres, names)


@pytest.fixture
def database(postgres: local_postgres.Server, migrated_template: str, used: list[str]) -> Iterator[Database]:
    """A fresh copy of the migrated template."""
    name = _new_name("test")
    yield Database(name, postgres.create_database(name, migrated_template))
    used.append(name)
    if len(used) == DROPPED_TOGETHER:
        _drop(postgres, used)


@pytest.fixture
def connection(database: Database) -> Iterator[psycopg.Connection]:
    """One connection to this test's database."""
    with psycopg.connect(database.url) as connection:
        yield connection


def _drop(postgres: local_postgres.Server, names: list[str]) -> None:
    while names:
        postgres.drop_database(names.pop())


def _new_name(kind: str) -> str:
    return f"{kind}_{uuid.uuid4().hex[:12]}"
