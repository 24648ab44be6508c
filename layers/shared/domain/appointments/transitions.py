"""What may happen to an appointment, at whose hand, and everything that follows: one table (spec 2.9, 2.10, 2.12).

What is not in the table is refused (X-25).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

type Actor = Literal["student", "tutor", "admin", "system"]
"""`system` is a schedule that completes, or a refund that cancels."""
type Action = Literal["cancel", "reschedule", "complete", "refund", "reactivate", "reopen"]
type Status = Literal["scheduled", "completed", "cancelled", "refunded"]
type Time = Literal["kept", "moved", "released", "claimed"]
type Earnings = Literal["scheduled", "earned", "cancelled"]
type Credit = Literal["issued", "taken back"]
type LogEntry = Literal["cancellation", "reschedule", "completion", "status_change"]
type Event = Literal["booking.cancelled", "booking.rescheduled", "appointment.completed"]

ANY_TIME = None


@dataclass(frozen=True, slots=True)
class Transition:
    """One line of the table.

    `until` says for each actor who may how long before the start they still can, to the second; ANY_TIME is no
    limit. `earnings` None leaves them alone. `paid_too`: even when the tutor has been paid for the session.
    """

    action: Action
    source: Status
    target: Status
    until: Mapping[Actor, timedelta | None]
    time: Time
    earnings: Earnings | None
    credit: Credit | None
    log: LogEntry
    event: Event | None
    paid_too: bool = False

    def deadline(self, actor: Actor, start: datetime) -> datetime | None:
        """The last instant at which that actor still may, for a session that begins at `start`; None without one."""
        notice = self.until[actor]
        return None if notice is None else start - notice


CANCEL_UNTIL: Mapping[Actor, timedelta | None] = {
    "student": timedelta(hours=2),
    "tutor": timedelta(hours=2),
    "admin": ANY_TIME,
}
RESCHEDULE_UNTIL: Mapping[Actor, timedelta | None] = {
    "student": timedelta(hours=24),
    "tutor": timedelta(hours=2),
    "admin": ANY_TIME,
}
ADMIN: Mapping[Actor, timedelta | None] = {"admin": ANY_TIME}
SYSTEM: Mapping[Actor, timedelta | None] = {"system": ANY_TIME}
ADMIN_OR_SYSTEM: Mapping[Actor, timedelta | None] = {**ADMIN, **SYSTEM}

# fmt: off
TABLE = (
    Transition("cancel", "scheduled", "cancelled", CANCEL_UNTIL,
               "released", "cancelled", "issued", "cancellation", "booking.cancelled"),
    Transition("cancel", "scheduled", "cancelled", SYSTEM,  # an order's refund: the money is on its way already
               "released", "cancelled", None, "cancellation", "booking.cancelled"),
    Transition("cancel", "completed", "cancelled", ADMIN,
               "released", "cancelled", "issued", "cancellation", "booking.cancelled"),
    Transition("reschedule", "scheduled", "scheduled", RESCHEDULE_UNTIL,
               "moved", None, None, "reschedule", "booking.rescheduled"),
    Transition("complete", "scheduled", "completed", ADMIN_OR_SYSTEM,
               "kept", "earned", None, "completion", "appointment.completed"),
    Transition("refund", "scheduled", "refunded", ADMIN,
               "released", "cancelled", None, "status_change", None),
    Transition("refund", "completed", "refunded", ADMIN,
               "released", "cancelled", None, "status_change", None),
    Transition("refund", "completed", "refunded", SYSTEM,  # an order's refund leaves the tutor's earnings
               "released", None, None, "status_change", None, paid_too=True),
    Transition("reactivate", "cancelled", "scheduled", ADMIN,
               "claimed", "scheduled", "taken back", "status_change", None),
    Transition("reopen", "completed", "scheduled", ADMIN,
               "kept", "scheduled", None, "status_change", None),
)
# fmt: on


def find_transition(action: Action, actor: Actor, status: str) -> Transition | None:
    """The line for that action of that actor on an appointment in that status; None when there is none."""
    return next(
        (line for line in TABLE if line.action == action and line.source == status and actor in line.until),
        None,
    )


def action_to(source: str, target: str) -> Action | None:
    """What an administrator does who moves an appointment from one status to another; None when it cannot be."""
    return next(
        (
            line.action
            for line in TABLE
            if line.source == source and line.target == target and source != target and "admin" in line.until
        ),
        None,
    )
