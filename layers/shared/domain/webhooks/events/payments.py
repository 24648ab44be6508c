"""What Le Dojo tells of money: a purchase, a payment that failed, a refund (courses.md 6.1).

A training is a `course` on the wire, as the client's scenarios expect. `courseId` beside `items` is the first line's,
for scenarios that were built when an order had one course. Amounts are CAD.
"""

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Annotated, ClassVar
from uuid import UUID

from pydantic import Field, computed_field

from domain.clock import utc_milliseconds
from domain.french import plain_dollars, plain_moment
from domain.webhooks.events.base import (
    CamelPart,
    Dollars,
    Email,
    Moment,
    Payload,
    Positive,
    Printed,
)

TOGETHER = " ; "
"""Between courses that are told in one text."""


class AskedCourse(CamelPart):
    """A line of what was to be paid: its price, what the coupon took off, what is left."""

    course_id: UUID
    title: str
    original_amount: Dollars
    discount_amount: Dollars
    amount: Dollars

    @computed_field
    def original_amount_fr(self) -> Printed:
        return plain_dollars(self.original_amount)

    @computed_field
    def discount_amount_fr(self) -> Printed:
        return plain_dollars(self.discount_amount)

    @computed_field
    def amount_fr(self) -> Printed:
        return plain_dollars(self.amount)


class BoughtCourse(AskedCourse):
    """A line that was paid.

    Without `enrollment_id` and `expires_at` nothing came of it, and its money goes back: the buyer followed the course
    already, by another purchase that was first.
    """

    enrollment_id: UUID | None
    access_days: Positive
    expires_at: Moment | None

    @computed_field
    def access_until_fr(self) -> Printed | None:
        return plain_moment(self.expires_at) if self.expires_at else None

    @property
    def in_french(self) -> str:
        return f"{self.title} (accès jusqu’au {self.access_until_fr})"


class RefundedCourse(CamelPart):
    """A line that a refund gives money back for. `enrollment_id` is null when nothing came of it."""

    course_id: UUID
    enrollment_id: UUID | None
    title: str
    refunded_amount: Dollars

    @computed_field
    def refunded_amount_fr(self) -> Printed:
        return plain_dollars(self.refunded_amount)


class _OfLeDojo(CamelPart, Payload):
    """A payload of the flat envelope."""


class _OfItems(_OfLeDojo):
    """What was to be paid, by lines; its amounts are their sums."""

    items: Sequence[AskedCourse]

    @computed_field
    def course_id(self) -> UUID:
        return self.items[0].course_id

    @computed_field
    def original_amount(self) -> Dollars:
        return _sum(line.original_amount for line in self.items)

    @computed_field
    def discount_amount(self) -> Dollars:
        return _sum(line.discount_amount for line in self.items)

    @computed_field
    def amount(self) -> Dollars:
        return _sum(line.amount for line in self.items)

    @computed_field
    def original_amount_fr(self) -> Printed:
        return plain_dollars(_sum(line.original_amount for line in self.items))

    @computed_field
    def discount_amount_fr(self) -> Printed:
        return plain_dollars(_sum(line.discount_amount for line in self.items))

    @computed_field
    def amount_fr(self) -> Printed:
        return plain_dollars(_sum(line.amount for line in self.items))


class PaymentSuccess(_OfItems):
    """An order was settled: once per order. `payment_intent_id` is null when nothing was charged."""

    type: ClassVar[str] = "payment.success"

    payment_intent_id: str | None
    order_id: UUID
    order_number: str
    user_id: UUID
    email: Email
    first_name: str | None
    last_name: str | None
    is_new_user: bool
    coupon_code: str | None
    items: Annotated[list[BoughtCourse], Field(min_length=1)]
    purchased_at: Moment

    @computed_field
    def enrollment_id(self) -> UUID | None:
        return self.items[0].enrollment_id

    @computed_field
    def refunded_amount(self) -> Dollars:
        return _sum(line.amount for line in self.items if line.enrollment_id is None)

    @computed_field
    def refunded_amount_fr(self) -> Printed:
        return plain_dollars(_sum(line.amount for line in self.items if line.enrollment_id is None))

    @computed_field
    def purchased_fr(self) -> Printed:
        return plain_moment(self.purchased_at)

    @computed_field
    def courses_fr(self) -> Printed | None:
        return TOGETHER.join(line.in_french for line in self.items if line.enrollment_id) or None

    @property
    def dedupe_key(self) -> str:
        return f"{self.type}:{self.order_id}"

    @property
    def ordering_key(self) -> str:
        return f"order:{self.order_id}"


