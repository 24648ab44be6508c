"""What buyers see of their orders. Never what a tutor earns."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, Field

from domain.product import Product

type Cad = Annotated[str, Field(pattern=r"^\d+\.\d{2}$", examples=["45.00"], description="Dollars canadiens")]
type OrderStatus = Literal["created", "paid", "failed", "refunded", "partially_refunded"]
type RefundStatus = Literal["pending", "processed", "failed", "superseded"]


class OrderRefund(BaseModel):
    """Money that went back to the card, or is on its way; `superseded` when another refund gave it back instead."""

    id: UUID
    amount_cad: Cad
    reason: str
    status: RefundStatus
    order_item_id: UUID | None
    created_at: datetime
    processed_at: datetime | None


class OrderSummaryView(BaseModel):
    """`titles_fr` are those of the lines, as they were sold; `net_cad` is what was paid less what went back."""

    id: UUID
    number: str
    product: Product
    status: OrderStatus
    item_count: int
    titles_fr: Sequence[str]
    subtotal_cad: Cad
    discount_cad: Cad
    coupon_code: str | None
    total_cad: Cad
    credits_applied_cad: Cad
    amount_charged_cad: Cad = Field(description="Ce que la carte a payé")
    refunded_cad: Cad
    net_cad: Cad = Field(description="Le total moins ce qui en a été rendu")
    currency: Literal["CAD"]
    created_at: datetime
    refunds: Sequence[OrderRefund]


class OrderPage(BaseModel):
    items: list[OrderSummaryView]
    next_cursor: str | None
