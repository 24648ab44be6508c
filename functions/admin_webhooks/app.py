"""What an administrator sees of deliveries to Make.com and does about them: list, send again, pause, resume, test."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any
from uuid import UUID

from aws_lambda_powertools.event_handler import ApiGatewayResolver, Request, Response
from aws_lambda_powertools.event_handler.middlewares import NextMiddleware
from aws_lambda_powertools.event_handler.openapi.params import Query
from pydantic import AfterValidator, BaseModel, Field, StrictBool

from adapters.http import Visit, answers, create_resolver
from adapters.idempotency import KEYED, answer_once, answer_with_lease
from adapters.make_routes import events_per_second, routes
from adapters.settings import environment
from domain.accounts.administrators import administrator_id
from domain.errors import Refused
from domain.inputs import Code, Id, Instant, RequestBody
from domain.paging import DEFAULT_LIMIT, CursorText, Limit
from domain.webhooks import deliveries, replay
from domain.webhooks.deliveries import UNDELIVERED, DeliveryDetail, DeliveryPage, Filters
from domain.webhooks.event_types import AREAS, EVENTS
from domain.webhooks.health import EndpointHealth, look_at_endpoints
from domain.webhooks.reasons import in_french
from domain.webhooks.steps import RESTING, Status


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


def _one_of[T: str](known: Sequence[T] | Mapping[str, object]) -> AfterValidator:
    def check(name: str) -> str:
        if name not in known:
            raise ValueError("is not known here")
        return name

    return AfterValidator(check)


type EventName = Annotated[Code, _one_of(EVENTS)]
type Area = Annotated[Code, _one_of(AREAS)]
type Resting = Annotated[Code, _one_of(RESTING)]
Cursor = Annotated[CursorText | None, Query()]
PageLimit = Annotated[Limit, Query()]


class Again(RequestBody):
    """`force` marks the repetition with x-4as-replay, so that the scenario does not take it for a duplicate."""

    force: StrictBool = False


class Period(RequestBody):
    """What was recorded from `from` until before `to`. `force` marks each repetition with x-4as-replay."""

    since: Instant = Field(alias="from")
    until: Instant = Field(alias="to")
    type: EventName | None = None
    status: Resting | None = None
    dry_run: StrictBool
    force: StrictBool = False


class Resumption(RequestBody):
    """`cancel` gives up what waits instead of sending it."""

    cancel: StrictBool = False


class Trial(RequestBody):
    """`type` is the event whose sample is sent; without it, a ping."""

    type: EventName | None = None


class Redelivered(BaseModel):
    redelivery_id: UUID | None
    dry_run: bool
    counts: dict[str, int]
    total: int


class Stopped(BaseModel):
    stopped: int


class Endpoints(BaseModel):
    items: Sequence[EndpointHealth]


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
    type: Annotated[EventName | None, Query()] = None,
    status: Annotated[Status | None, Query()] = None,
    endpoint: Annotated[Area | None, Query()] = None,
    since: Annotated[Instant | None, Query(alias="from")] = None,
    until: Annotated[Instant | None, Query(alias="to")] = None,
    order_id: Annotated[Id | None, Query()] = None,
    user_id: Annotated[Id | None, Query()] = None,
    cursor: Cursor = None,
    limit: PageLimit = DEFAULT_LIMIT,
) -> Response[DeliveryPage]:
    visit, _ = _admitted(request)
    if since and until and since >= until:
        raise Refused("VALIDATION_FAILED", errors=[REVERSED])
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
        *KEYED,
        *ANY_BODY,
        *ONE,
        "DELIVERY_BODY_FORGOTTEN",
        "DELIVERY_EXPIRED",
        "DELIVERY_IN_PROGRESS",
        success=202,
    ),
)
def redeliver(request: Request, event_id: str, again: Again | None = None) -> Response[DeliveryDetail]:
    visit, actor_id = _admitted(request)
    replay.redeliver(visit.connection, actor_id, event_id, visit.now, force=again is not None and again.force)
    return visit.answer(deliveries.show_delivery(visit.connection, actor_id, event_id, visit.now), 202)


@app.post(
    "/v1/admin/webhooks/redeliveries",
    summary="Livrer de nouveau une période, ou compter ce que ce serait",
    tags=TAGS,
    responses=answers(*KEYED, *ANY_BODY, *ANY_CALLER, "REDELIVERY_TOO_LARGE", success=202),
)
def redeliver_range(request: Request, wanted: Period) -> Response[Redelivered]:
    visit, actor_id = _admitted(request)
    if wanted.since >= wanted.until:
        raise Refused("VALIDATION_FAILED", errors=[REVERSED])
    chosen = replay.Range(wanted.since, wanted.until, wanted.type, wanted.status)
    found = (
        replay.count_range(visit.connection, chosen, visit.now)
        if wanted.dry_run
        else replay.redeliver_range(
            visit.connection, actor_id, chosen, events_per_second(), visit.now, force=wanted.force
        )
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
    return visit.answer(Endpoints(items=look_at_endpoints(visit.connection, routes(), visit.now)))


@app.post(
    "/v1/admin/webhooks/endpoints/<name>/pause",
    summary="Mettre une adresse en pause : ses événements sont retenus",
    tags=TAGS,
    responses=answers(*KEYED, *ENDPOINT, "ENDPOINT_WITHOUT_URL", "ENDPOINT_VIA_FALLBACK"),
)
def pause(request: Request, name: str) -> Response[Changed]:
    visit, actor_id = _admitted(request)
    held = replay.pause(visit.connection, actor_id, name, routes(), visit.now)
    return visit.answer(Changed(name=name, state="paused", events=held))


@app.post(
    "/v1/admin/webhooks/endpoints/<name>/resume",
    summary="Remettre une adresse en service : livrer ou annuler ce qui était retenu",
    tags=TAGS,
    responses=answers(*KEYED, *ANY_BODY, *ENDPOINT),
)
def resume(request: Request, name: str, how: Resumption | None = None) -> Response[Changed]:
    visit, actor_id = _admitted(request)
    events = replay.resume(
        visit.connection,
        actor_id,
        name,
        routes(),
        events_per_second(),
        visit.now,
        cancel=how is not None and how.cancel,
    )
    return visit.answer(Changed(name=name, state="active", events=events))


@app.post(
    "/v1/admin/webhooks/endpoints/<name>/test",
    summary="Envoyer l'exemple d'un événement, ou un simple essai ; rien n'est enregistré",
    tags=TAGS,
    responses=answers(
        *KEYED, *ANY_BODY, *ENDPOINT, "ENDPOINT_WITHOUT_URL", "EVENT_TYPE_ELSEWHERE", "ENDPOINT_BUSY"
    ),
)
def send_test(request: Request, name: str, trial: Trial | None = None) -> Response[Tested]:
    visit, actor_id = _admitted(request)
    event_type = trial.type if trial else None

    from adapters.make import make_receiver  # loads what only this needs
    from domain.webhooks import trial as trials

    def post(*_: object) -> Response[Tested]:
        failure = trials.send_test(
            visit.connection, make_receiver(), actor_id, name, event_type, environment(), visit.now
        )
        return visit.answer(
            Tested(
                received=failure is None,
                status_code=failure.status_code if failure else None,
                reason=in_french(failure.reason) if failure else None,
            )
        )

    return answer_with_lease(visit, post)


REVERSED = {"field": "to", "code": "INVALID", "detail": "La fin doit venir après le début."}


def _admitted(request: Request) -> tuple[Visit, UUID]:
    visit = Visit(request)
    return visit, administrator_id(visit.signed_in)


def lambda_handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    return app.resolve(event, context)
