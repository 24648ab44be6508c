"""Courses, their tutors and their free times, for anyone."""

from typing import Annotated, Any

from aws_lambda_powertools.event_handler import Request, Response
from aws_lambda_powertools.event_handler.openapi.params import Path, Query

from adapters.http import Visit, answers, create_resolver
from adapters.throttling import spend
from domain.catalog import browse
from domain.catalog.models import AvailableDays, CourseDetail, CourseList, DaySlots
from domain.inputs import Day, Id, Line, Words
from domain.paging import DEFAULT_LIMIT, CursorText, Limit
from domain.throttling.limits import AVAILABILITY_READS

app = create_resolver()

Slug = Annotated[Line, Path()]
Duration = Annotated[int, Query(description="Minutes: 60, 90 ou 120")]
TutorId = Annotated[Id | None, Query(description="Ne montrer que les heures de ce tuteur")]


@app.get(
    "/v1/courses",
    summary="Lister les cours",
    tags=["Catalogue"],
    responses=answers("CURSOR_INVALID", "VALIDATION_FAILED"),
)
def list_courses(
    request: Request,
    search: Annotated[Words | None, Query()] = None,
    cursor: Annotated[CursorText | None, Query()] = None,
    limit: Annotated[Limit, Query()] = DEFAULT_LIMIT,
) -> Response[CourseList]:
    visit = Visit(request)
    return visit.answer(browse.list_courses(visit.connection, search, cursor, limit))


@app.get(
    "/v1/courses/<slug>",
    summary="Voir un cours et ses tuteurs",
    tags=["Catalogue"],
    responses=answers("COURSE_NOT_FOUND", "VALIDATION_FAILED"),
)
def show_course(request: Request, slug: Slug) -> Response[CourseDetail]:
    visit = Visit(request)
    return visit.answer(browse.show_course(visit.connection, slug))


@app.get(
    "/v1/courses/<slug>/slots",
    summary="Voir les créneaux libres d'une journée",
    tags=["Catalogue"],
    responses=answers(
        "COURSE_NOT_FOUND", "TUTOR_NOT_FOUND", "INVALID_DURATION", "VALIDATION_FAILED", "RATE_LIMITED"
    ),
)
def list_slots(
    request: Request,
    slug: Slug,
    day: Annotated[Day, Query(alias="date")],
    duration: Duration = 60,
    tutor_id: TutorId = None,
) -> Response[DaySlots]:
    visit = Visit(request)
    spend(visit, AVAILABILITY_READS)
    return visit.answer(browse.free_slots(visit.connection, slug, day, duration, tutor_id, visit.now))


@app.get(
    "/v1/courses/<slug>/availability",
    summary="Voir les journées qui ont un créneau libre",
    tags=["Catalogue"],
    responses=answers(
        "COURSE_NOT_FOUND",
        "TUTOR_NOT_FOUND",
        "INVALID_DURATION",
        "RANGE_TOO_LONG",
        "RANGE_REVERSED",
        "VALIDATION_FAILED",
        "RATE_LIMITED",
    ),
)
def list_days(
    request: Request,
    slug: Slug,
    first: Annotated[Day, Query(alias="from")],
    last: Annotated[Day, Query(alias="to")],
    duration: Annotated[int, Query(description="Minutes: 60, 90 ou 120")],
    tutor_id: TutorId = None,
) -> Response[AvailableDays]:
    visit = Visit(request)
    spend(visit, AVAILABILITY_READS)
    return visit.answer(browse.free_days(visit.connection, slug, first, last, duration, tutor_id, visit.now))


def lambda_handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    return app.resolve(event, context)
