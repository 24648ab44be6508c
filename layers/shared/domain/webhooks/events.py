"""The events and their payloads (make-webhooks a). Every declared key is always present, null when empty."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, ClassVar, Literal
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PlainSerializer, SerializeAsAny

from domain.clock import on_toronto_clock, utc_milliseconds

type Dollars = Annotated[Decimal, PlainSerializer(float, return_type=float)]
"""CAD as a JSON number with at most two decimals; exact, since a float prints its shortest form."""
type Moment = Annotated[datetime, PlainSerializer(utc_milliseconds, return_type=str)]
"""RFC 3339 in UTC with milliseconds and Z."""
type LocalMoment = Annotated[
    datetime, AfterValidator(on_toronto_clock), PlainSerializer(datetime.isoformat, return_type=str)
]
"""RFC 3339 with Toronto's offset."""


class Payload(BaseModel):
    """The object under `payload`. `type` names the event, `endpoint` the MAKE_<AREA>_WEBHOOK_URL it goes to."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    type: ClassVar[str]
    endpoint: ClassVar[str]

    @property
    def dedupe_key(self) -> str:
        """The same fact always has the same key (b.4)."""
        raise NotImplementedError

    @property
    def ordering_key(self) -> str:
        """Events with one key are numbered in sequence (b.5)."""
        raise NotImplementedError


class Contact(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    id: UUID
    first_name: str
    last_name: str
    email: str
    phone: str | None


class Signup(Payload):
    """A student account was opened by a guest's checkout."""

    type: ClassVar[str] = "signup"
    endpoint: ClassVar[str] = "SIGNUP"

    user_id: UUID
    role: Literal["student", "tutor", "admin"]
    email: str
    first_name: str
    last_name: str
    created_at: Moment
    phone: str | None
    source: Literal["guest_checkout"]
    order_id: UUID

    @property
    def dedupe_key(self) -> str:
        return f"signup:{self.user_id}"

    @property
    def ordering_key(self) -> str:
        return f"order:{self.order_id}"


class BookedSession(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    appointment_id: UUID
    course_id: UUID
    course_title_fr: str
    tutor_id: UUID
    tutor_name: str
    start_datetime: Moment
    duration_min: int
    price_cad: Dollars
    tutor_earnings_cad: Dollars
    end_datetime: Moment
    start_local: LocalMoment
    tutor_email: str
    meeting_link: str | None


class BookingCreated(Payload):
    """An order was settled: once per order, with every session that was booked."""

    type: ClassVar[str] = "booking.created"
    endpoint: ClassVar[str] = "BOOKING"

    order_id: UUID
    user_id: UUID
    currency: Literal["CAD"]
    subtotal_cad: Dollars
    discount_cad: Dollars
    total_cad: Dollars
    coupon_code: str | None
    items: Annotated[list[BookedSession], Field(min_length=1)]
    created_at: Moment
    student: Contact
    source: Literal["guest_checkout", "account_checkout", "manual"]
    item_count: int
    credit_applied_cad: Dollars
    amount_charged_cad: Dollars
    payment_reference: str | None

    @property
    def dedupe_key(self) -> str:
        return f"booking.created:{self.order_id}"

    @property
    def ordering_key(self) -> str:
        return f"order:{self.order_id}"


class BookingCancelled(Payload):
    """An appointment will not take place. `version` is the appointment's `sequence`: each cancellation is told once."""

    type: ClassVar[str] = "booking.cancelled"
    endpoint: ClassVar[str] = "CANCELLATION"

    appointment_id: UUID
    user_id: UUID
    tutor_id: UUID
    course_id: UUID
    course_title_fr: str
    cancelled_by: Literal["student", "tutor", "admin"]
    cancelled_by_id: UUID
    cancellation_reason: str | None
    start_datetime: Moment
    end_datetime: Moment
    duration_min: int
    price_cad: Dollars
    credit_issued: Dollars
    timestamp: Moment
    cause: Literal["request", "refund"]
    order_id: UUID
    student: Contact
    tutor: Contact
    version: Annotated[int, Field(exclude=True)]

    @property
    def dedupe_key(self) -> str:
        return f"booking.cancelled:{self.appointment_id}:{self.version}"

    @property
    def ordering_key(self) -> str:
        return f"appointment:{self.appointment_id}"


class BookingRescheduled(Payload):
    """An appointment moved to another time of the same tutor."""

    type: ClassVar[str] = "booking.rescheduled"
    endpoint: ClassVar[str] = "RESCHEDULE"

    appointment_id: UUID
    user_id: UUID
    tutor_id: UUID
    course_id: UUID
    course_title_fr: str
    rescheduled_by: Literal["student", "tutor", "admin"]
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
        return f"booking.rescheduled:{self.modification_id}"

    @property
    def ordering_key(self) -> str:
        return f"appointment:{self.appointment_id}"


class AppointmentCompleted(Payload):
    """A session took place. `version` is the appointment's `sequence`."""

    type: ClassVar[str] = "appointment.completed"
    endpoint: ClassVar[str] = "COMPLETION"

    appointment_id: UUID
    user_id: UUID
    tutor_id: UUID
    course_id: UUID
    course_title_fr: str
    start_datetime: Moment
    end_datetime: Moment
    duration_min: int
    tutor_earnings_cad: Dollars
    completed_at: Moment
    completed_by: Literal["system", "admin"]
    student: Contact
    tutor: Contact
    version: Annotated[int, Field(exclude=True)]

    @property
    def dedupe_key(self) -> str:
        return f"appointment.completed:{self.appointment_id}:{self.version}"

    @property
    def ordering_key(self) -> str:
        return f"appointment:{self.appointment_id}"


class PasswordResetRequested(Payload):
    """Somebody asked for a way back into an account: Make.com writes the e-mail, so the token travels here only."""

    type: ClassVar[str] = "password.reset_requested"
    endpoint: ClassVar[str] = "SIGNUP"

    request_id: UUID
    user_id: UUID
    email: str
    first_name: str
    last_name: str
    reset_token: Annotated[str, Field(repr=False)]
    expires_at: Moment
    requested_at: Moment

    @property
    def dedupe_key(self) -> str:
        return f"password.reset_requested:{self.request_id}"

    @property
    def ordering_key(self) -> str:
        return f"password_reset:{self.request_id}"


class Envelope(BaseModel):
    """What is sent: serialised once, when the fact is recorded."""

    type: str
    event_id: str
    sent_at: Moment
    timestamp: Moment
    schema_version: int
    sequence: int
    environment: Literal["prod", "staging", "dev"]
    payload: SerializeAsAny[Payload]


EVENTS: dict[str, type[Payload]] = {
    event.type: event
    for event in (
        Signup,
        BookingCreated,
        BookingCancelled,
        BookingRescheduled,
        AppointmentCompleted,
        PasswordResetRequested,
    )
}
