"""The lines of an order of trainings, each with the access that it gave."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from psycopg import Connection
from psycopg.rows import dict_row

from domain.training.enrolments import EnrolmentStatus


@dataclass(frozen=True, slots=True)
class Given:
    """Access that a line gave."""

    id: UUID
    starts_at: datetime
    expires_at: datetime
    status: EnrolmentStatus


@dataclass(frozen=True, slots=True)
class AccessSold:
    """A line of an order. It has no enrolment when the buyer had access already: it is given back."""

    id: UUID
    title_fr: str
    training_id: UUID
    slug: str
    access_days: int
    price_cad: Decimal
    discount_share_cad: Decimal
    returned_cad: Decimal
    enrolment: Given | None


def select_lines(connection: Connection[Any], order_id: UUID, now: datetime) -> Sequence[AccessSold]:
    """The lines of an order, in its order."""
    rows = connection.cursor(row_factory=dict_row).execute(
        """
        SELECT item.id, item.title_fr, access.training_id, training.slug, access.access_days,
               item.line_total_cad AS price_cad, item.discount_share_cad, item.returned_cad,
               enrolment.id AS enrolment_id, enrolment.starts_at, enrolment.expires_at,
               enrolment_status(enrolment, %(now)s) AS status
          FROM order_items AS item
          JOIN access_items AS access ON access.id = item.id
          JOIN trainings AS training ON training.id = access.training_id
          LEFT JOIN enrolments AS enrolment ON enrolment.order_item_id = item.id
         WHERE item.order_id = %(order_id)s
         ORDER BY item.position
        """,
        {"order_id": order_id, "now": now},
    )
    return [_line(row) for row in rows]


def _line(row: dict[str, Any]) -> AccessSold:
    enrolment = Given(row.pop("enrolment_id"), row.pop("starts_at"), row.pop("expires_at"), row.pop("status"))
    return AccessSold(**row, enrolment=enrolment if enrolment.id else None)
