"""A person has dealt with money that went back beyond what was paid."""

from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg import Connection

from domain.errors import Refused
from domain.returns import queries
from domain.returns.queries import OverReturn


def list_unresolved(connection: Connection[Any]) -> list[OverReturn]:
    """What waits for a person, oldest first."""
    return queries.select_unresolved(connection).fetchall()


def resolve(connection: Connection[Any], over_return_id: UUID, resolution: str, now: datetime) -> None:
    """Write down what was done about it, in a sentence. Refuses with NOT_FOUND one that is not unresolved."""
    if not queries.resolve_beyond(connection, over_return_id, resolution, now).rowcount:
        raise Refused("NOT_FOUND")
