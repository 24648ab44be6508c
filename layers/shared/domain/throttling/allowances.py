"""Spending what a limit allows (0017)."""

from datetime import datetime
from typing import Any

from psycopg import Connection
from psycopg.rows import scalar_row

from domain.errors import Refused
from domain.ids import fingerprint
from domain.throttling.limits import Limit


def spend(
    connection: Connection[Any], limit: Limit, subject: str, most: int, now: datetime, units: int = 1
) -> None:
    """Take units of what the limit allows somebody: all of it at once at the most, then evenly over the period.

    `subject` is whose it is, an address or an e-mail; only its digest is kept. Asking for more than `most` is asking
    for `most`. Refuses with RATE_LIMITED, and when it is worth trying again.
    """
    wait = _move(connection, limit, subject, most, now, units)
    if wait is not None:
        raise Refused("RATE_LIMITED", retry_after=wait)


def give_back(
    connection: Connection[Any], limit: Limit, subject: str, most: int, now: datetime, units: int = 1
) -> None:
    """Undo a `spend` whose occasion was none."""
    _move(connection, limit, subject, most, now, -min(units, most))


def delete_unspent(connection: Connection[Any], now: datetime, at_most: int) -> int:
    """Forget up to `at_most` of those who have all of their allowance again; answers how many."""
    return connection.execute(
        """
        WITH whole AS MATERIALIZED (
            SELECT bucket, subject FROM allowances WHERE spent_until <= %(now)s
             LIMIT %(at_most)s FOR UPDATE SKIP LOCKED)
        DELETE FROM allowances USING whole
         WHERE (allowances.bucket, allowances.subject) = (whole.bucket, whole.subject)
        """,
        {"now": now, "at_most": at_most},
    ).rowcount


def _move(
    connection: Connection[Any], limit: Limit, subject: str, most: int, now: datetime, units: int
) -> int | None:
    wait: int | None = (
        connection.cursor(row_factory=scalar_row)
        .execute(
            """
        SELECT spend_allowance(%(bucket)s, %(subject)s, %(most)s, %(period)s, %(now)s, %(units)s)
        """,
            {
                "bucket": limit.name,
                "subject": fingerprint(subject),
                "most": most,
                "period": limit.period,
                "now": now,
                "units": units,
            },
        )
        .fetchone()
    )
    return wait
