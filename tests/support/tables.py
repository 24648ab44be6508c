"""Everything the database holds, so that a test can say: nothing was written."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Any

from psycopg import Connection, sql


def contents(connection: Connection[Any], besides: Collection[str] = ()) -> dict[str, list[str]]:
    """Every row of every table of ours, as text; tables named in `besides` are left out."""
    tables = connection.execute(
        "SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename !~ 'yoyo' ORDER BY 1"
    ).fetchall()
    every_row = sql.SQL("SELECT row::text FROM {table} AS row ORDER BY 1")
    return {
        table: [
            text for (text,) in connection.execute(every_row.format(table=sql.Identifier(table))).fetchall()
        ]
        for (table,) in tables
        if table not in besides
    }


@contextmanager
def nothing_written(connection: Connection[Any]) -> Iterator[None]:
    """Fails when what happens inside leaves any row added, changed or gone."""
    before = contents(connection)
    yield
    assert contents(connection) == before
