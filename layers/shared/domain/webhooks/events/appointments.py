"""The life of one session: cancelled, moved, reminded of, taught."""

from typing import Annotated, ClassVar, Literal
from uuid import UUID

from pydantic import Field

from domain.clock import utc_milliseconds
from domain.webhooks.events.base import Contact, Dollars, LocalMoment, Minutes, Moment, Payload, Role


class _OfAppointment(Payload):
    appointment_id: UUID

    @property
    def ordering_key(self) -> str:
        return f"appointment:{self.appointment_id}"


class BookingCancelled(_OfAppointment):
    """One session will not take place (H-8). `version`, the appointment's, tells two cancellations apart."""

    type: ClassVar[str] = "booking.cancelled"

    user_id: UUID
    tutor_id: UUID
    course_id: UUID
    course_title_fr: str
    cancelled_by: Role
    cancelled_by_id: UUID
    cancellation_reason: str | None
    start_datetime: Moment
    end_datetime: Moment
    duration_min: Minutes
    price_cad: Dollars
    credit_issued: Dollars | None
    timestamp: Moment
    cause: Literal["request", "refund"]
    order_id: UUID
    student: Contact
    tutor: Contact
    version: Annotated[int, Field(exclude=True)]

    @property
    def dedupe_key(self) -> str:
        return f"{self.type}:{self.appointment_id}:{self.version}"


class BookingRescheduled(_OfAppointment):
    """One session was moved to another time. `modification_id` is the row of its history that says so."""

    type: ClassVar[str] = "booking.rescheduled"

    user_id: UUID
    tutor_id: UUID
    course_id: UUID
    course_title_fr: str
    rescheduled_by: Role
    rescheduled_by_id: UUID
    reason: str
    old_start_datetime: Moment
    old_end_datetime: Moment
    new_start_datetime: Moment
    new_end_datetime: Moment
    timestamp: Moment
    modification_id: UUID
    student: Contact
    tutor: Contact

    @property
    def dedupe_key(self) -> str:
        return f"{self.type}:{self.modification_id}"


class AppointmentCompleted(_OfAppointment):
    """A session took place. `version`, the appointment's, tells two completions apart."""

    type: ClassVar[str] = "appointment.completed"

    user_id: UUID
    tutor_id: UUID
    course_id: UUID
    course_title_fr: str
    start_datetime: Moment
    end_datetime: Moment
    duration_min: Minutes
    tutor_earnings_cad: Dollars
    completed_at: Moment
    completed_by: Literal["system", "admin"]
    student: Contact
    tutor: Contact
    version: Annotated[int, Field(exclude=True)]

    @property
    def dedupe_key(self) -> str:
        return f"{self.type}:{self.appointment_id}:{self.version}"


class AppointmentReminder(_OfAppointment):
    """A session takes place within a day: told once for each time it was given."""

    type: ClassVar[str] = "appointment.reminder"

    user_id: UUID
    tutor_id: UUID
    tutor_name: str
    course_id: UUID
    course_title_fr: str
    start_datetime: Moment
    end_datetime: Moment
    start_local: LocalMoment
    duration_min: Minutes
    meeting_link: str | None
    timestamp: Moment
    student: Contact
    tutor: Contact

    @property
    def dedupe_key(self) -> str:
        return f"{self.type}:{self.appointment_id}:{utc_milliseconds(self.start_datetime)}"
