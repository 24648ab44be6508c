"""The trainings that a student may follow, or might (courses 2.4, 3.5)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from psycopg import Connection, Cursor
from psycopg.rows import class_row
from pydantic import BaseModel, Field

from domain.clock import on_toronto_clock
from domain.paging import Place, page_of, read_cursor
from domain.training.enrolments import EnrolmentStatus

type EnrolmentSource = Literal["purchase", "grant", "import"]


class EnrolledCategory(BaseModel):
    slug: str
    name_fr: str


class EnrolledTraining(BaseModel):
    id: UUID
    slug: str
    title_fr: str
    category: EnrolledCategory


class EnrolmentView(BaseModel):
    id: UUID
    training: EnrolledTraining
    source: EnrolmentSource
    starts_at: datetime
    expires_at: datetime = Field(description="À cet instant, l'accès a pris fin")
    status: EnrolmentStatus
    order_id: UUID | None = Field(description="Null quand rien n'a été acheté")


class EnrolmentPage(BaseModel):
    items: Sequence[EnrolmentView]
    next_cursor: str | None


def list_enrolments(
    connection: Connection[Any],
    user_id: UUID,
    status: EnrolmentStatus | None,
    cursor: str | None,
    limit: int,
    now: datetime,
) -> EnrolmentPage:
    """A page of a student's enrolments, the newest first, of one status or of all. Refuses with CURSOR_INVALID."""
    of = status or ""
    rows = _select_enrolments(connection, user_id, status, read_cursor(cursor, of), limit, now).fetchall()
    page = page_of(rows, limit, lambda row: Place(row.created_at, row.id, of))
    return EnrolmentPage(items=[_view(row) for row in page.items], next_cursor=page.next_cursor)


@dataclass(frozen=True, slots=True)
class _Enrolment:
    id: UUID
    training_id: UUID
    slug: str
    title_fr: str
    category_slug: str
    category_name_fr: str
    source: EnrolmentSource
    starts_at: datetime
    expires_at: datetime
    status: EnrolmentStatus
    order_id: UUID | None
    created_at: datetime


def _select_enrolments(
    connection: Connection[Any],
    user_id: UUID,
    status: EnrolmentStatus | None,
    before: Place | None,
    limit: int,
    now: datetime,
) -> Cursor[_Enrolment]:
    """One more than `limit`, those before a place."""
    return connection.cursor(row_factory=class_row(_Enrolment)).execute(
        """
        SELECT enrolment.id, enrolment.training_id, training.slug, training.title_fr, category.slug AS category_slug,
               category.name_fr AS category_name_fr, enrolment.source::text, enrolment.starts_at,
               enrolment.expires_at, enrolment_status(enrolment, %(now)s) AS status, item.order_id,
               enrolment.created_at
          FROM enrolments AS enrolment
          JOIN trainings AS training ON training.id = enrolment.training_id
          JOIN training_categories AS category ON category.id = training.category_id
          LEFT JOIN order_items AS item ON item.id = enrolment.order_item_id
         WHERE enrolment.user_id = %(user_id)s
           AND (%(status)s::text IS NULL OR enrolment_status(enrolment, %(now)s) = %(status)s)
           AND (%(at)s::timestamptz IS NULL OR (enrolment.created_at, enrolment.id) < (%(at)s, %(id)s))
         ORDER BY enrolment.created_at DESC, enrolment.id DESC
         LIMIT %(limit)s
        """,
        {
            "user_id": user_id,
            "status": status,
            "now": now,
            "at": before.at if before else None,
            "id": before.id if before else None,
            "limit": limit + 1,
        },
    )


def _view(row: _Enrolment) -> EnrolmentView:
    category = EnrolledCategory(slug=row.category_slug, name_fr=row.category_name_fr)
    return EnrolmentView(
        id=row.id,
        training=EnrolledTraining(
            id=row.training_id, slug=row.slug, title_fr=row.title_fr, category=category
        ),
        source=row.source,
        starts_at=on_toronto_clock(row.starts_at),
        expires_at=on_toronto_clock(row.expires_at),
        status=row.status,
        order_id=row.order_id,
    )
