"""The trainings that a student may follow."""

from typing import Annotated, Any

from aws_lambda_powertools.event_handler import Request, Response
from aws_lambda_powertools.event_handler.openapi.params import Query

from adapters.http import Visit, answers, create_resolver
from domain.accounts.students import student_id
from domain.paging import DEFAULT_LIMIT, CursorText, Limit
from domain.training import own_enrolments
from domain.training.enrolments import EnrolmentStatus
from domain.training.own_enrolments import EnrolmentPage

app = create_resolver()


@app.get(
    "/v1/me/enrolments",
    summary="Lister les cours auxquels on a accès, ou l'a eu",
    tags=["Inscriptions"],
    responses=answers("UNAUTHENTICATED", "FORBIDDEN", "VALIDATION_FAILED", "CURSOR_INVALID"),
)
def list_enrolments(
    request: Request,
    status: Annotated[EnrolmentStatus | None, Query()] = None,
    cursor: Annotated[CursorText | None, Query()] = None,
    limit: Annotated[Limit, Query()] = DEFAULT_LIMIT,
) -> Response[EnrolmentPage]:
    visit = Visit(request)
    user_id = student_id(visit.signed_in)
    return visit.answer(
        own_enrolments.list_enrolments(visit.connection, user_id, status, cursor, limit, visit.now)
    )


def lambda_handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    return app.resolve(event, context)
