"""What becomes of an appointment's claim: it moves or is given back. The tutor is locked (`claims.lock_tutors`)."""

from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg import Connection

from domain.scheduling.claims import Claim, clear_expired


def move(connection: Connection[Any], claim: Claim, now: datetime) -> None:
    """Move an appointment's claim to another time in one statement: nobody can slip in between, on either side.

    Raises psycopg.errors.ExclusionViolation when somebody else owns any of that time.
    """
    clear_expired(connection, claim, now)
    connection.execute(
        """
        UPDATE time_claims SET during = tstzrange(%(start)s, %(end)s)
         WHERE id = %(id)s AND kind = 'appointment'
        """,
        {"id": claim.id, "start": claim.start, "end": claim.end},
    )


def give_back(connection: Connection[Any], appointment_id: UUID) -> None:
    """An appointment's time is free at the instant this commits."""
    connection.execute(
        "DELETE FROM time_claims WHERE id = %(id)s AND kind = 'appointment'", {"id": appointment_id}
    )
