"""What must be true once the last session is over, out of the database and of what Make has accepted."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any
from uuid import UUID

from domain.appointments.reminders import AHEAD
from tests.support.audit import closing_audit
from tests.support.life.make import Post
from tests.support.world import World

PATIENCE = timedelta(hours=3)
"""After so long some run of a schedule has lived to its end, or the schedules do not recover."""

type Reminder = tuple[UUID, datetime]
"""A session, and the start that is told."""


class Books:
    """Each method answers what is wrong; nothing is."""

    def __init__(self, world: World, post: Post) -> None:
        self._world, self._post = world, post

    def faults(self) -> list[str]:
        """Everything that does not fit."""
        return [
            *closing_audit(self._world.connection, self._world.stripe, self._world.clock()),
            *self.sessions_without_an_end(),
            *self.completions_not_told_once(),
            *self.changes_not_told_once(),
            *self.credits_not_given_once(),
            *self.reminders_missing_or_too_many(),
            *self.events_not_delivered_once(),
        ]

    @cached_property
    def sessions(self) -> list[dict[str, Any]]:
        return self._world.rows(
            "SELECT appointments.*, appointments.status::text AS state, earnings.status::text AS earnings,"
            "       line_total_cad - discount_share_cad AS net_cad"
            "  FROM appointments JOIN order_items ON order_items.id = order_item_id JOIN earnings USING (order_item_id)"
        )

    @cached_property
    def changes(self) -> dict[UUID, list[dict[str, Any]]]:
        """What was changed, by session, in its order."""
        changes = defaultdict(list)
        for row in self._world.rows(
            "SELECT appointment_id, modification_type::text AS kind, old_data, new_data, created_at"
            "  FROM appointment_modifications ORDER BY sequence"
        ):
            changes[row["appointment_id"]].append(row)
        return changes

    def told(self, event_type: str) -> list[dict[str, Any]]:
        """The payloads Make has accepted, each event once."""
        return [event["payload"] for event in self._post.events[event_type]]

    def sessions_without_an_end(self) -> Iterator[str]:
        """Each took place and is earned, soon after its end, or was cancelled and is not."""
        for session in self.sessions:
            if (session["state"], session["earnings"]) not in (
                ("completed", "earned"),
                ("cancelled", "cancelled"),
            ):
                yield f"a session {session['state']} and {session['earnings']}: {session['id']}"
            if (completed_at := session["completed_at"]) and not (
                timedelta(0) < completed_at - session["end_datetime"] <= PATIENCE
            ):
                yield f"a session completed at an odd time: {session['id']}"

    def completions_not_told_once(self) -> Iterator[str]:
        completed = Counter(
            str(session["id"]) for session in self.sessions if session["state"] == "completed"
        )
        told = Counter(payload["appointment_id"] for payload in self.told("appointment.completed"))
        written = Counter(
            str(session_id)
            for session_id, changes in self.changes.items()
            for change in changes
            if change["kind"] == "completion"
        )
        yield from _differences("a completion not told once", completed, told)
        yield from _differences("a completion not written down once", completed, written)

    def changes_not_told_once(self) -> Iterator[str]:
        for kind, event_type in (
            ("cancellation", "booking.cancelled"),
            ("reschedule", "booking.rescheduled"),
        ):
            happened = Counter(
                str(session_id)
                for session_id, changes in self.changes.items()
                for change in changes
                if change["kind"] == kind
            )
            told = Counter(payload["appointment_id"] for payload in self.told(event_type))
            yield from _differences(f"a {kind} not told once", happened, told)

    def credits_not_given_once(self) -> Iterator[str]:
        """Who cancels is credited what the session cost, less what the card or the bank got back of it."""
        owed = Counter(
            (str(session["id"]), session["net_cad"])
            for session in self.sessions
            if session["state"] == "cancelled" and session["net_cad"]
        )
        given = Counter(
            (str(row["appointment_id"]), row["cad"])
            for row in self._world.rows(
                """
                SELECT appointments.id AS appointment_id,
                       coalesce((SELECT sum(amount_cad) FROM credit_transactions
                                  WHERE order_item_id = appointments.order_item_id), 0)
                       + coalesce((SELECT sum(amount_cad) FROM line_returns
                                    WHERE order_item_id = appointments.order_item_id AND way <> 'credit'
                                      AND undone_at IS NULL), 0) AS cad
                  FROM appointments
                 WHERE status = 'cancelled' OR order_item_id IN (SELECT order_item_id FROM credit_transactions)
                """
            )
            if row["cad"]
        )
        yield from _differences("a cancellation not credited once", owed, given)

    def reminders_missing_or_too_many(self) -> Iterator[str]:
        """One for each time that was chosen more than a day ahead and still stood a day before."""
        reminded = Counter(
            (UUID(payload["appointment_id"]), datetime.fromisoformat(payload["start_datetime"]))
            for payload in self.told("appointment.reminder")
        )
        must, may = self.reminders_due
        for session_id, start in must - set(reminded):
            yield f"a reminder that was not sent: {session_id} {start}"
        for session_id, start in set(reminded) - must - may:
            yield f"a reminder nobody should have had: {session_id} {start}"
        for reminder, times in reminded.items():
            if times > 1:
                yield f"a reminder sent {times} times: {reminder}"

    @cached_property
    def reminders_due(self) -> tuple[set[Reminder], set[Reminder]]:
        """Times that must have had a reminder, and those that may: given up within PATIENCE of its hour."""
        must: set[Reminder] = set()
        may: set[Reminder] = set()
        for session in self.sessions:
            for start, chosen_at, given_up_at in self._times(session):
                if chosen_at < start - AHEAD <= given_up_at:
                    kept_long_enough = given_up_at > start - AHEAD + PATIENCE
                    (must if kept_long_enough else may).add((session["id"], start))
        return must, may

    def _times(self, session: dict[str, Any]) -> list[tuple[datetime, datetime, datetime]]:
        """Every time the session ever had: its start, when it was chosen, when it was given up or began."""
        moves = [change for change in self.changes[session["id"]] if change["kind"] == "reschedule"]
        starts = [_start(move["old_data"]) for move in moves] + [session["start_datetime"]]
        chosen = [session["created_at"]] + [move["created_at"] for move in moves]
        ends = [move["created_at"] for move in moves] + [session["cancelled_at"] or session["start_datetime"]]
        return list(zip(starts, chosen, ends, strict=True))

    def events_not_delivered_once(self) -> Iterator[str]:
        """All that was recorded arrived, numbered without a gap; twice only what a killed dispatcher forgot."""
        statuses = {
            row["event_id"]: row["status"]
            for row in self._world.rows("SELECT event_id, status::text FROM outbox")
        }
        for event_id, status in statuses.items():
            if status != "delivered":
                yield f"an event {status}: {event_id}"
        for event_id in statuses.keys() ^ self._post.accepted.keys():
            yield f"an event recorded and not accepted, or the reverse: {event_id}"
        for event_id, times in self._post.accepted.items():
            if times > 1 + self._post.forgotten[event_id]:
                yield f"an event delivered {times} times: {event_id}"
        numbers: dict[str, list[int]] = defaultdict(list)
        for row in self._world.rows("SELECT ordering_key, sequence FROM outbox ORDER BY sequence"):
            numbers[row["ordering_key"]].append(row["sequence"])
        for key, sequence in numbers.items():
            if sequence != list(range(1, len(sequence) + 1)):
                yield f"events numbered {sequence}: {key}"


def _differences[K](what: str, expected: Counter[K], found: Counter[K]) -> Iterator[str]:
    for key in (expected - found) + (found - expected):
        yield f"{what}: {key} {expected[key]} {found[key]}"


def _start(data: dict[str, str]) -> datetime:
    return datetime.fromisoformat(data["start_datetime"])
