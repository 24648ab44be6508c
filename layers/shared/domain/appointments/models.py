"""What a student sees of appointments, and may ask of them. Never what the tutor earns (X-14)."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import BaseModel, Field

from domain.catalog.models import Cad
from domain.inputs import FilledRemark, Instant, Remark, RequestBody

type AppointmentStatus = Literal["scheduled", "completed", "cancelled", "refunded"]


class AppointmentCourse(BaseModel):
    id: UUID
    slug: str
    title_fr: str


class AppointmentTutor(BaseModel):
    id: UUID
    display_name: str


class AppointmentView(BaseModel):
    """Deadlines are the last instant at which it can still be done; null when it cannot be done at all."""

    id: UUID
    status: AppointmentStatus
    course: AppointmentCourse
    tutor: AppointmentTutor
    start: datetime
    end: datetime
    duration_min: int
    price_cad: Cad
    order_id: UUID
    meeting_link: str | None
    can_cancel: bool
    cancel_until: datetime | None
    credit_on_cancel_cad: Cad | None = Field(
        description="Le crédit que donnerait une annulation; null quand elle n'est plus possible"
    )
    can_reschedule: bool
    reschedule_until: datetime | None
    can_rate: bool
    cancellation_reason: str | None
    cancelled_by: Literal["student", "tutor", "admin"] | None
    cancelled_at: datetime | None
    completed_at: datetime | None
    sequence: int


class ChangeView(BaseModel):
    """One line of an appointment's history: a change of time or of status."""

    type: Literal[
        "reschedule", "status_change", "manual_creation", "cancellation", "completion", "meeting_link"
    ]
    changed_by: Literal["student", "tutor", "admin", "system"]
    changed_by_name: str
    reason: str | None
    old_start: datetime | None
    new_start: datetime | None
    old_status: str | None
    new_status: str | None
    changed_at: datetime


class AppointmentDetail(AppointmentView):
    history: list[ChangeView]


class AppointmentPage(BaseModel):
    items: list[AppointmentView]
    next_cursor: str | None


class CancelAppointment(RequestBody):
    reason: Remark | None = None


class RescheduleAppointment(RequestBody):
    start: Instant
    reason: FilledRemark


class CancelledAppointment(BaseModel):
    appointment: AppointmentDetail
    credit_issued_cad: Cad
    credits_balance_cad: Cad


class RescheduleSlot(BaseModel):
    start: datetime
    end: datetime
    duration_min: int
    display_time: str = Field(examples=["18:30"], description="HH:MM à Toronto, sur 24 heures")


class RescheduleSlots(BaseModel):
    duration_min: int
    slots: list[RescheduleSlot]


class CalendarAddress(BaseModel):
    """Where a calendar programme finds the student's sessions. Whoever has the address can read them."""

    url: str
    created_at: datetime
