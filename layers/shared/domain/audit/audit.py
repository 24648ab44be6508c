"""One look at everything, as it was at one instant."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg import Connection
from psycopg.rows import tuple_row

from domain.audit.findings import FINDINGS

SHOWN = 20
LONGEST = "280s"  # less than its function has
FIRST_WITH_TRANSACTION_TIMEOUT = 170000


@dataclass(frozen=True, slots=True)
class Finding:
    """What does not fit, how often, and the ids of the first rows that show it."""

    sentence: str
    count: int
    examples: list[str]

    def __str__(self) -> str:
        more = ", …" if self.count > len(self.examples) else ""
        return f"{self.sentence}: {', '.join(self.examples)}{more}"


def audit(connection: Connection[Any], now: datetime) -> list[Finding]:
    """What does not fit together at this instant; nothing when all is well. Not to be called in a transaction."""
    with connection.transaction():
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        _take_time(connection)
        return look_for(connection, FINDINGS, now)


def _take_time(connection: Connection[Any]) -> None:
    """It reads everything, so it may take longer than a role's work does (0034_roles.sql)."""
    limits = ["statement_timeout"]
    if connection.info.server_version >= FIRST_WITH_TRANSACTION_TIMEOUT:
        limits.append("transaction_timeout")
    for limit in limits:
        connection.execute(
            "SELECT set_config(%(limit)s, %(longest)s, true)", {"limit": limit, "longest": LONGEST}
        )


def look_for(connection: Connection[Any], findings: Mapping[str, str], now: datetime) -> list[Finding]:
    """What these questions find. Each answers rows of one id."""
    cursor = connection.cursor(row_factory=tuple_row)
    found = []
    for sentence, question in findings.items():
        ids = [str(row[0]) for row in cursor.execute(question, {"now": now})]
        if ids:
            found.append(Finding(sentence, len(ids), ids[:SHOWN]))
    return found
