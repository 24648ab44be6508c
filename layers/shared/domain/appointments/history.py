"""Every change of an appointment, kept for good (spec 1.4.17)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg import Connection, Cursor
from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from domain.ids import new_id


@dataclass(frozen=True, slots=True)
class Modification:
    """One change. `changed_by_name` is None when a schedule did it."""

    type: str
    reason: str | None
    old_data: Mapping[str, Any]
    new_data: Mapping[str, Any]
    changed_by_role: str | None
    changed_by_name: str | None
    created_at: datetime


def write_modification(
    connection: Connection[Any],
    appointment_id: UUID,
    kind: str,
    by: UUID | None,
    reason: str | None,
    old_data: Mapping[str, Any],
    new_data: Mapping[str, Any],
    sequence: int,
    now: datetime,
) -> UUID:
    """Write one change down; `sequence` is the appointment's once changed. Answers the line's id."""
    modification_id = new_id()
    connection.execute(
        """
        INSERT INTO appointment_modifications (id, appointment_id, modified_by, modification_type, reason, old_data,
                                               new_data, sequence, created_at)
        VALUES (%(id)s, %(appointment_id)s, %(by)s, %(kind)s, %(reason)s, %(old_data)s, %(new_data)s, %(sequence)s,
                %(now)s)
        """,
        {
            "id": modification_id,
            "appointment_id": appointment_id,
            "by": by,
            "kind": kind,
            "reason": reason,
            "old_data": Jsonb(old_data),
            "new_data": Jsonb(new_data),
            "sequence": sequence,
            "now": now,
        },
    )
    return modification_id


def select_modifications(connection: Connection[Any], appointment_id: UUID) -> Cursor[Modification]:
    """The changes of an appointment, newest first; a tutor is named as students know them."""
    return connection.cursor(row_factory=class_row(Modification)).execute(
        """
        SELECT change.modification_type::text AS type, change.reason, change.old_data, change.new_data,
               person.role::text AS changed_by_role,
               coalesce(tutor.display_name, person.first_name || ' ' || person.last_name) AS changed_by_name,
               change.created_at
          FROM appointment_modifications AS change
          LEFT JOIN users AS person ON person.id = change.modified_by
          LEFT JOIN tutors AS tutor ON tutor.id = change.modified_by
         WHERE change.appointment_id = %(appointment_id)s
         ORDER BY change.sequence DESC
        """,
        {"appointment_id": appointment_id},
    )