class PaymentFailed(_OfItems):
    """A card was refused, or its holder was not recognized; the buyer may try again.

    `message` is `domain.payments.declines.declined_message`. `charge_id` is Stripe's, which each attempt that reached
    the bank has of its own; without one it is `failed_at` that tells two attempts apart, so it must be the instant of
    Stripe's event, which repeats it.
    """

    type: ClassVar[str] = "payment.failed"

    payment_intent_id: str
    checkout_id: UUID
    user_id: UUID | None
    email: Email | None
    coupon_code: str | None
    items: Annotated[list[AskedCourse], Field(min_length=1)]
    failure_code: str | None
    decline_code: str | None
    message: Printed
    failed_at: Moment
    charge_id: Annotated[str | None, Field(exclude=True)]

    @computed_field
    def failed_fr(self) -> Printed:
        return plain_moment(self.failed_at)

    @computed_field
    def courses_fr(self) -> Printed:
        return TOGETHER.join(line.title for line in self.items)

    @property
    def dedupe_key(self) -> str:
        attempt = (
            self.charge_id
            or f"{self.payment_intent_id}:{self.failure_code}:{utc_milliseconds(self.failed_at)}"
        )
        return f"{self.type}:{attempt}"

    @property
    def ordering_key(self) -> str:
        return f"checkout:{self.checkout_id}"


class PaymentRefunded(_OfLeDojo):
    """Money of an order went back to the card: by an administrator, for what could not be delivered, or at Stripe.

    `total_refunded` is what has gone back so far, this refund included. Access is not taken away by it.
    """

    type: ClassVar[str] = "payment.refunded"

    payment_intent_id: str
    order_id: UUID
    order_number: str
    user_id: UUID
    email: Email
    first_name: str | None
    last_name: str | None
    items: Annotated[list[RefundedCourse], Field(min_length=1)]
    refund_id: UUID
    stripe_refund_id: str | None
    amount: Dollars
    order_amount: Dollars
    total_refunded: Dollars
    refunded_at: Moment

    @computed_field
    def course_id(self) -> UUID:
        return self.items[0].course_id

    @computed_field
    def enrollment_id(self) -> UUID | None:
        return self.items[0].enrollment_id

    @computed_field
    def net(self) -> Dollars:
        return self.order_amount - self.total_refunded

    @computed_field
    def partial(self) -> bool:
        return self.total_refunded < self.order_amount

    @computed_field
    def amount_fr(self) -> Printed:
        return plain_dollars(self.amount)

    @computed_field
    def order_amount_fr(self) -> Printed:
        return plain_dollars(self.order_amount)

    @computed_field
    def total_refunded_fr(self) -> Printed:
        return plain_dollars(self.total_refunded)

    @computed_field
    def net_fr(self) -> Printed:
        return plain_dollars(self.order_amount - self.total_refunded)

    @computed_field
    def refunded_fr(self) -> Printed:
        return plain_moment(self.refunded_at)

    @computed_field
    def courses_fr(self) -> Printed:
        return TOGETHER.join(line.title for line in self.items)

    @property
    def dedupe_key(self) -> str:
        return f"{self.type}:{self.refund_id}"

    @property
    def ordering_key(self) -> str:
        return f"order:{self.order_id}"


def _sum(amounts: Iterable[Decimal]) -> Decimal:
    return sum(amounts, Decimal())
