"""Money that goes back."""

from typing import ClassVar
from uuid import UUID

from domain.webhooks.events.base import Contact, Dollars, Moment, Payload


class OrderRefunded(Payload):
    """An order's money went back, some or all of it, by an administrator or because a time was lost."""

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

    @property
    def dedupe_key(self) -> str:
        return f"{self.type}:{self.refund_id}"

    @property
    def ordering_key(self) -> str:
        return f"order:{self.order_id}"
