"""A session's day: the reminder before it, its completion after it."""

from typing import Annotated, ClassVar, Literal
from uuid import UUID

from pydantic import Field

from domain.clock import utc_milliseconds
from domain.webhooks.events.base import Contact, Dollars, LocalMoment, Minutes, Moment, Payload


class AppointmentCompleted(Payload):
    """A session took place. `version`, the appointment's, tells two completions apart."""

    type: ClassVar[str] = "appointment.completed"

    appointment_id: UUID
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

    @property
    def ordering_key(self) -> str:
        return f"appointment:{self.appointment_id}"


class AppointmentReminder(Payload):
    """A session takes place within a day: told once for each time it was given."""

    type: ClassVar[str] = "appointment.reminder"

    appointment_id: UUID
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

    @property
    def ordering_key(self) -> str:
        return f"appointment:{self.appointment_id}"
