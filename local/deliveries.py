"""Deliveries to Make.com from a command line: `make deliveries DO="undelivered"`, on the database of DATABASE_URL.

What the administrator's routes do, by the same functions; the audit names no actor. SETTINGS names a JSON file in the
form of the stack's secret: what concerns URLs (endpoints, pause, resume, test) needs those.
"""

import argparse
import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg

from adapters import database, make
from adapters.make_routes import events_per_second, routes
from adapters.settings import SettingMissing, environment
from domain.clock import TORONTO
from domain.errors import Refused
from domain.paging import MAX_LIMIT
from domain.webhooks import deliveries, replay
from domain.webhooks.event_types import EVENTS
from domain.webhooks.health import look_at_endpoints
from domain.webhooks.reasons import in_french
from domain.webhooks.steps import RESTING, STATUSES
from domain.webhooks.trial import send_test

ABOUT_URLS = ("endpoints", "pause", "resume", "test")


def main(arguments: list[str] | None = None) -> int:
    """Do one thing and print what came of it as JSON; 1 when it is refused."""
    chosen = _parser().parse_args(arguments)
    _read_settings()
    if chosen.command in ABOUT_URLS and not routes():
        print("No URL of Make.com is set here: SETTINGS=secret.json names a file with the stack's settings.")
        return 1
    try:
        done = run(database.connection_for_jobs(), chosen, datetime.now(UTC))
    except Refused as refusal:
        print(f"{refusal.code}: {refusal.detail}")
        return 1
    except SettingMissing as missing:
        print(f"{missing} is not set.")
        return 1
    except psycopg.OperationalError as error:
        print(f"The database of DATABASE_URL does not answer ({type(error).__name__}).")
        return 1
    print(json.dumps(done, default=_plain, ensure_ascii=False, indent=2))
    return 0


def _read_settings() -> None:
    """What the environment says already wins."""
    if file := os.environ.get("SETTINGS"):
        for name, value in json.loads(Path(file).read_text(encoding="utf-8")).items():
            os.environ.setdefault(name, value)


def _plain(value: Any) -> str:
    """An instant as `range` takes it, anything else as text."""
    return value.isoformat() if isinstance(value, datetime) else str(value)


def run(connection: psycopg.Connection[Any], chosen: argparse.Namespace, now: datetime) -> Any:
    """What was asked, as plain data."""
    match chosen.command:
        case "list":
            filters = deliveries.Filters(
                type=chosen.type, statuses=[chosen.status] if chosen.status else None
            )
            return _page(connection, filters, chosen.cursor)
        case "undelivered":
            return _page(connection, deliveries.Filters(statuses=list(deliveries.UNDELIVERED)), chosen.cursor)
        case "endpoints":
            return [one.model_dump() for one in look_at_endpoints(connection, routes(), now)]
        case "redeliver":
            replay.redeliver(connection, None, chosen.event_id, now, force=chosen.force)
            return {"event_id": chosen.event_id, "status": "pending"}
        case "range":
            if chosen.since >= chosen.until:
                raise Refused("VALIDATION_FAILED", "La fin doit venir après le début.")
            what = replay.Range(chosen.since, chosen.until, chosen.type, chosen.status)
            found = (
                replay.redeliver_range(connection, None, what, events_per_second(), now, force=chosen.force)
                if chosen.go
                else replay.count_range(connection, what, now)
            )
            return {"redelivery_id": found.id, "counts": found.counts, "total": found.total}
        case "stop":
            return {"stopped": replay.stop(connection, None, chosen.redelivery_id, now)}
        case "pause":
            return {"held": replay.pause(connection, None, chosen.name, routes(), now)}
        case "resume":
            resumed = replay.resume(
                connection, None, chosen.name, routes(), events_per_second(), now, cancel=chosen.cancel
            )
            return {"events": resumed}
        case _:
            receiver = make.make_receiver()
            failure = send_test(connection, receiver, None, chosen.name, chosen.type, environment(), now)
            return {"received": failure is None, "reason": in_french(failure.reason) if failure else None}


def _page(connection: psycopg.Connection[Any], filters: deliveries.Filters, cursor: str | None) -> Any:
    return deliveries.list_deliveries(connection, filters, cursor, MAX_LIMIT).model_dump()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="make deliveries DO=…")
    commands = parser.add_subparsers(dest="command", required=True)
    listing = commands.add_parser("list", help="what was told, newest first")
    listing.add_argument("--type", choices=EVENTS)
    listing.add_argument("--status", choices=STATUSES)
    listing.add_argument("--cursor")
    undelivered = commands.add_parser("undelivered", help="what waits for somebody")
    undelivered.add_argument("--cursor")
    commands.add_parser("endpoints", help="the health of Make's URLs")
    one = commands.add_parser("redeliver", help="send one event again")
    one.add_argument("event_id")
    one.add_argument("--force", action="store_true", help="tell the scenario that it is meant (x-4as-replay)")
    many = commands.add_parser("range", help="count what would be sent again; --go sends it, five a second")
    many.add_argument("since", type=_instant)
    many.add_argument("until", type=_instant)
    many.add_argument("--type", choices=EVENTS)
    many.add_argument("--status", choices=RESTING)
    many.add_argument("--go", action="store_true")
    many.add_argument(
        "--force", action="store_true", help="tell the scenario that it is meant (x-4as-replay)"
    )
    commands.add_parser("stop", help="end a range").add_argument("redelivery_id", type=UUID)
    commands.add_parser("pause", help="hold what goes to a URL").add_argument("name")
    resuming = commands.add_parser("resume", help="send what a URL's pause held")
    resuming.add_argument("name")
    resuming.add_argument("--cancel", action="store_true", help="give it up instead")
    trial = commands.add_parser("test", help="send an event's sample to a URL, or a ping")
    trial.add_argument("name")
    trial.add_argument("--type", choices=EVENTS)
    return parser


def _instant(text: str) -> datetime:
    """Without an offset, on Toronto's clock, as every instant is printed here."""
    at = datetime.fromisoformat(text)
    return at if at.tzinfo else at.replace(tzinfo=TORONTO)


if __name__ == "__main__":
    raise SystemExit(main())
