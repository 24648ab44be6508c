"""Money that goes back."""

from typing import ClassVar
from uuid import UUID

from pydantic import computed_field

from domain.french import plain_dollars, plain_moment, plain_span
from domain.webhooks.events.base import (
    Contact,
    Dollars,
    Moment,
    Part,
    Payload,
    Printed,
    sessions_in_french,
)

NOBODY = UUID(int=0)
"""`processed_by` when no administrator of ours gave money back: the contract wants an id there, never null."""


class RefundedSession(Part):
    """A session that this refund gives money back for. `appointment_id` is null when its time was lost."""

    appointment_id: UUID | None
    course_title_fr: str
    tutor_name: str
    start_datetime: Moment
    end_datetime: Moment
    refund_cad: Dollars

    @computed_field
    def start_fr(self) -> Printed:
        return plain_moment(self.start_datetime)

    @computed_field
    def span_fr(self) -> Printed:
        return plain_span(self.start_datetime, self.end_datetime)

    @computed_field
    def refund_fr(self) -> Printed:
        return plain_dollars(self.refund_cad)


class OrderRefunded(Payload):
    """An order's money went back, some or all of it, to the card it was paid with, as store credit, or both.

    By an administrator, because a time was lost while it was paid, or in Stripe's dashboard: `processed_by` is the
    first's id, NOBODY for the others. `refunded_total_cad` is what has gone back so far, this refund included.
    """

    type: ClassVar[str] = "order.refunded"

    order_id: UUID
    user_id: UUID
    refund_amount: Dollars
    refund_reason: str
    stripe_refund_id: str | None
    processed_by: UUID
    affected_appointments: list[UUID]
    timestamp: Moment
    refund_id: UUID
    is_full_refund: bool
    student: Contact
    ordered_at: Moment
    order_total_cad: Dollars
    refunded_total_cad: Dollars
    to_card_cad: Dollars
    to_credit_cad: Dollars
    sessions: list[RefundedSession]

    @computed_field
    def refund_amount_fr(self) -> Printed:
        return plain_dollars(self.refund_amount)

    @computed_field
    def timestamp_fr(self) -> Printed:
        return plain_moment(self.timestamp)

    @computed_field
    def ordered_fr(self) -> Printed:
        return plain_moment(self.ordered_at)

    @computed_field
    def order_total_fr(self) -> Printed:
        return plain_dollars(self.order_total_cad)

    @computed_field
    def refunded_total_fr(self) -> Printed:
        return plain_dollars(self.refunded_total_cad)

    @computed_field
    def to_card_fr(self) -> Printed:
        return plain_dollars(self.to_card_cad)

    @computed_field
    def to_credit_fr(self) -> Printed:
        return plain_dollars(self.to_credit_cad)

    @computed_field
    def refunded_to_fr(self) -> Printed | None:
        ways = ["sur la carte"] * (self.to_card_cad > 0) + ["en crédits"] * (self.to_credit_cad > 0)
        return " et ".join(ways) or None

    @computed_field
    def sessions_fr(self) -> Printed | None:
        told = ((one.course_title_fr, one.start_datetime, one.end_datetime) for one in self.sessions)
        return sessions_in_french(told) or None

    @property
    def dedupe_key(self) -> str:
        return f"{self.type}:{self.refund_id}"

    @property
    def ordering_key(self) -> str:
        return f"order:{self.order_id}"
