"""What is on its way, and what is stuck."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg import Connection
from psycopg.rows import class_row


@dataclass(frozen=True, slots=True)
class Backlog:
    """`oldest_due_seconds` is how late the event is that has been due the longest, 0 when none is."""

    oldest_due_seconds: int
    pending: int
    held: int
    skipped: int
    exhausted: int
    endpoints_left_alone: int


NOTHING = Backlog(0, 0, 0, 0, 0, 0)


def read_backlog(connection: Connection[Any], now: datetime) -> Backlog:
    """How many events wait for what. `exhausted` and `skipped` count for as long as nobody did anything about them."""
    return (
        connection.cursor(row_factory=class_row(Backlog))
        .execute(
            """
            SELECT coalesce(greatest(0, extract(epoch FROM %(now)s - min(next_attempt_at)
                     FILTER (WHERE status IN ('pending', 'retrying', 'enqueued', 'delivering')))), 0)::integer
                       AS oldest_due_seconds,
                   count(*) FILTER (WHERE status IN ('pending', 'retrying', 'enqueued', 'delivering')) AS pending,
                   count(*) FILTER (WHERE status = 'held') AS held,
                   count(*) FILTER (WHERE status = 'skipped') AS skipped,
                   count(*) FILTER (WHERE status = 'exhausted') AS exhausted,
                   (SELECT count(*) FROM webhook_endpoints WHERE state <> 'active') AS endpoints_left_alone
              FROM outbox
             WHERE status IN ('pending', 'retrying', 'enqueued', 'delivering', 'held', 'skipped', 'exhausted')
            """,
            {"now": now},
        )
        .fetchone()
        or NOTHING
    )
