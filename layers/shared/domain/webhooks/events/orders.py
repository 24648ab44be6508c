"""Money that goes back."""

from typing import ClassVar
from uuid import UUID

from pydantic import computed_field

from domain.french import plain_dollars
from domain.webhooks.events.base import Contact, Dollars, Moment, Payload, Printed

NOBODY = UUID(int=0)
"""`processed_by` when no administrator of ours gave money back: the contract wants an id there, never null."""


class OrderRefunded(Payload):
    """An order's money went back, some or all of it.

    By an administrator, because a time was lost while it was paid, or in Stripe's dashboard: `processed_by` is the
    first's id, NOBODY for the others.
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

    @computed_field
    def refund_amount_fr(self) -> Printed:
        return plain_dollars(self.refund_amount)

    @property
    def dedupe_key(self) -> str:
        return f"{self.type}:{self.refund_id}"

    @property
    def ordering_key(self) -> str:
        return f"order:{self.order_id}"
