"""The SQL of trainings. Only what is published is ever seen, with what its visitor has of it (0043)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, LiteralString
from uuid import UUID

from psycopg import Connection, Cursor
from psycopg.rows import class_row

from domain.accounts.callers import Buyer
from domain.training.cta import Access
from domain.training.listing import Listing, SortedPlace, SortOrder, TrainingSort


@dataclass(frozen=True, slots=True)
class Training:
    """A published training as somebody sees it: prices in CAD, and what they have of it."""

    id: UUID
    slug: str
    title_fr: str
    description_fr: str
    price_cad: Decimal
    access_days: int
    title_folded: str
    published_at: datetime
    category_slug: str
    category_name_fr: str
    in_cart: bool
    access: Access | None


@dataclass(frozen=True, slots=True)
class OutlinedTraining(Training):
    """The same with its modules: of each its position and title, nothing of its content."""

    modules: list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Category:
    id: UUID
    slug: str
    name_fr: str
    description_fr: str
    training_count: int


PAGES: Mapping[tuple[TrainingSort, SortOrder], LiteralString] = {
    ("title", "asc"): """
        SELECT * FROM published_trainings(%(category)s, %(search)s, %(user_id)s, %(session_hash)s, %(now)s)
         WHERE %(key)s::text IS NULL OR (title_folded, id) > (%(key)s::text, %(id)s::uuid)
         ORDER BY title_folded, id LIMIT %(at_most)s
        """,
    ("title", "desc"): """
        SELECT * FROM published_trainings(%(category)s, %(search)s, %(user_id)s, %(session_hash)s, %(now)s)
         WHERE %(key)s::text IS NULL OR (title_folded, id) < (%(key)s::text, %(id)s::uuid)
         ORDER BY title_folded DESC, id DESC LIMIT %(at_most)s
        """,
    ("price", "asc"): """
        SELECT * FROM published_trainings(%(category)s, %(search)s, %(user_id)s, %(session_hash)s, %(now)s)
         WHERE %(key)s::numeric IS NULL OR (price_cad, id) > (%(key)s::numeric, %(id)s::uuid)
         ORDER BY price_cad, id LIMIT %(at_most)s
        """,
    ("price", "desc"): """
        SELECT * FROM published_trainings(%(category)s, %(search)s, %(user_id)s, %(session_hash)s, %(now)s)
         WHERE %(key)s::numeric IS NULL OR (price_cad, id) < (%(key)s::numeric, %(id)s::uuid)
         ORDER BY price_cad DESC, id DESC LIMIT %(at_most)s
        """,
    ("newest", "asc"): """
        SELECT * FROM published_trainings(%(category)s, %(search)s, %(user_id)s, %(session_hash)s, %(now)s)
         WHERE %(key)s::timestamptz IS NULL OR (published_at, id) > (%(key)s::timestamptz, %(id)s::uuid)
         ORDER BY published_at, id LIMIT %(at_most)s
        """,
    ("newest", "desc"): """
        SELECT * FROM published_trainings(%(category)s, %(search)s, %(user_id)s, %(session_hash)s, %(now)s)
         WHERE %(key)s::timestamptz IS NULL OR (published_at, id) < (%(key)s::timestamptz, %(id)s::uuid)
         ORDER BY published_at DESC, id DESC LIMIT %(at_most)s
        """,
}
"""A statement for each way to sort, so that each page is read from its index."""


def select_trainings(
    connection: Connection[Any],
    viewer: Buyer | None,
    listing: Listing,
    after: SortedPlace | None,
    limit: int,
    now: datetime,
) -> Cursor[Training]:
    """The trainings of a list after a place, one more than `limit`."""
    return connection.cursor(row_factory=class_row(Training)).execute(
        PAGES[listing.sort, listing.order],
        {
            "category": listing.category,
            "search": listing.search,
            **_owner(viewer),
            "now": now,
            "key": after.key if after else None,
            "id": after.id if after else None,
            "at_most": limit + 1,
        },
    )


def select_training(
    connection: Connection[Any], viewer: Buyer | None, slug: str, now: datetime
) -> Cursor[OutlinedTraining]:
    """That training if it is published."""
    return connection.cursor(row_factory=class_row(OutlinedTraining)).execute(
        """
        SELECT training.*,
               ARRAY(SELECT json_build_object('position', position, 'title_fr', title_fr)
                       FROM modules WHERE training_id = training.id ORDER BY position) AS modules
          FROM published_trainings(NULL, '', %(user_id)s, %(session_hash)s, %(now)s) AS training
         WHERE training.slug = %(slug)s
        """,
        {"slug": slug, **_owner(viewer), "now": now},
    )


def select_categories(connection: Connection[Any]) -> Cursor[Category]:
    """Every category in its place, with how many trainings of it are published."""
    return connection.cursor(row_factory=class_row(Category)).execute(
        """
        SELECT id, slug, name_fr, description_fr,
               (SELECT count(*) FROM trainings
                 WHERE category_id = training_categories.id AND state = 'published') AS training_count
          FROM training_categories ORDER BY position, slug
        """
    )


def category_exists(connection: Connection[Any], slug: str) -> bool:
    found = connection.execute("SELECT FROM training_categories WHERE slug = %(slug)s", {"slug": slug})
    return found.rowcount == 1


def _owner(viewer: Buyer | None) -> Mapping[str, Any]:
    return {
        "user_id": viewer.user_id if viewer else None,
        "session_hash": viewer.session_hash if viewer else None,
    }
