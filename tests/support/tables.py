"""Every row of every table, to tell that a refused request wrote nothing."""

from typing import Any

from psycopg import Connection
from psycopg.sql import SQL, Identifier

type Dump = dict[str, list[str]]


def dump(connection: Connection[Any], *, besides: tuple[str, ...] = ()) -> Dump:
    """The rows of each table as text, in a stable order; tables named in `besides` are left out."""
    names = connection.execute(
        "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
        " AND relname !~ 'yoyo' ORDER BY relname"
    ).fetchall()
    return {name: _rows(connection, name) for (name,) in names if name not in besides}


def _rows(connection: Connection[Any], table: str) -> list[str]:
    query = SQL("SELECT rows::text FROM {} AS rows ORDER BY 1").format(Identifier(table))
    return [text for (text,) in connection.execute(query)]
