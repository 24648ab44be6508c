"""What an administrator sees of deliveries. A 2xx proves that Make received, not that its e-mail went out."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from psycopg import Connection
from psycopg.rows import class_row
from pydantic import AfterValidator, BaseModel

from domain.auditing import note_action
from domain.clock import on_toronto_clock
from domain.errors import Refused
from domain.paging import Page, Place, page_of, read_cursor
from domain.webhooks.event_types import EVENTS
from domain.webhooks.reasons import in_french

UNDELIVERED = ("exhausted", "held", "skipped")
RECEIVED_BY_MAKE = "Reçu par Make"
MASKED = "Masqué : ce texte porte un secret."

type LocalInstant = Annotated[datetime, AfterValidator(on_toronto_clock)]
"""On Toronto's clock, as everybody here reads it."""
type InFrench = Annotated[str | None, AfterValidator(in_french)]
"""Why it is not delivered, in a sentence."""


class Filters(BaseModel):
    """Which events; what is None does not matter."""

    type: str | None = None
    statuses: list[str] | None = None
    endpoint: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    order_id: UUID | None = None
    user_id: UUID | None = None


class DeliverySummary(BaseModel):
    """One event of a list."""

    event_id: str
    type: str
    endpoint: str | None
    status: str
    attempts: int
    last_status_code: int | None
    last_error: InFrench
    next_attempt_at: LocalInstant | None
    expires_at: LocalInstant | None
    created_at: LocalInstant
    delivered_at: LocalInstant | None


class Attempt(BaseModel):
    """One failed or manual attempt."""

    attempt_no: int
    trigger: str
    started_at: LocalInstant
    duration_ms: int
    status_code: int | None
    error_class: str | None
    response_excerpt: str | None
    actor_id: UUID | None


class DeliveryDetail(DeliverySummary):
    """One event: `body` is the very text that is sent, None once it was forgotten; `via` its URL's area.

    MASKED stands for a text that carries a secret, or may.
    """

    via: str | None
    receipt: str | None
    body: str | None
    failed_attempts: list[Attempt]


class DeliveryPage(BaseModel):
    items: Sequence[DeliverySummary]
    next_cursor: str | None


def list_deliveries(
    connection: Connection[Any], filters: Filters, cursor: str | None, limit: int
) -> DeliveryPage:
    """Events, newest first. Those of administrators are there until they are delivered: their rows go then (R-1)."""
    place = read_cursor(cursor)
    rows = (
        connection.cursor(row_factory=class_row(DeliverySummary))
        .execute(
            """
            SELECT event_id, type, endpoint, status::text, attempts, last_status_code, last_error, created_at,
                   delivered_at, expires_at,
                   CASE WHEN status IN ('pending', 'retrying', 'enqueued', 'delivering') THEN next_attempt_at END
                       AS next_attempt_at
              FROM outbox
             WHERE (%(type)s::text IS NULL OR type = %(type)s)
               AND (%(statuses)s::delivery_status[] IS NULL OR status = ANY(%(statuses)s::delivery_status[]))
               AND (%(endpoint)s::text IS NULL OR endpoint = %(endpoint)s)
               AND (%(since)s::timestamptz IS NULL OR created_at >= %(since)s)
               AND (%(until)s::timestamptz IS NULL OR created_at < %(until)s)
               AND (%(order_id)s::uuid IS NULL OR about_order = %(order_id)s)
               AND (%(user_id)s::uuid IS NULL OR about_user = %(user_id)s)
               AND (%(at)s::timestamptz IS NULL OR (created_at, event_id) < (%(at)s, %(event_id)s))
             ORDER BY created_at DESC, event_id DESC LIMIT %(at_most)s
            """,
            {
                **filters.model_dump(mode="python"),
                "at": place.at if place else None,
                "event_id": f"evt_{place.id.hex}" if place else None,
                "at_most": limit + 1,
            },
        )
        .fetchall()
    )
    page: Page[DeliverySummary] = page_of(rows, limit, _place_of)
    return DeliveryPage(items=page.items, next_cursor=page.next_cursor)


def show_delivery(
    connection: Connection[Any], actor_id: UUID, event_id: str, now: datetime
) -> DeliveryDetail:
    """One event and its attempts; reading what it says leaves a line in the audit. Refuses with DELIVERY_NOT_FOUND.

    What carries a secret is masked, for administrators too: with a reset's token they could take the account.
    """
    detail = _find_delivery(connection, event_id)
    if EVENTS[detail.type].carries_secret:
        return _masked(detail)
    if detail.body is not None:
        note_action(connection, actor_id, "webhooks.read", "webhook", event_id, None, None, now)
    return detail


def _masked(detail: DeliveryDetail) -> DeliveryDetail:
    attempts = [
        one.model_copy(update={"response_excerpt": one.response_excerpt and MASKED})
        for one in detail.failed_attempts
    ]
    return detail.model_copy(update={"body": detail.body and MASKED, "failed_attempts": attempts})


def _find_delivery(connection: Connection[Any], event_id: str) -> DeliveryDetail:
    attempts = (
        connection.cursor(row_factory=class_row(Attempt))
        .execute(
            """
            SELECT attempt_no, trigger, started_at, duration_ms, status_code, error_class, response_excerpt, actor_id
              FROM webhook_attempts WHERE event_id = %(event_id)s ORDER BY id
            """,
            {"event_id": event_id},
        )
        .fetchall()
    )
    row = connection.execute(
        """
        SELECT type, endpoint, status::text, attempts, last_status_code, last_error, next_attempt_at, created_at,
               delivered_at, expires_at, convert_from(body, 'UTF8')
          FROM outbox WHERE event_id = %(event_id)s
        """,
        {"event_id": event_id},
    ).fetchone()
    if row is None:
        raise Refused("DELIVERY_NOT_FOUND")
    event_type, endpoint, status, tried, code, error, due, created_at, delivered_at, expires_at, body = row
    return DeliveryDetail(
        event_id=event_id,
        type=event_type,
        endpoint=endpoint,
        status=status,
        attempts=tried,
        last_status_code=code,
        last_error=error,
        next_attempt_at=due if status in ("pending", "retrying", "enqueued", "delivering") else None,
        created_at=created_at,
        delivered_at=delivered_at,
        expires_at=expires_at,
        via=endpoint if endpoint != EVENTS[event_type].endpoint else None,
        receipt=RECEIVED_BY_MAKE if delivered_at else None,
        body=body,
        failed_attempts=attempts,
    )


def _place_of(row: DeliverySummary) -> Place:
    return Place(row.created_at, UUID(row.event_id.removeprefix("evt_")))
