"""What a visitor looks at before the cart: trainings, their outline, their categories."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from psycopg import Connection

from domain.accounts.callers import Buyer
from domain.errors import Refused
from domain.paging import page_of
from domain.training import queries
from domain.training.catalogue_models import (
    CategoryList,
    CategoryName,
    CategoryView,
    ModuleView,
    TrainingDetail,
    TrainingPage,
    TrainingView,
)
from domain.training.cta import cta
from domain.training.listing import Key, Listing, TrainingSort
from domain.training.queries import Training


def list_trainings(
    connection: Connection[Any],
    viewer: Buyer | None,
    listing: Listing,
    cursor: str | None,
    limit: int,
    now: datetime,
) -> TrainingPage:
    """A page of the published trainings, with what the viewer (None: a stranger) can do about each.

    Refuses with CURSOR_INVALID, CATEGORY_NOT_FOUND.
    """
    after = listing.read_place(cursor)
    rows = queries.select_trainings(connection, viewer, listing, after, limit, now).fetchall()
    if (
        not rows
        and listing.category is not None
        and not queries.category_exists(connection, listing.category)
    ):
        raise Refused("CATEGORY_NOT_FOUND")
    page = page_of(rows, limit, lambda row: listing.write_place(_KEYS[listing.sort](row), row.id))
    return TrainingPage(
        items=[TrainingView(**_training(row)) for row in page.items], next_cursor=page.next_cursor
    )


def show_training(
    connection: Connection[Any], viewer: Buyer | None, slug: str, now: datetime
) -> TrainingDetail:
    """One published training and its outline. Refuses with TRAINING_NOT_FOUND, drafts and archived ones too."""
    training = queries.select_training(connection, viewer, slug, now).fetchone()
    if training is None:
        raise Refused("TRAINING_NOT_FOUND")
    return TrainingDetail(
        **_training(training), modules=[ModuleView(**module) for module in training.modules]
    )


def list_categories(connection: Connection[Any]) -> CategoryList:
    """Every category, those without a published training too."""
    return CategoryList(
        items=[
            CategoryView(
                id=category.id,
                slug=category.slug,
                name_fr=category.name_fr,
                description_fr=category.description_fr,
                training_count=category.training_count,
            )
            for category in queries.select_categories(connection)
        ]
    )


_KEYS: Mapping[TrainingSort, Callable[[Training], Key]] = {
    "title": lambda training: training.title_folded,
    "price": lambda training: training.price_cad,
    "newest": lambda training: training.published_at,
}
"""What a list is sorted by."""


def _training(row: Training) -> dict[str, Any]:
    return {
        "id": row.id,
        "slug": row.slug,
        "title_fr": row.title_fr,
        "description_fr": row.description_fr,
        "category": CategoryName(slug=row.category_slug, name_fr=row.category_name_fr),
        "price_cad": str(row.price_cad),
        "access_days": row.access_days,
        "cta": cta(row.in_cart, row.access),
    }
