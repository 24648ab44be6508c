"""What a client's requests have left in the database, and when it was committed.

A client owns days: nobody else books on them, so every row of those days is of a request of theirs. PostgreSQL keeps
when each row's last writer committed (`track_commit_timestamp`), so an effect that appeared after its request was
given up is one row with a later time.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

import psycopg
from psycopg.rows import class_row

from tests.faults.server import connect

PATIENCE_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Effect:
    """A row and when its last writer committed."""

    what: str
    id: str
    committed_at: datetime

    def __str__(self) -> str:
        return f"{self.what} {self.id} committed at {self.committed_at:%H:%M:%S.%f}"


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose rows they are: by the days they book on, and by the e-mails of the people they play (LIKE)."""

    days: Sequence[date]
    emails: str


def written_since(url: str, owner: Owner, since: float, *, being_paid: bool) -> list[Effect]:
    """The rows written after an instant. Waits for a server that is being started again.

    While a payment is on its way, Stripe's events and the schedules book it whatever the client's requests do: only
    sessions that were opened are the request's own.
    """
    give_up_at = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            with connect(url) as connection:
                return _written_since(connection, owner, datetime.fromtimestamp(since, UTC), being_paid)
        except psycopg.OperationalError:
            if time.monotonic() > give_up_at:
                raise
            time.sleep(0.2)


def _written_since(
    connection: psycopg.Connection[Any], owner: Owner, since: datetime, being_paid: bool
) -> list[Effect]:
    connection.execute("SET lock_timeout = '20s'")  # a table that somebody locked can be read later
    return (
        connection.cursor(row_factory=class_row(Effect))
        .execute(
            """
            WITH people AS MATERIALIZED (SELECT id FROM users WHERE email LIKE %(emails)s),
                 items AS MATERIALIZED (
                    SELECT id, cart_id, xmin FROM cart_sessions
                     WHERE (start_datetime AT TIME ZONE 'America/Toronto')::date = ANY(%(days)s)),
                 theirs AS MATERIALIZED (
                    SELECT id, xmin FROM carts
                     WHERE id IN (SELECT cart_id FROM items) OR user_id IN (SELECT id FROM people))
            SELECT what, id, committed_at
              FROM (SELECT 'session' AS what, encode(token_hash, 'hex') AS id,
                           pg_xact_commit_timestamp(xmin) AS committed_at
                      FROM auth_sessions WHERE user_id IN (SELECT id FROM people)
                     UNION ALL
                    SELECT what, id::text, pg_xact_commit_timestamp(xmin)
                      FROM (SELECT 'item' AS what, id, xmin FROM items
                             UNION ALL SELECT 'cart', id, xmin FROM theirs
                             UNION ALL
                            SELECT 'claim', id, xmin FROM time_claims
                             WHERE (lower(during) AT TIME ZONE 'America/Toronto')::date = ANY(%(days)s)
                             UNION ALL
                            SELECT 'appointment', id, xmin FROM appointments
                             WHERE (start_datetime AT TIME ZONE 'America/Toronto')::date = ANY(%(days)s)
                             UNION ALL
                            SELECT 'checkout', id, xmin FROM checkouts -- that no schedule and no question has touched
                             WHERE cart_id IN (SELECT id FROM theirs) AND status IN ('open', 'processing')
                               AND asked_at IS NULL AND followed_at IS NULL) AS made
                     WHERE NOT %(being_paid)s) AS effects
             WHERE committed_at > %(since)s
             ORDER BY committed_at
            """,
            {"days": list(owner.days), "emails": owner.emails, "since": since, "being_paid": being_paid},
        )
        .fetchall()
    )
