"""Sessions bought, cancelled and moved."""

from typing import Annotated, ClassVar, Literal
from uuid import UUID

from pydantic import Field

from domain.webhooks.events.base import (
    Contact,
    Count,
    Dollars,
    Email,
    LocalMoment,
    Minutes,
    Moment,
    Part,
    Payload,
    Role,
)


class BookedSession(Part):
    appointment_id: UUID
    course_id: UUID
    course_title_fr: str
    tutor_id: UUID
    tutor_name: str
    start_datetime: Moment
    duration_min: Minutes
    price_cad: Dollars
    tutor_earnings_cad: Dollars
    end_datetime: Moment
    start_local: LocalMoment
    tutor_email: Email
    meeting_link: str | None


class BookingCreated(Payload):
    """An order was settled: once per order, with every session that was booked (H-5)."""

    type: ClassVar[str] = "booking.created"

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
    item_count: Count
    credit_applied_cad: Dollars
    amount_charged_cad: Dollars
    payment_reference: str | None

    @property
    def dedupe_key(self) -> str:
        return f"{self.type}:{self.order_id}"

    @property
    def ordering_key(self) -> str:
        return f"order:{self.order_id}"


class BookingCancelled(Payload):
    """One session will not take place (H-8). `version`, the appointment's, tells two cancellations apart."""

    type: ClassVar[str] = "booking.cancelled"

    appointment_id: UUID
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

    @property
    def ordering_key(self) -> str:
        return f"appointment:{self.appointment_id}"


class BookingRescheduled(Payload):
    """One session was moved to another time. `modification_id` is the row of its history that says so."""

    type: ClassVar[str] = "booking.rescheduled"

    appointment_id: UUID
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

    @property
    def ordering_key(self) -> str:
        return f"appointment:{self.appointment_id}"
