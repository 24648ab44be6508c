"""The URLs of Make.com as an administrator sees them: all of them, whether they were ever tried or not."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal

from psycopg import Connection
from psycopg.rows import dict_row
from pydantic import BaseModel

from domain.webhooks import endpoints
from domain.webhooks.breaker import Endpoint, State
from domain.webhooks.deliveries import LocalInstant
from domain.webhooks.delivery import Routes
from domain.webhooks.event_types import AREAS, EVENTS
from domain.webhooks.reasons import ENDPOINTS

type Address = Literal["own", "via_booking", "missing"]


class EndpointHealth(BaseModel):
    """One area. Through BOOKING's URL its state is BOOKING's; without any its events are skipped.

    `reason` is a code and `explanation` its sentence, with what to do. `since` is when it was left alone or began to
    fail, `not_before` what Make asked for. `waiting` are on their way; `held`, `skipped` and `exhausted` are not:
    `oldest_undelivered` is when the first of these was told.
    """

    name: str
    address: Address
    state: State
    reason: str | None
    explanation: str | None
    since: LocalInstant | None
    consecutive_failures: int
    probe_at: LocalInstant | None
    not_before: LocalInstant | None
    last_success_at: LocalInstant | None
    waiting: int
    held: int
    skipped: int
    exhausted: int
    oldest_undelivered: LocalInstant | None


def look_at_endpoints(connection: Connection[Any], routes: Routes, now: datetime) -> Sequence[EndpointHealth]:
    """Every area, in the contract's order."""
    known = {endpoint.area: endpoint for endpoint in endpoints.find_endpoints(connection)}
    counts = _counts(connection)
    not_before: dict[str, datetime] = dict(
        connection.execute(
            "SELECT lane, not_before FROM webhook_lanes WHERE not_before > %(now)s",
            {"now": now},
        ).fetchall()
    )
    return [_health(area, routes, known, counts.get(area, {}), not_before) for area in AREAS]


def _health(
    area: str,
    routes: Routes,
    known: dict[str, Endpoint],
    counts: dict[str, Any],
    not_before: dict[str, datetime],
) -> EndpointHealth:
    route = next((route for name, route in routes.items() if EVENTS[name].endpoint == area), None)
    one = known.get(route.area if route else area) or Endpoint(area)
    address: Address = "missing" if route is None else "own" if route.area == area else "via_booking"
    return EndpointHealth(
        name=area,
        address=address,
        state=one.state,
        reason=one.reason,
        explanation=_explanation(address, one),
        since=one.opened_at or one.failing_since,
        consecutive_failures=one.consecutive_failures,
        probe_at=one.probe_at,
        not_before=not_before.get(route.lane) if route else None,
        last_success_at=one.last_success_at,
        waiting=counts.get("waiting", 0),
        held=counts.get("held", 0),
        skipped=counts.get("skipped", 0),
        exhausted=counts.get("exhausted", 0),
        oldest_undelivered=counts.get("oldest_undelivered"),
    )


def _explanation(address: Address, endpoint: Endpoint) -> str | None:
    if address == "missing":
        return "Aucune adresse n’est configurée : ses événements sont mis de côté et pourront être renvoyés."
    return ENDPOINTS.get(endpoint.reason) if endpoint.reason else None


def _counts(connection: Connection[Any]) -> dict[str, dict[str, Any]]:
    rows = connection.cursor(row_factory=dict_row).execute(
        """
        SELECT area,
               count(*) FILTER (WHERE status IN ('pending', 'retrying', 'enqueued', 'delivering')) AS waiting,
               count(*) FILTER (WHERE status = 'held') AS held,
               count(*) FILTER (WHERE status = 'skipped') AS skipped,
               count(*) FILTER (WHERE status = 'exhausted') AS exhausted,
               min(created_at) FILTER (WHERE status IN ('held', 'skipped', 'exhausted')) AS oldest_undelivered
          FROM outbox JOIN unnest(%(types)s::text[], %(areas)s::text[]) AS event (type, area) USING (type)
         WHERE status IN ('pending', 'retrying', 'enqueued', 'delivering', 'held', 'skipped', 'exhausted')
         GROUP BY area
        """,
        {"types": list(EVENTS), "areas": [event.endpoint for event in EVENTS.values()]},
    )
    return {row.pop("area"): row for row in rows}
