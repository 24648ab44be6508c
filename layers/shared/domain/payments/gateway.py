"""What the domain asks of the payment service. The adapter that speaks Stripe implements `Payments`."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol
from uuid import UUID

from domain.product import Product

type PaymentStatus = Literal["requires_payment", "processing", "succeeded", "cancelled"]


@dataclass(frozen=True, slots=True)
class Failure:
    """Why the last try to pay was refused, in the service's words; `charge_id` when a card was asked at all."""

    code: str | None
    decline_code: str | None
    kind: str | None
    charge_id: str | None


@dataclass(frozen=True, slots=True)
class Payment:
    """One PaymentIntent as the service reports it. Amounts are integer cents, the currency is upper case.

    `environment` is the deployment that asked for it; `names_checkout` says that it names one, if only a wrong one.
    `paid_at` is when its card was charged, known when the service was asked for it.
    """

    intent_id: str
    status: PaymentStatus
    amount_cents: int
    received_cents: int
    currency: str
    checkout_id: UUID | None
    client_secret: str | None = None
    environment: str | None = None
    names_checkout: bool = False
    paid_at: datetime | None = None
    product: Product = "tutoring"
    failure: Failure | None = None


@dataclass(frozen=True, slots=True)
class MadeRefund:
    """One refund the service has made, `refund_id` being ours when we asked for it. It may still fail at the bank."""

    service_id: str
    amount_cents: int
    refund_id: UUID | None
    failed: bool


@dataclass(frozen=True, slots=True)
class Dispute:
    """What a customer disputes with their bank. `reason` and `status` are the service's words."""

    id: str
    intent_id: str
    amount_cents: int
    currency: str
    reason: str
    status: str
    opened_at: datetime
    closed: bool


class PaymentsUnavailable(Exception):
    """The service did not answer, or cannot now: whether it acted is unknown, the same call may be made again."""


class PaymentFailed(PaymentsUnavailable):
    """The service broke down, and will answer the same call the same way for a day; whether it acted is unknown."""


class PaymentRefused(Exception):
    """The service understood and will not do it; asking again changes nothing."""


class CustomerGone(PaymentRefused):
    """The service no longer has the customer that was named: somebody deleted them there."""


class Payments(Protocol):
    """Every method may raise PaymentsUnavailable or PaymentRefused. None may be called inside a transaction."""

    def create_customer(self, user_id: UUID, email: str, name: str, instead_of: str | None) -> str:
        """The service's record of a person; answers its id.

        The same person, e-mail and name get the same one, for a while even when it is gone; `instead_of` names the
        one that is, and gets its one successor.
        """

    def create_intent(
        self,
        checkout_id: UUID,
        product: Product,
        amount_cents: int,
        receipt_email: str | None,
        customer_id: str | None,
        description: str | None,
    ) -> Payment:
        """The intent of a checkout: the same checkout, amount, e-mail, customer and description get the same intent.

        Raises CustomerGone when there is no such customer.
        """

    def find_intent(self, intent_id: str) -> Payment: ...

    def cancel_intent(self, intent_id: str) -> None: ...

    def refund(self, refund_id: UUID, intent_id: str, amount_cents: int, attempt: int) -> str:
        """Give money back once per `refund_id`, however often it is asked; answers the service's refund id.

        `attempt` counts from 1; two attempts may not run at the same time.
        """

    def refunds_of(self, intent_id: str) -> Sequence[MadeRefund]:
        """Every refund of a payment, whoever asked for it."""
