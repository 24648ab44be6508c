"""Who did what to what, in the transaction of that action.

A line for every action of an administrator, and for every change of a profile (OP-S03).
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg import Connection
from psycopg.types.json import Jsonb


def note_action(
    connection: Connection[Any],
    actor_id: UUID | None,
    action: str,
    entity: str,
    entity_id: str,
    before: Mapping[str, Any] | None,
    after: Mapping[str, Any] | None,
    now: datetime,
) -> None:
    """Write one line. `actor_id` is None for the command line.

    Before and after hold no personal data but what somebody changed of a profile, which OP-S03 asks for.
    """
    connection.execute(
        """
        INSERT INTO audit_log (at, actor_id, action, entity, entity_id, before, after)
        VALUES (%(now)s, %(actor_id)s, %(action)s, %(entity)s, %(entity_id)s, %(before)s, %(after)s)
        """,
        {
            "now": now,
            "actor_id": actor_id,
            "action": action,
            "entity": entity,
            "entity_id": entity_id,
            "before": None if before is None else Jsonb(before),
            "after": None if after is None else Jsonb(after),
        },
    )
