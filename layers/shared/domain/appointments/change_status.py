"""Cancelling, completing, refunding, reactivating and reopening appointments, whoever does it (spec 2.9, 2.12).

One transaction each: the line of the table that allows it, then all of its effects.
"""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from psycopg import Connection

from domain.appointments import facts
from domain.appointments.booked import Booked, By, Locked, Session, lock, may
from domain.appointments.history import write_modification
from domain.appointments.transitions import Actor, Transition
from domain.clock import utc_milliseconds
from domain.errors import Refused
from domain.money import ZERO
from domain.returns import credit as line_credit
from domain.returns.bring_in_line import fill_what_is_free, lock_order_of
from domain.scheduling import booked_time, claims
from domain.transactions import retried_on_deadlock
from domain.webhooks.outbox import Environment, record_facts

DEFAULT_REASONS: dict[Actor, str] = {
    "student": "Annulé par étudiant",
    "tutor": "Annulé par tuteur",
    "admin": "Annulé par administrateur",
    "system": "Remboursement de commande",
}
STATUSES_FR = {
    "scheduled": "planifié",
    "completed": "terminé",
    "cancelled": "annulé",
    "refunded": "remboursé",
}


@dataclass(frozen=True, slots=True)
class Done:
    """What a change of status did with store credit: CAD given to the student, negative when taken back."""

    credit_cad: Decimal


@retried_on_deadlock
def cancel(
    connection: Connection[Any],
    by: By,
    appointment_id: UUID,
    reason: str | None,
    environment: Environment,
    now: datetime,
    *,
    credit: bool = True,
) -> Done:
    """Cancel an appointment. Who is credited what follows from the table; `credit` False is an administrator's choice.

    Refuses with APPOINTMENT_NOT_FOUND, NOT_CANCELLABLE, CANCELLATION_TOO_LATE, EARNINGS_PAID.
    """
    with connection.transaction():
        locked = lock(connection, by, appointment_id)
        transition = may("cancel", by, locked.booked, now, _not_cancellable)
        reason = reason or DEFAULT_REASONS[by.actor]
        done = _apply(connection, locked, by, transition, reason, now, credit=credit)
        fact = facts.cancelled(locked, by, reason, done.credit_cad, now)
        record_facts(connection, [fact], environment, now)
        return done


@retried_on_deadlock
def complete(
    connection: Connection[Any],
    by: By,
    appointment_id: UUID,
    environment: Environment,
    now: datetime,
    *,
    early: bool = False,
    reason: str | None = None,
) -> Done:
    """A session took place; `early` lets an administrator say so before it has ended.

    Refuses with APPOINTMENT_NOT_FOUND, TRANSITION_NOT_ALLOWED, NOT_OVER_YET.
    """
    with connection.transaction():
        locked = lock(connection, by, appointment_id)
        transition = may("complete", by, locked.booked, now, _not_allowed)
        if locked.booked.end >= now and not early:
            raise Refused("NOT_OVER_YET")
        done = _apply(connection, locked, by, transition, reason, now)
        record_facts(connection, [facts.completed(locked, by, now)], environment, now)
        return done


@retried_on_deadlock
def refund(
    connection: Connection[Any], by: By, appointment_id: UUID, reason: str | None, now: datetime
) -> Done:
    """Mark an appointment refunded; the money is the order's affair.

    Refuses with APPOINTMENT_NOT_FOUND, TRANSITION_NOT_ALLOWED, EARNINGS_PAID.
    """
    with connection.transaction():
        locked = lock(connection, by, appointment_id)
        transition = may("refund", by, locked.booked, now, _not_allowed)
        return _apply(connection, locked, by, transition, reason, now)


@retried_on_deadlock
def reactivate(
    connection: Connection[Any],
    by: By,
    appointment_id: UUID,
    reason: str | None,
    now: datetime,
    *,
    credit: bool = True,
) -> Done:
    """Let a cancelled appointment take place after all, if its time is still free; takes its credit back.

    With `credit` False the student keeps it. Refuses with APPOINTMENT_NOT_FOUND, TRANSITION_NOT_ALLOWED,
    SLOT_UNAVAILABLE, CREDIT_SPENT.
    """
    with connection.transaction():
        lock_order_of(connection, appointment_id)  # before its lines, as a refund does
        locked = lock(connection, by, appointment_id)
        transition = may("reactivate", by, locked.booked, now, _not_allowed)
        return _apply(connection, locked, by, transition, reason, now, credit=credit)


