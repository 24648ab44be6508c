"""Sessions bought."""

from typing import Annotated, ClassVar, Literal
from uuid import UUID

from pydantic import Field, computed_field

from domain.french import plain_dollars, plain_moment, plain_span
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
    Printed,
    sessions_in_french,
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

    @computed_field
    def start_fr(self) -> Printed:
        return plain_moment(self.start_datetime)

    @computed_field
    def span_fr(self) -> Printed:
        return plain_span(self.start_datetime, self.end_datetime)

    @computed_field
    def end_local(self) -> LocalMoment:
        return self.end_datetime

    @computed_field
    def price_fr(self) -> Printed:
        return plain_dollars(self.price_cad)

    @computed_field
    def tutor_earnings_fr(self) -> Printed:
        return plain_dollars(self.tutor_earnings_cad)


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

    @computed_field
    def is_new_user(self) -> bool:
        return self.source == "guest_checkout"

    @computed_field
    def created_fr(self) -> Printed:
        return plain_moment(self.created_at)

    @computed_field
    def sessions_fr(self) -> Printed:
        return sessions_in_french(
            (one.course_title_fr, one.start_datetime, one.end_datetime) for one in self.items
        )

    @computed_field
    def subtotal_fr(self) -> Printed:
        return plain_dollars(self.subtotal_cad)

    @computed_field
    def discount_fr(self) -> Printed:
        return plain_dollars(self.discount_cad)

    @computed_field
    def total_fr(self) -> Printed:
        return plain_dollars(self.total_cad)

    @computed_field
    def credit_applied_fr(self) -> Printed:
        return plain_dollars(self.credit_applied_cad)

    @computed_field
    def amount_charged_fr(self) -> Printed:
        return plain_dollars(self.amount_charged_cad)

    @property
    def dedupe_key(self) -> str:
        return f"{self.type}:{self.order_id}"

    @property
    def ordering_key(self) -> str:
        return f"order:{self.order_id}"
