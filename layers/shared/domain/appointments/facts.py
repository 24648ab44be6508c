"""What Make.com is told of an appointment's life (make-webhooks a.5, 3 to 5)."""

from datetime import datetime
from decimal import Decimal
from typing import Literal
from uuid import UUID

from domain.accounts.accounts import Account
from domain.appointments.booked import By, Locked
from domain.webhooks.events import (
    AppointmentCompleted,
    BookingCancelled,
    BookingRescheduled,
    Contact,
)


def cancelled(locked: Locked, by: By, reason: str, credit: Decimal, now: datetime) -> BookingCancelled:
    booked = locked.booked
    return BookingCancelled(
        appointment_id=booked.id,
        user_id=booked.user_id,
        tutor_id=booked.tutor_id,
        tutor_name=booked.tutor_name,
        course_id=booked.course_id,
        course_title_fr=booked.course_title_fr,
        cancelled_by=_person(by),
        cancelled_by_id=_user(by),
        cancellation_reason=reason,
        start_datetime=booked.start,
        end_datetime=booked.end,
        duration_min=booked.duration_min,
        price_cad=booked.price_cad,
        credit_issued=credit or None,
        timestamp=now,
        cause="refund" if by.actor == "system" else "request",
        order_id=booked.order_id,
        student=contact(locked.student),
        tutor=contact(locked.tutor),
        version=booked.sequence + 1,
    )


def rescheduled(
    locked: Locked,
    by: By,
    reason: str | None,
    start: datetime,
    end: datetime,
    modification_id: UUID,
    now: datetime,
) -> BookingRescheduled:
    booked = locked.booked
    return BookingRescheduled(
        appointment_id=booked.id,
        user_id=booked.user_id,
        tutor_id=booked.tutor_id,
        tutor_name=booked.tutor_name,
        course_id=booked.course_id,
        course_title_fr=booked.course_title_fr,
        rescheduled_by=_person(by),
        rescheduled_by_id=_user(by),
        reason=reason or "",
        order_id=booked.order_id,
        duration_min=booked.duration_min,
        meeting_link=booked.meeting_link,
        old_start_datetime=booked.start,
        old_end_datetime=booked.end,
        new_start_datetime=start,
        new_end_datetime=end,
        timestamp=now,
        modification_id=modification_id,
        student=contact(locked.student),
        tutor=contact(locked.tutor),
    )


def completed(locked: Locked, by: By, now: datetime) -> AppointmentCompleted:
    booked = locked.booked
    return AppointmentCompleted(
        appointment_id=booked.id,
        user_id=booked.user_id,
        tutor_id=booked.tutor_id,
        tutor_name=booked.tutor_name,
        course_id=booked.course_id,
        course_title_fr=booked.course_title_fr,
        start_datetime=booked.start,
        end_datetime=booked.end,
        duration_min=booked.duration_min,
        order_id=booked.order_id,
        tutor_earnings_cad=booked.tutor_earnings_cad,
        completed_at=now,
        completed_by="admin" if by.actor == "admin" else "system",
        student=contact(locked.student),
        tutor=contact(locked.tutor),
        version=booked.sequence + 1,
    )


def contact(account: Account) -> Contact:
    return Contact(
        id=account.id,
        first_name=account.first_name,
        last_name=account.last_name,
        email=account.email,
        phone=account.phone,
    )


def _person(by: By) -> Literal["student", "tutor", "admin"]:
    """Behind a refund there is an administrator."""
    return "admin" if by.actor == "system" else by.actor


def _user(by: By) -> UUID:
    if by.user_id is None:
        raise ValueError("only a schedule has no user, and it cancels or moves nothing")
    return by.user_id
