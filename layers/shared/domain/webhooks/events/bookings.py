"""Sessions bought."""

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
