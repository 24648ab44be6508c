"""The life of one session: cancelled, moved, reminded of, taught, its meeting link changed."""

from datetime import datetime
from typing import Annotated, ClassVar, Literal
from uuid import UUID

from pydantic import Field, computed_field

from domain.clock import utc_milliseconds
from domain.french import plain_dollars, plain_moment, plain_span
from domain.webhooks.events.base import (
    WHO,
    Contact,
    Dollars,
    LocalMoment,
    Minutes,
    Moment,
    Payload,
    Printed,
    Role,
)


class _OfAppointment(Payload):
    """`order_id` is null for a session that was never sold. `tutor_name` is what students see."""

    appointment_id: UUID
    user_id: UUID
    tutor_id: UUID
    tutor_name: str
    course_id: UUID
    course_title_fr: str
    order_id: UUID | None

    @property
    def ordering_key(self) -> str:
        return f"appointment:{self.appointment_id}"


class _AtItsTime(_OfAppointment):
    start_datetime: Moment
    end_datetime: Moment
    duration_min: Minutes

    @computed_field
    def start_local(self) -> LocalMoment:
        return self.start_datetime

    @computed_field
    def end_local(self) -> LocalMoment:
        return self.end_datetime

    @computed_field
    def start_fr(self) -> Printed:
        return plain_moment(self.start_datetime)

    @computed_field
    def span_fr(self) -> Printed:
        return plain_span(self.start_datetime, self.end_datetime)


class BookingCancelled(_AtItsTime):
    """One session will not take place (H-8). `version`, the appointment's, tells two cancellations apart."""

    type: ClassVar[str] = "booking.cancelled"

    order_id: UUID
    cancelled_by: Role
    cancelled_by_id: UUID
    cancellation_reason: str | None
    price_cad: Dollars
    credit_issued: Dollars | None
    timestamp: Moment
    cause: Literal["request", "refund"]
    student: Contact
    tutor: Contact
    version: Annotated[int, Field(exclude=True)]

    @computed_field
    def cancelled_by_fr(self) -> Printed:
        return WHO[self.cancelled_by]

    @computed_field
    def price_fr(self) -> Printed:
        return plain_dollars(self.price_cad)

    @computed_field
    def credit_issued_fr(self) -> Printed | None:
        return None if self.credit_issued is None else plain_dollars(self.credit_issued)

    @computed_field
    def timestamp_fr(self) -> Printed:
        return plain_moment(self.timestamp)

    @property
    def dedupe_key(self) -> str:
        return f"{self.type}:{self.appointment_id}:{self.version}"


class BookingRescheduled(_OfAppointment):
    """One session was moved to another time. `modification_id` is the row of its history that says so."""

    type: ClassVar[str] = "booking.rescheduled"

    rescheduled_by: Role
    rescheduled_by_id: UUID
    reason: str
    old_start_datetime: Moment
    old_end_datetime: Moment
    new_start_datetime: Moment
    new_end_datetime: Moment
    duration_min: Minutes
    meeting_link: str | None
    timestamp: Moment
    modification_id: UUID
    student: Contact
    tutor: Contact

    @computed_field
    def rescheduled_by_fr(self) -> Printed:
        return WHO[self.rescheduled_by]

    @computed_field
    def old_start_local(self) -> LocalMoment:
        return self.old_start_datetime

    @computed_field
    def old_start_fr(self) -> Printed:
        return plain_moment(self.old_start_datetime)

    @computed_field
    def old_span_fr(self) -> Printed:
        return plain_span(self.old_start_datetime, self.old_end_datetime)

    @computed_field
    def new_start_local(self) -> LocalMoment:
        return self.new_start_datetime

    @computed_field
    def new_end_local(self) -> LocalMoment:
        return self.new_end_datetime

    @computed_field
    def new_start_fr(self) -> Printed:
        return plain_moment(self.new_start_datetime)

    @computed_field
    def new_span_fr(self) -> Printed:
        return plain_span(self.new_start_datetime, self.new_end_datetime)

    @computed_field
    def timestamp_fr(self) -> Printed:
        return plain_moment(self.timestamp)

    @property
    def dedupe_key(self) -> str:
        return f"{self.type}:{self.modification_id}"


class AppointmentCompleted(_AtItsTime):
    """A session took place. `version`, the appointment's, tells two completions apart."""

    type: ClassVar[str] = "appointment.completed"

    tutor_earnings_cad: Dollars
    completed_at: Moment
    completed_by: Literal["system", "admin"]
    student: Contact
    tutor: Contact
    version: Annotated[int, Field(exclude=True)]

    @computed_field
    def tutor_earnings_fr(self) -> Printed:
        return plain_dollars(self.tutor_earnings_cad)

    @computed_field
    def completed_fr(self) -> Printed:
        return plain_moment(self.completed_at)

    @property
    def dedupe_key(self) -> str:
        return f"{self.type}:{self.appointment_id}:{self.version}"


class AppointmentReminder(_AtItsTime):
    """A session takes place within a day: told once for each time it was given, and not once it has begun."""

    type: ClassVar[str] = "appointment.reminder"

    meeting_link: str | None
    timestamp: Moment
    student: Contact
    tutor: Contact

    @computed_field
    def expires_at(self) -> Moment:
        return self.start_datetime

    @computed_field
    def timestamp_fr(self) -> Printed:
        return plain_moment(self.timestamp)

    @property
    def told_until(self) -> datetime | None:
        return self.start_datetime

    @property
    def dedupe_key(self) -> str:
        return f"{self.type}:{self.appointment_id}:{utc_milliseconds(self.start_datetime)}"


class MeetingLinkUpdated(_AtItsTime):
    """Where a session meets changed. `version`, the appointment's, tells two changes apart."""

    type: ClassVar[str] = "appointment.meeting_link_updated"

    meeting_link: str | None
    previous_meeting_link: str | None
    updated_by: Role
    updated_by_id: UUID
    timestamp: Moment
    student: Contact
    tutor: Contact
    version: Annotated[int, Field(exclude=True)]

    @computed_field
    def updated_by_fr(self) -> Printed:
        return WHO[self.updated_by]

    @computed_field
    def timestamp_fr(self) -> Printed:
        return plain_moment(self.timestamp)

    @property
    def dedupe_key(self) -> str:
        return f"{self.type}:{self.appointment_id}:{self.version}"
