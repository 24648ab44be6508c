"""The trainings of Le Dojo, for anyone; who is known sees what they have of each."""

from typing import Annotated, Any

from aws_lambda_powertools.event_handler import Request, Response
from aws_lambda_powertools.event_handler.openapi.params import Path, Query

from adapters.http import Visit, answers, create_resolver
from domain.accounts.callers import Buyer
from domain.inputs import Line, Words
from domain.paging import DEFAULT_LIMIT, CursorText, Limit
from domain.training import catalogue
from domain.training.catalogue_models import CategoryList, TrainingDetail, TrainingPage
from domain.training.listing import Listing, SortOrder, TrainingSort

app = create_resolver()

CategorySlug = Annotated[Line | None, Query(description="Le `slug` d'une catégorie")]
Sorting = Annotated[TrainingSort, Query(description="Trier par titre, par prix ou par date de publication")]
Ordering = Annotated[
    SortOrder | None, Query(description="Sans `order`, les plus récents d'abord ; titres et prix croissants")
]


@app.get(
    "/v1/trainings",
    summary="Lister les cours en ligne",
    tags=["Formations"],
    responses=answers("CURSOR_INVALID", "VALIDATION_FAILED", "CATEGORY_NOT_FOUND", "UNAUTHENTICATED"),
)
def list_trainings(
    request: Request,
    category: CategorySlug = None,
    search: Annotated[Words | None, Query()] = None,
    sort: Sorting = "newest",
    order: Ordering = None,
    cursor: Annotated[CursorText | None, Query()] = None,
    limit: Annotated[Limit, Query()] = DEFAULT_LIMIT,
) -> Response[TrainingPage]:
    visit = Visit(request)
    listing = Listing.asked_for(category, search, sort, order)
    return visit.answer(
        catalogue.list_trainings(visit.connection, _viewer(visit), listing, cursor, limit, visit.now)
    )


@app.get(
    "/v1/trainings/categories",
    summary="Lister les catégories de cours en ligne",
    tags=["Formations"],
    responses=answers(),
)
def list_categories(request: Request) -> Response[CategoryList]:
    visit = Visit(request)
    return visit.answer(catalogue.list_categories(visit.connection))


@app.get(
    "/v1/trainings/<slug>",
    summary="Voir un cours en ligne et son plan",
    tags=["Formations"],
    responses=answers("TRAINING_NOT_FOUND", "VALIDATION_FAILED", "UNAUTHENTICATED"),
)
def show_training(request: Request, slug: Annotated[Line, Path()]) -> Response[TrainingDetail]:
    visit = Visit(request)
    return visit.answer(catalogue.show_training(visit.connection, _viewer(visit), slug, visit.now))


def _viewer(visit: Visit) -> Buyer | None:
    """Whose cart and access are shown: the signed-in person's, whatever their role, else the guest's of the cookie."""
    return next(iter(visit.buyers), None)


def lambda_handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    return app.resolve(event, context)
