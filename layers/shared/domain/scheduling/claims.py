"""Who owns which minute of a tutor. Every write of a tutor's time goes through here, or through the functions of
migrations 0003 and 0004.

The exclusion constraint on `time_claims` decides; nobody checks first and inserts later. Claims cannot wait for one
another in a circle: who claims several times in one transaction, or clears expired holds out of the way, has locked
the tutors first (`lock_tutors`); who has nothing that others could wait for may just claim.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal
from uuid import UUID

from psycopg import Connection, Cursor

type ClaimKind = Literal["hold", "appointment"]

HOLD_TTL = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class Claim:
    """A stretch of one tutor's time. `id` is the id of the session it protects: a cart item, then an appointment."""

    id: UUID
    tutor_id: UUID
    start: datetime
    end: datetime


def lock_tutors(connection: Connection[Any], tutor_ids: Iterable[UUID]) -> None:
    """Make everyone else who locks these tutors wait until this transaction ends."""
    connection.execute("SELECT lock_tutors(%(ids)s)", {"ids": list(tutor_ids)})


def clear_expired(connection: Connection[Any], claim: Claim, now: datetime) -> None:
    """Delete the expired holds that stand in the way of a claim on a locked tutor, in order of start."""
    connection.execute(
        "SELECT clear_expired(%(tutor_id)s, %(start)s, %(end)s, %(now)s)",
        {"tutor_id": claim.tutor_id, "start": claim.start, "end": claim.end, "now": now},
    )


def hold(connection: Connection[Any], claim: Claim, now: datetime) -> bool:
    """Hold a time of a locked tutor for HOLD_TTL from `now`; False when somebody else owns it."""
    clear_expired(connection, claim, now)
    return _claim(connection, claim, "hold", now + HOLD_TTL)


def book(connection: Connection[Any], claim: Claim, now: datetime) -> bool:
    """Own a time of a locked tutor for an appointment; False when somebody else owns it."""
    clear_expired(connection, claim, now)
    return _claim(connection, claim, "appointment", None)


def _claim(connection: Connection[Any], claim: Claim, kind: ClaimKind, expires_at: datetime | None) -> bool:
    answer = connection.execute(
        "SELECT claim_time(%(id)s, %(tutor_id)s, %(start)s, %(end)s, %(kind)s, %(expires_at)s)",
        {
            "id": claim.id,
            "tutor_id": claim.tutor_id,
            "start": claim.start,
            "end": claim.end,
            "kind": kind,
            "expires_at": expires_at,
        },
    )
    return answer.fetchone() is not None


def turn_holds_into_appointments(
    connection: Connection[Any], ids: Sequence[UUID], now: datetime
) -> Cursor[Any]:
    """Each of these holds that is live at `now` becomes an appointment's claim, in place.

    Rows: the ids that did, each with the tutor whose time it is.

    A live hold is honoured whatever hours changed since it was taken; not when its session has begun, or its tutor
    was deactivated (decision 20).
    """
    return connection.execute(
        """
        UPDATE time_claims SET kind = 'appointment', expires_at = NULL
         WHERE id = ANY(%(ids)s) AND kind = 'hold' AND expires_at > %(now)s AND lower(during) > %(now)s
           AND tutor_id IN (SELECT id FROM tutors WHERE active)
        RETURNING id, tutor_id
        """,
        {"ids": list(ids), "now": now},
    )


def release(connection: Connection[Any], ids: Sequence[UUID]) -> None:
    """Give up holds."""
    connection.execute(
        "DELETE FROM time_claims WHERE id = ANY(%(ids)s) AND kind = 'hold'", {"ids": list(ids)}
    )


def sweep_expired(connection: Connection[Any], now: datetime, at_most: int) -> int:
    """Delete up to `at_most` expired holds that nobody is working on; answers how many."""
    return connection.execute(
        """
        DELETE FROM time_claims WHERE id IN (
            SELECT id FROM time_claims WHERE kind = 'hold' AND expires_at <= %(now)s
             ORDER BY expires_at LIMIT %(at_most)s FOR UPDATE SKIP LOCKED)
        """,
        {"now": now, "at_most": at_most},
    ).rowcount
