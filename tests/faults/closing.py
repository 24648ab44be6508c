"""Once nothing strikes any more: Stripe's messages arrive, the schedules do their work, and the books must balance."""

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from psycopg import Connection

from domain.audit.findings import FINDINGS
from tests.faults.buyer import Promised
from tests.faults.schedules import FUNCTIONS, Chores
from tests.faults.server import connect
from tests.faults.tally import Tally
from tests.faults.town import System, until
from tests.support.audit import closing_audit

LATER_HOURS = (0.05, 0.2, 1.5, 26.0)
"""How far the clock is put ahead, one after the other: Stripe tries again, leases run out, what nobody paid expires."""

MINUTES_OF_STRIPE = 1.5
ACKNOWLEDGED = (200, 503)


class Remembered:
    """What the Stripe double knew when it was asked."""

    def __init__(self, state: dict[str, Any]) -> None:
        self.state = state

    def all(self, kind: str) -> list[dict[str, Any]]:
        objects: list[dict[str, Any]] = self.state[f"{kind}s"]
        return objects


def close(system: System, chores: Chores, promised: Promised, tally: Tally) -> None:
    """Let everything come to its end, and tell the tally of what does not fit."""
    began = datetime.now(UTC)
    for hours in LATER_HOURS:
        system.move_clock((began + timedelta(hours=hours)).isoformat())
        if not until(lambda: _nothing_is_due(system), 60):
            tally.violated(f"Stripe's messages do not arrive although nothing strikes, {hours} h later")
        for function in FUNCTIONS:
            answer = system.fire(function)
            if answer.status != 200:
                tally.violated(f"{function} fails although nothing strikes: {answer.body.decode()[-300:]}")
    with connect(system.town.database_url) as connection:
        if not until(lambda: not _undelivered(connection), 60):
            tally.violated(f"{_undelivered(connection)} events that were not delivered")
        stripe = Remembered(system.double())
        now = datetime.now(UTC) + timedelta(hours=LATER_HOURS[-1])
        tally.violated(
            *(f"at the end: {fault}" for fault in closing_audit(connection, stripe, now, FINDINGS))
        )
        tally.violated(*chores.left_undone(connection), *broken_promises(connection, promised))
    tally.violated(*odd_deliveries(stripe.state))
    tally.did("Stripe's messages delivered", len(stripe.state["deliveries"]))
    tally.did("… tried again", sum(len(told["attempts"]) - 1 for told in stripe.state["deliveries"]))


def _nothing_is_due(system: System) -> bool:
    """Whether Stripe has told all that it would have told by now."""
    return all(told["status"] != "pending" for told in system.double()["deliveries"])


def odd_deliveries(state: dict[str, Any]) -> Iterator[str]:
    """Each answer to Stripe is an acknowledgement, or asks for another try; in the end each is acknowledged."""
    for told in state["deliveries"]:
        for answer in told["attempts"]:
            if answer not in ACKNOWLEDGED:
                yield f"Stripe was answered {answer} to {told['type']}"
        if told["status"] != "delivered":
            yield f"Stripe's {told['type']} {told['event']} is {told['status']} after {told['attempts']}"


def _undelivered(connection: Connection[Any]) -> int:
    row = connection.execute("SELECT count(*) FROM outbox WHERE status <> 'delivered'").fetchone()
    assert row
    return int(row[0])


def broken_promises(connection: Connection[Any], promised: Promised) -> Iterator[str]:
    """What was answered as done and is not there."""
    kept: list[tuple[str, set[str], str]] = [
        ("order", promised.orders, "SELECT id::text FROM orders"),
        ("cancellation", promised.cancelled, "SELECT id::text FROM appointments WHERE status = 'cancelled'"),
    ]
    for what, ids, statement in kept:
        there = {row[0] for row in connection.execute(statement.encode()).fetchall()}
        yield from (f"a promised {what} that is not there: {lost}" for lost in sorted(ids - there))


def back_in_service(ask: Callable[[], bool], seconds: float) -> float | None:
    """In how many seconds that succeeds; None when it does not in time."""
    began = time.monotonic()
    return time.monotonic() - began if until(ask, seconds) else None
