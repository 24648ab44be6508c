"""The SQL that tutoring alone needs to sell its sessions."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from psycopg import Connection, Cursor
from psycopg.rows import class_row


@dataclass(frozen=True, slots=True)
class LineSummary:
    """`appointment_id` is None when the session could not be booked."""

    appointment_id: UUID | None
    course_title_fr: str
    tutor_display_name: str
    start: datetime
    end: datetime
    duration_min: int
    price_cad: Decimal
    discount_share_cad: Decimal


def select_lines(connection: Connection[Any], order_id: UUID) -> Cursor[LineSummary]:
    """The lines of an order by start."""
    return connection.cursor(row_factory=class_row(LineSummary)).execute(
        """
        SELECT appointments.id AS appointment_id, courses.title_fr AS course_title_fr,
               tutors.display_name AS tutor_display_name, session.start_datetime AS start,
               session.end_datetime AS "end", session.duration_min, item.line_total_cad AS price_cad,
               item.discount_share_cad
          FROM order_items AS item
          JOIN session_items AS session ON session.id = item.id
          JOIN courses ON courses.id = session.course_id
          JOIN tutors ON tutors.id = session.tutor_id
          LEFT JOIN appointments ON appointments.order_item_id = item.id
         WHERE item.order_id = %(order_id)s
         ORDER BY session.start_datetime
        """,
        {"order_id": order_id},
    )
