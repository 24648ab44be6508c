"""A student and their own appointments. Somebody else's does not exist for them (X-08)."""

from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from psycopg import Connection

from domain.appointments import change_status, queries
from domain.appointments.booked import By
from domain.appointments.history import Modification, select_modifications
from domain.appointments.models import (
    AppointmentCourse,
    AppointmentDetail,
    AppointmentPage,
    AppointmentTutor,
    AppointmentView,
    CancelledAppointment,
    ChangeView,
    RescheduleSlot,
    RescheduleSlots,
)
from domain.appointments.queries import Filter, StudentAppointment
from domain.appointments.reschedule import reschedule, reschedule_starts
from domain.appointments.transitions import Action, find_transition
from domain.clock import on_toronto_clock
from domain.errors import Refused
from domain.paging import page_of, read_cursor
from domain.returns.credit import balance_of
from domain.webhooks.outbox import Environment

TEAM = "Équipe 4AS"
SYSTEM = "Système"


def list_appointments(
    connection: Connection[Any],
    user_id: UUID,
    which: Filter,
    cursor: str | None,
    limit: int,
    now: datetime,
) -> AppointmentPage:
    """A page of a student's appointments by start. Refuses with CURSOR_INVALID."""
    after = read_cursor(cursor)
    rows = queries.select_appointments(connection, user_id, which, after, limit, now).fetchall()
    page = page_of(rows, limit, lambda row: row.place)
    return AppointmentPage(
        items=[AppointmentView(**_view(row, now)) for row in page.items], next_cursor=page.next_cursor
    )


def show_appointment(
    connection: Connection[Any], user_id: UUID, appointment_id: UUID, now: datetime
) -> AppointmentDetail:
    """One appointment and its history, newest first. Refuses with APPOINTMENT_NOT_FOUND."""
    row = find_appointment(connection, user_id, appointment_id)
    history = [_change(line) for line in select_modifications(connection, appointment_id)]
    return AppointmentDetail(**_view(row, now), history=history)


def find_appointment(connection: Connection[Any], user_id: UUID, appointment_id: UUID) -> StudentAppointment:
    """A student's appointment. Refuses with APPOINTMENT_NOT_FOUND."""
    row = queries.select_appointment(connection, user_id, appointment_id).fetchone()
    if row is None:
        raise Refused("APPOINTMENT_NOT_FOUND")
    return row


def cancel_own(
    connection: Connection[Any],
    user_id: UUID,
    appointment_id: UUID,
    reason: str | None,
    environment: Environment,
    now: datetime,
) -> CancelledAppointment:
    """Cancel for a full credit until two hours before the start (OP-S06). Refuses as `change_status.cancel`."""
    by = By("student", user_id)
    done = change_status.cancel(connection, by, appointment_id, reason, environment, now)
    return CancelledAppointment(
        appointment=show_appointment(connection, user_id, appointment_id, now),
        credit_issued_cad=str(done.credit_cad),
        credits_balance_cad=str(balance_of(connection, user_id)),
    )


def reschedule_own(
    connection: Connection[Any],
    user_id: UUID,
    appointment_id: UUID,
    start: datetime,
    reason: str,
    environment: Environment,
    now: datetime,
) -> AppointmentDetail:
    """Move to another time of the same tutor until a day before the start (OP-S08). Refuses as `reschedule`."""
    reschedule(connection, By("student", user_id), appointment_id, start, reason, environment, now)
    return show_appointment(connection, user_id, appointment_id, now)


def list_reschedule_slots(
    connection: Connection[Any],
    user_id: UUID,
    appointment_id: UUID,
    first: date | None,
    last: date | None,
    now: datetime,
) -> RescheduleSlots:
    """Where an appointment can move to (OP-S07). Refuses with APPOINTMENT_NOT_FOUND and as `reschedule_starts`."""
    row = find_appointment(connection, user_id, appointment_id)
    starts = reschedule_starts(connection, By("student", user_id), row, first, last, now)
    return RescheduleSlots(
        duration_min=row.duration_min, slots=[_slot(start, row.duration_min) for start in starts]
    )


def _slot(start: datetime, duration_min: int) -> RescheduleSlot:
    local = on_toronto_clock(start)
    return RescheduleSlot(
        start=local,
        end=on_toronto_clock(start + timedelta(minutes=duration_min)),
        duration_min=duration_min,
        display_time=f"{local:%H:%M}",
    )


def _view(row: StudentAppointment, now: datetime) -> dict[str, Any]:
    cancel_until = _deadline("cancel", row)
    reschedule_until = _deadline("reschedule", row)
    can_cancel = cancel_until is not None and now <= cancel_until
    return {
        "id": row.id,
        "status": row.status,
        "course": AppointmentCourse(id=row.course_id, slug=row.course_slug, title_fr=row.course_title_fr),
        "tutor": AppointmentTutor(id=row.tutor_id, display_name=row.tutor_display_name),
        "start": on_toronto_clock(row.start),
        "end": on_toronto_clock(row.end),
        "duration_min": row.duration_min,
        "price_cad": str(row.price_cad),
        "order_id": row.order_id,
        "meeting_link": row.meeting_link,
        "can_cancel": can_cancel,
        "cancel_until": _local(cancel_until),
        "credit_on_cancel_cad": str(row.left_cad) if can_cancel else None,
        "can_reschedule": reschedule_until is not None and now <= reschedule_until,
        "reschedule_until": _local(reschedule_until),
        "can_rate": row.status == "completed",
        "cancellation_reason": row.cancellation_reason,
        "cancelled_by": row.cancelled_by_role,
        "cancelled_at": _local(row.cancelled_at),
        "completed_at": _local(row.completed_at),
        "sequence": row.sequence,
    }


def _deadline(action: Action, row: StudentAppointment) -> datetime | None:
    transition = find_transition(action, "student", row.status)
    return transition.deadline("student", row.start) if transition else None


def _change(line: Modification) -> ChangeView:
    """Of the data kept, only times and statuses: some of it is not for students."""
    return ChangeView(
        type=line.type,
        changed_by=line.changed_by_role or "system",
        changed_by_name=_name(line),
        reason=line.reason,
        old_start=_instant(line.old_data.get("start_datetime")),
        new_start=_instant(line.new_data.get("start_datetime")),
        old_status=line.old_data.get("status"),
        new_status=line.new_data.get("status"),
        changed_at=on_toronto_clock(line.created_at),
    )


def _name(line: Modification) -> str:
    if line.changed_by_role == "admin":
        return TEAM
    return line.changed_by_name or SYSTEM


def _instant(text: str | None) -> datetime | None:
    return on_toronto_clock(datetime.fromisoformat(text)) if text else None


def _local(instant: datetime | None) -> datetime | None:
    return on_toronto_clock(instant) if instant else None
