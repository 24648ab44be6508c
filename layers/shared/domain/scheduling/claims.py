"""Who owns which minute of a tutor. Every write of a tutor's time goes through here.

The exclusion constraint on `time_claims` decides; nobody checks first and inserts later. Claims wait for one
another only from a smaller (tutor, start) to a greater one, so they cannot wait in a circle:
a caller that claims several times in one transaction locks their tutors first (`lock_tutors`).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from psycopg import Connection, Cursor

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
    connection.execute(
        "SELECT id FROM tutors WHERE id = ANY(%(ids)s) ORDER BY id FOR NO KEY UPDATE",
        {"ids": list(tutor_ids)},
    )


def ask_hold(connection: Connection[Any], claim: Claim, now: datetime) -> Cursor[Any]:
    """Try to hold a time for HOLD_TTL from `now`; `was_held` takes the answer (so that a pipeline can carry more)."""
    return _insert(connection, claim, "hold", now + HOLD_TTL)


def was_held(connection: Connection[Any], answer: Cursor[Any], claim: Claim, now: datetime) -> bool:
    """Whether the time could be had, after clearing expired holds out of its way when there were any."""
    return answer.fetchone() is not None or (
        _clear_expired(connection, claim, now) and ask_hold(connection, claim, now).fetchone() is not None
    )


def hold(connection: Connection[Any], claim: Claim, now: datetime) -> bool:
    """Hold a time for HOLD_TTL from `now`; False when somebody else owns it."""
    return was_held(connection, ask_hold(connection, claim, now), claim, now)


def book(connection: Connection[Any], claim: Claim, now: datetime) -> bool:
    """Own a time for an appointment; False when somebody else owns it."""
    _clear_expired(connection, claim, now)
    return _insert(connection, claim, "appointment", None).fetchone() is not None


def _clear_expired(connection: Connection[Any], claim: Claim, now: datetime) -> bool:
    """Delete the expired holds that stand in the way of a claim, in order of start; whether there were any."""
    answer = connection.execute(
        """
        DELETE FROM time_claims WHERE id IN (
            SELECT id FROM time_claims
             WHERE tutor_id = %(tutor_id)s AND during && tstzrange(%(start)s, %(end)s)
               AND kind = 'hold' AND expires_at <= %(now)s
             ORDER BY during FOR UPDATE)
        RETURNING id
        """,
        {"tutor_id": claim.tutor_id, "start": claim.start, "end": claim.end, "now": now},
    )
    return answer.fetchone() is not None


def _insert(connection: Connection[Any], claim: Claim, kind: str, expires_at: datetime | None) -> Cursor[Any]:
    return connection.execute(
        """
        INSERT INTO time_claims (id, tutor_id, during, kind, expires_at)
        VALUES (%(id)s, %(tutor_id)s, tstzrange(%(start)s, %(end)s), %(kind)s, %(expires_at)s)
        ON CONFLICT DO NOTHING RETURNING id
        """,
        {
            "id": claim.id,
            "tutor_id": claim.tutor_id,
            "start": claim.start,
            "end": claim.end,
            "kind": kind,
            "expires_at": expires_at,
        },
    )


def turn_holds_into_appointments(connection: Connection[Any], ids: Sequence[UUID]) -> Cursor[Any]:
    """Each hold that still stands becomes an appointment's claim, in place. Rows: the ids that did.

    An expired hold that nobody has taken over yet still stands (decision 12).
    """
    return connection.execute(
        """
        UPDATE time_claims SET kind = 'appointment', expires_at = NULL
         WHERE id = ANY(%(ids)s) AND kind = 'hold' RETURNING id
        """,
        {"ids": list(ids)},
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