@retried_on_deadlock
def reopen(
    connection: Connection[Any], by: By, appointment_id: UUID, reason: str | None, now: datetime
) -> Done:
    """Correct a completion: the session is still to come.

    Refuses with APPOINTMENT_NOT_FOUND, TRANSITION_NOT_ALLOWED, EARNINGS_PAID.
    """
    with connection.transaction():
        locked = lock(connection, by, appointment_id)
        transition = may("reopen", by, locked.booked, now, _not_allowed)
        return _apply(connection, locked, by, transition, reason, now)


def _not_cancellable(_: Session, too_late: bool) -> Refused:
    return Refused("CANCELLATION_TOO_LATE" if too_late else "NOT_CANCELLABLE")


def _not_allowed(_: Session, __: bool) -> Refused:
    return Refused("TRANSITION_NOT_ALLOWED")


def _apply(
    connection: Connection[Any],
    locked: Locked,
    by: By,
    transition: Transition,
    reason: str | None,
    now: datetime,
    *,
    credit: bool = True,
) -> Done:
    """The effects of a line of the table, in the order of the locks."""
    booked = locked.booked
    if booked.earnings_status == "paid" and not transition.paid_too:
        raise Refused("EARNINGS_PAID")
    if transition.time == "released":
        booked_time.give_back(connection, booked.id)
    if transition.time == "claimed":
        claim = claims.Claim(booked.id, booked.tutor_id, booked.start, booked.end)
        if not claims.book(connection, claim, now):
            raise Refused("SLOT_UNAVAILABLE")
    after = _after(booked, by, transition, reason, now)
    _update(connection, booked.id, after, now)
    if transition.earnings:
        _set_earnings(connection, booked.order_item_id, transition.earnings)
    reason = reason or f"Statut changé vers {STATUSES_FR[transition.target]}"
    write_modification(
        connection,
        booked.id,
        transition.log,
        by.user_id,
        reason,
        _status_data(_before(booked)),
        _status_data(after),
        booked.sequence + 1,
        now,
    )
    if not credit:
        line_credit.promise_no_more(connection, booked.order_item_id)
        return Done(ZERO)
    return Done(_credit(connection, booked, by, transition, now))


def _credit(
    connection: Connection[Any], booked: Booked, by: By, transition: Transition, now: datetime
) -> Decimal:
    match transition.credit:
        case "issued":
            return line_credit.issue(
                connection, booked.user_id, booked.order_item_id, booked.left_cad, by.user_id, now
            )
        case "taken back":
            taken = line_credit.take_back(connection, booked.user_id, booked.order_item_id, by.user_id, now)
            fill_what_is_free(connection, booked.order_id, now)
            return -taken
        case None:
            return ZERO


@dataclass(frozen=True, slots=True)
class _State:
    status: str
    cancellation_reason: str | None
    cancelled_by: UUID | None
    cancelled_at: datetime | None
    completed_at: datetime | None


def _before(booked: Booked) -> _State:
    return _State(
        booked.status,
        booked.cancellation_reason,
        booked.cancelled_by,
        booked.cancelled_at,
        booked.completed_at,
    )


def _after(booked: Booked, by: By, transition: Transition, reason: str | None, now: datetime) -> _State:
    """A cancelled appointment says why, by whom and when; any other does not. Only a completed one says when."""
    if transition.target == "cancelled":
        return _State("cancelled", reason, by.user_id, now, booked.completed_at)
    if transition.target == "completed":
        return _State("completed", None, None, None, now)
    if transition.target == "refunded":
        return _State("refunded", None, None, None, booked.completed_at)
    return _State("scheduled", None, None, None, None)


def _status_data(state: _State) -> dict[str, Any]:
    return {
        "status": state.status,
        "cancellation_reason": state.cancellation_reason,
        "cancelled_by": str(state.cancelled_by) if state.cancelled_by else None,
        "cancelled_at": utc_milliseconds(state.cancelled_at) if state.cancelled_at else None,
    }


def _update(connection: Connection[Any], appointment_id: UUID, state: _State, now: datetime) -> None:
    connection.execute(
        """
        UPDATE appointments
           SET status = %(status)s, cancellation_reason = %(reason)s, cancelled_by = %(cancelled_by)s,
               cancelled_at = %(cancelled_at)s, completed_at = %(completed_at)s, sequence = sequence + 1,
               updated_at = %(now)s
         WHERE id = %(id)s
        """,
        {
            "id": appointment_id,
            "status": state.status,
            "reason": state.cancellation_reason,
            "cancelled_by": state.cancelled_by,
            "cancelled_at": state.cancelled_at,
            "completed_at": state.completed_at,
            "now": now,
        },
    )


def _set_earnings(connection: Connection[Any], order_item_id: UUID, status: str) -> None:
    connection.execute(
        "UPDATE earnings SET status = %(status)s WHERE order_item_id = %(id)s",
        {"id": order_item_id, "status": status},
    )
