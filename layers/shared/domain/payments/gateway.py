"""What the domain asks of the payment service. The adapter that speaks Stripe implements `Payments`."""

from dataclasses import dataclass
from typing import Literal, Protocol
from uuid import UUID

type PaymentStatus = Literal["requires_payment", "processing", "succeeded", "cancelled"]


@dataclass(frozen=True, slots=True)
class Payment:
    """One PaymentIntent as the service reports it. Amounts are integer cents, the currency is upper case."""

    intent_id: str
    status: PaymentStatus
    amount_cents: int
    received_cents: int
    currency: str
    checkout_id: UUID | None
    client_secret: str | None = None


class PaymentsUnavailable(Exception):
    """The service did not answer, or cannot now: whether it acted is unknown, the same call may be made again."""


class PaymentFailed(PaymentsUnavailable):
    """The service broke down, and will answer the same call the same way for a day; whether it acted is unknown."""


class PaymentRefused(Exception):
    """The service understood and will not do it; asking again changes nothing."""


class Payments(Protocol):
    """Every method may raise PaymentsUnavailable or PaymentRefused. None may be called inside a transaction."""

    def create_intent(self, checkout_id: UUID, amount_cents: int, receipt_email: str | None) -> Payment:
        """The intent of a checkout: the same checkout, amount and e-mail get the same intent."""

    def revise_intent(self, intent_id: str, receipt_email: str | None) -> Payment:
        """Send the receipt elsewhere."""

    def find_intent(self, intent_id: str) -> Payment: ...

    def cancel_intent(self, intent_id: str) -> None: ...

    def refund(self, refund_id: UUID, intent_id: str, amount_cents: int, attempt: int) -> str:
        """Give money back once per `refund_id`, however often it is asked; answers the service's refund id.

        `attempt` counts from 1; two attempts may not run at the same time.
        """
