"""Writers whom PostgreSQL ends, without a rival: the first who writes to a table, or every one."""

from typing import Any, LiteralString

from psycopg import Connection

ENDED: LiteralString = """
CREATE SEQUENCE writers;
CREATE FUNCTION end_writer() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS
$$
BEGIN
    IF nextval('public.writers') <= TG_ARGV[0]::bigint THEN
        RAISE EXCEPTION 'a writer too many' USING ERRCODE = TG_ARGV[1];
    END IF;
    RETURN NULL;
END
$$
"""
"""A sequence counts the writers: it does not go back when a transaction is undone."""


def first_writer_of(connection: Connection[Any], table: str) -> None:
    """From now on, whoever writes to the table first is the victim of a deadlock."""
    _end(connection, f"INSERT OR UPDATE OR DELETE ON {table}", 1, "40P01")


def every_writer_of(connection: Connection[Any], what: str) -> None:
    """From now on, no transaction succeeds in this, which reads as a trigger does: `INSERT ON outbox`."""
    _end(connection, what, 1_000_000, "P0001")


def writers(connection: Connection[Any]) -> int:
    """How many rows were written, or would have been, since then."""
    row = connection.execute("SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM writers").fetchone()
    return int(row[0]) if row else 0


def _end(connection: Connection[Any], what: str, how_many: int, sqlstate: str) -> None:
    connection.execute(ENDED)
    connection.execute(
        f"CREATE TRIGGER ends AFTER {what} FOR EACH ROW"
        f" EXECUTE FUNCTION end_writer('{how_many}', '{sqlstate}')"
    )
