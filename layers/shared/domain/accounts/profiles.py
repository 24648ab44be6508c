"""What people may change of themselves."""

from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg import Connection, Cursor
from psycopg.rows import dict_row


def lock_profile(connection: Connection[Any], user_id: UUID) -> Cursor[dict[str, Any]]:
    """What a person may change of themselves, as nobody else changes it before this transaction ends."""
    return connection.cursor(row_factory=dict_row).execute(
        "SELECT first_name, last_name, phone FROM users WHERE id = %(id)s FOR NO KEY UPDATE", {"id": user_id}
    )


def change_profile(
    connection: Connection[Any], user_id: UUID, profile: dict[str, Any], now: datetime
) -> None:
    connection.execute(
        """
        UPDATE users SET first_name = %(first_name)s, last_name = %(last_name)s, phone = %(phone)s,
               updated_at = %(now)s
         WHERE id = %(id)s
        """,
        {**profile, "id": user_id, "now": now},
    )
