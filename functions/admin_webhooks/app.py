"""What an administrator sees of deliveries to Make.com and does about them: list, send again, pause, resume, test."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from aws_lambda_powertools.event_handler import ApiGatewayResolver, Request, Response
from aws_lambda_powertools.event_handler.middlewares import NextMiddleware
from aws_lambda_powertools.event_handler.openapi.params import Query
from pydantic import AwareDatetime, BaseModel, Field

from adapters.http import Visit, answers, create_resolver
from adapters.idempotency import KEYED, answer_once, answer_with_lease
from domain.accounts.administrators import administrator_id
from domain.inputs import Code, Id, RequestBody
from domain.paging import DEFAULT_LIMIT, CursorText, Limit
from domain.webhooks import deliveries, endpoints, replay
from domain.webhooks.deliveries import UNDELIVERED, DeliveryDetail, DeliveryPage, Filters


def answer_once_unless_tested(app: ApiGatewayResolver, next_middleware: NextMiddleware) -> Response[Any]:
    """A test calls Make.com, and nobody is called from within a transaction: it takes a lease (`send_test`)."""
    if Visit(app.request).path.endswith("/test"):
        return next_middleware(app)
    return answer_once(app, next_middleware)


app = create_resolver(answer_once_unless_tested)

TAGS = ["Administration : webhooks"]
ANY_CALLER = ("UNAUTHENTICATED", "FORBIDDEN", "VALIDATION_FAILED")
ANY_BODY = ("MALFORMED_JSON", "UNSUPPORTED_MEDIA_TYPE")
ONE = (*ANY_CALLER, "DELIVERY_NOT_FOUND")
ENDPOINT = (*ANY_CALLER, "ENDPOINT_NOT_FOUND")

type Status = Literal[
    "pending", "enqueued", "delivering", "retrying", "held", "skipped", "delivered", "exhausted", "cancelled"
]
type Resting = Literal["held", "skipped", "delivered", "exhausted", "cancelled"]

Cursor = Annotated[CursorText | None, Query()]
PageLimit = Annotated[Limit, Query()]


class Again(RequestBody):
    """`force` marks the repetition with x-4as-replay, so that the scenario does not take it for a duplicate."""

    force: bool = False


class Range(RequestBody):
    since: AwareDatetime = Field(alias="from")
    until: AwareDatetime = Field(alias="to")
    type: Code | None = None
    status: Resting | None = None
    dry_run: bool


class Resumption(RequestBody):
    """`cancel` gives up what waits instead of sending it."""

    cancel: bool = False


class Redelivered(BaseModel):
    redelivery_id: UUID | None
    dry_run: bool
    counts: dict[str, int]
    total: int


class Stopped(BaseModel):
    stopped: int


class EndpointHealth(BaseModel):
    name: str
    state: str
    reason: str | None
    consecutive_failures: int
    failing_since: datetime | None
    probe_at: datetime | None
    last_success_at: datetime | None


class Endpoints(BaseModel):
    items: list[EndpointHealth]


class Changed(BaseModel):
    name: str
    state: str
    events: int


class Tested(BaseModel):
    received: bool
    status_code: int | None
    reason: str | None


@app.get(
    "/v1/admin/webhooks/deliveries",
    summary="Lister les livraisons",
    tags=TAGS,
    responses=answers(*ANY_CALLER, "CURSOR_INVALID"),
)
def list_deliveries(
    request: Request,
    type: Annotated[Code | None, Query()] = None,
    status: Annotated[Status | None, Query()] = None,
    endpoint: Annotated[Code | None, Query()] = None,
    since: Annotated[AwareDatetime | None, Query(alias="from")] = None,
    until: Annotated[AwareDatetime | None, Query(alias="to")] = None,
    order_id: Annotated[Id | None, Query()] = None,
    user_id: Annotated[Id | None, Query()] = None,
    cursor: Cursor = None,
    limit: PageLimit = DEFAULT_LIMIT,
) -> Response[DeliveryPage]:
    visit, _ = _admitted(request)
    filters = Filters(
        type=type,
        statuses=[status] if status else None,
        endpoint=endpoint,
        since=since,
        until=until,
        order_id=order_id,
        user_id=user_id,
    )
    return visit.answer(deliveries.list_deliveries(visit.connection, filters, cursor, limit))


@app.get(
    "/v1/admin/webhooks/undelivered",
    summary="Lister ce qui n'est pas livré et attend quelqu'un",
    tags=TAGS,
    responses=answers(*ANY_CALLER, "CURSOR_INVALID"),
)
def list_undelivered(
    request: Request, cursor: Cursor = None, limit: PageLimit = DEFAULT_LIMIT
) -> Response[DeliveryPage]:
    visit, _ = _admitted(request)
    filters = Filters(statuses=list(UNDELIVERED))
    return visit.answer(deliveries.list_deliveries(visit.connection, filters, cursor, limit))


@app.get(
    "/v1/admin/webhooks/deliveries/<event_id>",
    summary="Voir une livraison et ses essais",
    tags=TAGS,
    responses=answers(*ONE),
)
def show_delivery(request: Request, event_id: str) -> Response[DeliveryDetail]:
    visit, actor_id = _admitted(request)
    return visit.answer(deliveries.show_delivery(visit.connection, actor_id, event_id, visit.now))


@app.post(
    "/v1/admin/webhooks/deliveries/<event_id>/redeliver",
    summary="Livrer de nouveau un événement",
    tags=TAGS,
    responses=answers(
        *KEYED, *ANY_BODY, *ONE, "DELIVERY_BODY_FORGOTTEN", "DELIVERY_IN_PROGRESS", success=202
    ),
)
def redeliver(request: Request, event_id: str, again: Again) -> Response[DeliveryDetail]:
    visit, actor_id = _admitted(request)
    replay.redeliver(visit.connection, actor_id, event_id, visit.now, force=again.force)
    return visit.answer(deliveries.show_delivery(visit.connection, actor_id, event_id, visit.now), 202)


@app.post(
    "/v1/admin/webhooks/redeliveries",
    summary="Livrer de nouveau une période, ou compter ce que ce serait",
    tags=TAGS,
    responses=answers(*KEYED, *ANY_BODY, *ANY_CALLER, success=202),
)
def redeliver_range(request: Request, wanted: Range) -> Response[Redelivered]:
    visit, actor_id = _admitted(request)
    chosen = (wanted.since, wanted.until, wanted.type, wanted.status)
    found = (
        replay.count_range(visit.connection, *chosen)
        if wanted.dry_run
        else replay.redeliver_range(visit.connection, actor_id, *chosen, visit.now)
    )
    answer = Redelivered(
        redelivery_id=found.id, dry_run=wanted.dry_run, counts=found.counts, total=found.total
    )
    return visit.answer(answer, 202)


@app.post(
    "/v1/admin/webhooks/redeliveries/<redelivery_id>/stop",
    summary="Arrêter la nouvelle livraison d'une période",
    tags=TAGS,
    responses=answers(*KEYED, *ANY_CALLER, "REDELIVERY_NOT_FOUND"),
)
def stop(request: Request, redelivery_id: UUID) -> Response[Stopped]:
    visit, actor_id = _admitted(request)
    return visit.answer(Stopped(stopped=replay.stop(visit.connection, actor_id, redelivery_id, visit.now)))


@app.get(
    "/v1/admin/webhooks/endpoints",
    summary="Voir l'état des adresses de Make",
    tags=TAGS,
    responses=answers(*ANY_CALLER),
)
def list_endpoints(request: Request) -> Response[Endpoints]:
    visit, _ = _admitted(request)
    return visit.answer(
        Endpoints(
            items=[
                EndpointHealth(
                    name=one.area,
                    state=one.state,
                    reason=one.reason,
                    consecutive_failures=one.consecutive_failures,
                    failing_since=one.failing_since,
                    probe_at=one.probe_at,
                    last_success_at=one.last_success_at,
                )
                for one in endpoints.find_endpoints(visit.connection)
            ]
        )
    )


@app.post(
    "/v1/admin/webhooks/endpoints/<name>/pause",
    summary="Mettre une adresse en pause : ses événements sont retenus",
    tags=TAGS,
    responses=answers(*KEYED, *ENDPOINT),
)
def pause(request: Request, name: str) -> Response[Changed]:
    visit, actor_id = _admitted(request)
    held = replay.pause(visit.connection, actor_id, name, visit.now)
    return visit.answer(Changed(name=name, state="paused", events=held))


@app.post(
    "/v1/admin/webhooks/endpoints/<name>/resume",
    summary="Remettre une adresse en service : livrer ou annuler ce qui était retenu",
    tags=TAGS,
    responses=answers(*KEYED, *ANY_BODY, *ENDPOINT),
)
def resume(request: Request, name: str, how: Resumption) -> Response[Changed]:
    visit, actor_id = _admitted(request)
    events = replay.resume(visit.connection, actor_id, name, visit.now, cancel=how.cancel)
    return visit.answer(Changed(name=name, state="active", events=events))


@app.post(
    "/v1/admin/webhooks/endpoints/<name>/test",
    summary="Envoyer un événement d'essai, qui n'est pas enregistré",
    tags=TAGS,
    responses=answers(*KEYED, *ENDPOINT, "ENDPOINT_WITHOUT_URL"),
)
def send_test(request: Request, name: str) -> Response[Tested]:
    visit, actor_id = _admitted(request)

    from adapters.make import has_url, post_ping  # loads what only this needs

    def post(*_: object) -> Response[Tested]:
        replay.note_test(visit.connection, actor_id, name, visit.now, has_url=has_url(name))
        failure = post_ping(name, visit.now)
        return visit.answer(
            Tested(
                received=failure is None,
                status_code=failure.status_code if failure else None,
                reason=failure.reason if failure else None,
            )
        )

    return answer_with_lease(visit, post)


def _admitted(request: Request) -> tuple[Visit, UUID]:
    visit = Visit(request)
    return visit, administrator_id(visit.signed_in)


def lambda_handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    return app.resolve(event, context)
