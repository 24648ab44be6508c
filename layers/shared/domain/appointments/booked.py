"""An appointment as whoever changes it needs it: locked, with its order line and both people."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Protocol
from uuid import UUID

from psycopg import Connection, Cursor
from psycopg.rows import class_row, tuple_row

from domain.accounts.accounts import Account, find_account
from domain.appointments.sold import EarningsStatus
from domain.appointments.transitions import Action, Actor, Transition, find_transition
from domain.errors import Refused
from domain.scheduling.claims import lock_tutors


@dataclass(frozen=True, slots=True)
class By:
    """Whose hand. A schedule has no user; a refund is `system` with the administrator's."""

    actor: Actor
    user_id: UUID | None


class Session(Protocol):
    """What decides whether an appointment can be changed, and where to."""

    @property
    def course_id(self) -> UUID: ...
    @property
    def tutor_id(self) -> UUID: ...
    @property
    def start(self) -> datetime: ...
    @property
    def end(self) -> datetime: ...
    @property
    def duration_min(self) -> int: ...
    @property
    def status(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Booked:
    """`sequence` grows with each change. Confidential: carries what the tutor earns."""

    id: UUID
    user_id: UUID
    tutor_id: UUID
    tutor_name: str
    course_id: UUID
    course_title_fr: str
    order_id: UUID
    order_item_id: UUID
    start: datetime
    end: datetime
    duration_min: int
    meeting_link: str | None
    status: str
    sequence: int
    cancellation_reason: str | None
    cancelled_by: UUID | None
    cancelled_at: datetime | None
    completed_at: datetime | None
    price_cad: Decimal
    discount_share_cad: Decimal
    returned_cad: Decimal
    tutor_earnings_cad: Decimal
    earnings_status: EarningsStatus

    @property
    def left_cad(self) -> Decimal:
        """What the line was paid and has not given back any way: what a cancellation credits."""
        return self.price_cad - self.discount_share_cad - self.returned_cad


@dataclass(frozen=True, slots=True)
class Locked:
    """An appointment nobody else changes until the transaction ends, and the people it brings together."""

    booked: Booked
    student: Account
    tutor: Account


def lock(connection: Connection[Any], by: By, appointment_id: UUID) -> Locked:
    """Lock the people, the tutor's time, the appointment and its order line, in that order, within a transaction.

    Refuses with APPOINTMENT_NOT_FOUND a student or tutor whose appointment it is not: to them it does not exist.
    """
    people = _people(connection, appointment_id)
    if people is None or by.user_id != {"student": people[0], "tutor": people[1]}.get(by.actor, by.user_id):
        raise Refused("APPOINTMENT_NOT_FOUND")
    student_id, tutor_id = people
    with connection.pipeline():
        _lock_people(connection, [student_id, tutor_id, by.user_id])
        lock_tutors(connection, [tutor_id])
        _lock_claim(connection, appointment_id)
        booked = _lock_appointment(connection, appointment_id)
        student = find_account(connection, student_id, None)
        tutor = find_account(connection, tutor_id, None)
        return Locked(_only(booked), _only(student), _only(tutor))


def may(
    action: Action, by: By, session: Session, now: datetime, refuse: Callable[[Session, bool], Refused]
) -> Transition:
    """The line of the table that lets them, now. Else raises what `refuse` answers, told if it is only too late."""
    transition = find_transition(action, by.actor, session.status)
    if transition is None:
        raise refuse(session, False)
    deadline = transition.deadline(by.actor, session.start)
    if deadline is not None and now > deadline:
        raise refuse(session, True)
    return transition


def _only[T](answer: Cursor[T]) -> T:
    row = answer.fetchone()
    if row is None:
        raise LookupError("an appointment without its order line or people")
    return row


def _people(connection: Connection[Any], appointment_id: UUID) -> tuple[UUID, UUID] | None:
    """Whose appointment it is: these two never change."""
    return (
        connection.cursor(row_factory=tuple_row)
        .execute("SELECT user_id, tutor_id FROM appointments WHERE id = %(id)s", {"id": appointment_id})
        .fetchone()
    )


def _lock_people(connection: Connection[Any], user_ids: list[UUID | None]) -> None:
    """What their foreign keys would lock anyway, later and out of order."""
    connection.execute(
        "SELECT FROM users WHERE id = ANY(%(ids)s) ORDER BY id FOR KEY SHARE", {"ids": user_ids}
    )


def _lock_claim(connection: Connection[Any], appointment_id: UUID) -> None:
    connection.execute("SELECT FROM time_claims WHERE id = %(id)s FOR UPDATE", {"id": appointment_id})


def _lock_appointment(connection: Connection[Any], appointment_id: UUID) -> Cursor[Booked]:
    return connection.cursor(row_factory=class_row(Booked)).execute(
        """
        SELECT appointment.id, appointment.user_id, appointment.tutor_id, tutor.display_name AS tutor_name,
               appointment.course_id,
               course.title_fr AS course_title_fr, item.order_id, item.id AS order_item_id,
               appointment.start_datetime AS start, appointment.end_datetime AS "end", session.duration_min,
               appointment.meeting_link, appointment.status::text, appointment.sequence,
               appointment.cancellation_reason, appointment.cancelled_by, appointment.cancelled_at,
               appointment.completed_at,
               item.line_total_cad AS price_cad, item.discount_share_cad, item.returned_cad,
               earned.amount_cad AS tutor_earnings_cad, earned.status::text AS earnings_status
          FROM appointments AS appointment
          JOIN order_items AS item ON item.id = appointment.order_item_id
          JOIN session_items AS session ON session.id = item.id
          JOIN earnings AS earned ON earned.order_item_id = item.id
          JOIN courses AS course ON course.id = appointment.course_id
          JOIN tutors AS tutor ON tutor.id = appointment.tutor_id
         WHERE appointment.id = %(id)s
           FOR NO KEY UPDATE OF appointment, item
        """,
        {"id": appointment_id},
    )
