"""How many pages PostgreSQL touches for what somebody does, and for each statement of it.

Statements are seen as they run: auto_explain sends the plan of each with the pages it touched, as a notice, those
inside functions, of triggers and of foreign keys included. What all of it touched is PostgreSQL's own count for tables
and indexes, which also has what planning looks up and what is checked when a transaction commits.
"""

import json
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from psycopg import Connection, sql
from psycopg.errors import Diagnostic

from adapters import database

FIRST_OF_OURS = 16384
"""The system's own tables have lower numbers."""

SETTINGS = {
    "session_preload_libraries": "auto_explain",
    "auto_explain.log_min_duration": "0",
    "auto_explain.log_analyze": "on",
    "auto_explain.log_buffers": "on",
    "auto_explain.log_timing": "off",
    "auto_explain.log_nested_statements": "on",
    "auto_explain.log_parameter_max_length": "0",
    "auto_explain.log_format": "json",
    "auto_explain.log_level": "notice",
}


@dataclass
class Run:
    """One run of an errand: the pages of each statement, by its text, and the tables that were read whole."""

    pages: int = 0
    statements: dict[str, int] = field(default_factory=dict)
    read_whole: set[str] = field(default_factory=set)

    def hear(self, told: dict[str, Any]) -> None:
        """A statement has run by that plan."""
        text, plan = " ".join(told["Query Text"].split()), told["Plan"]
        pages = plan["Shared Hit Blocks"] + plan["Shared Read Blocks"]
        self.statements[text] = max(pages, self.statements.get(text, 0))
        self.read_whole.update(_read_whole(plan))


def let_watch(owner: Connection[Any]) -> None:
    """Whoever connects to this database from now on is sent its plans. Only a superuser may say so."""
    statement = sql.SQL("ALTER DATABASE {database} SET {setting} = {value}")
    for setting, value in SETTINGS.items():
        owner.execute(
            statement.format(
                database=sql.Identifier(owner.info.dbname),
                setting=sql.Identifier(*setting.split(".")),
                value=sql.Literal(value),
            )
        )


class Watch:
    """Watches what this process does on its connections, and on the owner's. Both began after `let_watch`."""

    def __init__(self, owner: Connection[Any]) -> None:
        self.runs: dict[str, list[Run]] = defaultdict(list)
        self._owner = owner
        self._connections: list[Connection[Any]] = []
        self._run: Run | None = None

    @contextmanager
    def over(self, errand: str) -> Iterator[None]:
        """What is done in the block is one run of that errand."""
        for connection in (self._owner, database.connection(), database.connection_for_jobs()):
            self._listen_to(connection)
        before = self._touched()
        self._run = run = Run()
        yield
        self._run = None
        run.pages = self._touched() - before
        self.runs[errand].append(run)

    def _listen_to(self, connection: Connection[Any]) -> None:
        """From its first use a statement is prepared, so that the plan for any values comes soon if it comes at all."""
        if connection not in self._connections:
            connection.prepare_threshold = 0
            connection.add_notice_handler(self._hear)
            self._connections.append(connection)

    def _hear(self, notice: Diagnostic) -> None:
        _, _, told = (notice.message_primary or "").partition("plan:\n")
        if self._run and told:
            self._run.hear(json.loads(told))

    def _touched(self) -> int:
        """Pages of tables and indexes until now, by everybody who has been listened to."""
        for connection in self._connections:
            connection.execute("SELECT pg_stat_force_next_flush()")
        ((pages,),) = self._owner.execute(
            "SELECT sum(pg_stat_get_blocks_fetched(oid)) FROM pg_class WHERE oid >= %s", [FIRST_OF_OURS]
        ).fetchall()
        return int(pages)


def _read_whole(node: dict[str, Any]) -> Iterator[str]:
    if node["Node Type"] == "Seq Scan" and node["Actual Loops"]:
        yield node["Relation Name"]
    for child in node.get("Plans", ()):
        yield from _read_whole(child)
