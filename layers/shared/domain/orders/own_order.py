"""A buyer's order and what went back of it, as they are stored."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from domain.orders.number import order_number
from domain.product import Product


@dataclass(frozen=True, slots=True)
class OwnOrder:
    id: UUID
    product: Product
    order_number: int
    status: str
    titles_fr: Sequence[str]
    subtotal_cad: Decimal
    discount_cad: Decimal
    total_cad: Decimal
    credits_applied_cad: Decimal
    refunded_cad: Decimal
    coupon_code: str | None
    billing: Mapping[str, str] | None
    created_at: datetime

    @property
    def number(self) -> str:
        """The order's number as people quote it."""
        return order_number(self.product, self.order_number)

    @property
    def charged_cad(self) -> Decimal:
        """What the card paid."""
        return self.total_cad - self.credits_applied_cad

    @property
    def net_cad(self) -> Decimal:
        """What was paid, whatever with, less what went back."""
        return self.total_cad - self.refunded_cad


@dataclass(frozen=True, slots=True)
class OwnRefund:
    id: UUID
    order_id: UUID
    amount_cad: Decimal
    reason: str
    status: str
    order_item_id: UUID | None
    created_at: datetime
    processed_at: datetime | None


@dataclass(frozen=True, slots=True)
class OrderAndReturns:
    """One order with all its refunds, and the store credit that its lines have given back, in CAD."""

    order: OwnOrder
    refunds: Sequence[OwnRefund]
    credits_issued_cad: Decimal
