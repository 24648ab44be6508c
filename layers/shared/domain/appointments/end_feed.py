"""Ending the address of somebody's calendar: apart from `calendar`, so that whoever ends it loads nothing else."""

from typing import Any
from uuid import UUID

from psycopg import Connection


def end_feed(connection: Connection[Any], user_id: UUID) -> None:
    """The address opens nothing any more; its owner gets another when they ask."""
    connection.execute("DELETE FROM calendar_feeds WHERE user_id = %(user_id)s", {"user_id": user_id})
