"""Migrations are applied once each, in order, whole, from wherever they are packaged."""

import importlib.util
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from functions.migrate import app as migrate
from local import postgres as local_postgres

EVERYTHING = [path.stem for path in sorted(Path("migrations").glob("*.sql"))]


@pytest.fixture
def empty_database(postgres: local_postgres.Server) -> Iterator[str]:
    yield postgres.create_database("empty")
    postgres.drop_database("empty")


def test_they_run_twice_and_several_times_at_once(empty_database: str) -> None:
    applied: list[list[str]] = []
    rivals = [
        threading.Thread(target=lambda: applied.append(migrate.apply(empty_database))) for _ in range(3)
    ]
    for rival in rivals:
        rival.start()
    for rival in rivals:
        rival.join()

    assert sorted(applied, key=len) == [[], [], EVERYTHING]
    assert migrate.apply(empty_database) == []


def test_the_function_answers_what_it_applied(empty_database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", empty_database)

    assert migrate.lambda_handler({}, None) == {"applied": EVERYTHING}


def test_a_migration_may_hold_functions_and_fails_whole(
    empty_database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "0001_functions.sql").write_text(
        """
        CREATE TABLE t (x int);
        CREATE FUNCTION grow() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN IF NEW.x % 2 = 0 THEN NEW.x := NEW.x * 10; END IF; RETURN NEW; END $$;
        CREATE TRIGGER grows BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION grow();
        CREATE FUNCTION plant() RETURNS int LANGUAGE sql BEGIN ATOMIC INSERT INTO t VALUES (2); SELECT 1; END;
        DO $block$ BEGIN PERFORM plant(); END $block$;
        """
    )
    (tmp_path / "0002_broken.sql").write_text("CREATE TABLE half (x int); SELECT no_such_function();")
    monkeypatch.setattr(migrate, "_folder", lambda: tmp_path)

    with pytest.raises(psycopg.errors.UndefinedFunction):
        migrate.apply(empty_database)

    with psycopg.connect(empty_database) as connection:
        assert connection.execute("SELECT x FROM t").fetchall() == [(20,)]
        assert connection.execute("SELECT to_regclass('half')").fetchone() == (None,)


def test_packaged_for_lambda_they_are_beside_the_function(empty_database: str, tmp_path: Path) -> None:
    shutil.copy(migrate.__file__, tmp_path / "app.py")
    (tmp_path / "migrations").mkdir()
    (tmp_path / "migrations" / "0001_packaged.sql").write_text("CREATE TABLE packaged ();")
    spec = importlib.util.spec_from_file_location("packaged_migrate", tmp_path / "app.py")
    assert spec
    assert spec.loader
    packaged = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(packaged)

    assert packaged.apply(empty_database) == ["0001_packaged"]
