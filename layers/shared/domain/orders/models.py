"""What buyers see of their orders. Never what a tutor earns."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, Field

type Cad = Annotated[str, Field(pattern=r"^\d+\.\d{2}$", examples=["45.00"], description="Dollars canadiens")]
type OrderStatus = Literal["created", "paid", "failed", "refunded", "partially_refunded"]
type RefundStatus = Literal["pending", "processed", "failed", "superseded"]


class OrderLine(BaseModel):
    """`appointment_id` and its status are null when the session could not be booked and was refunded."""

    id: UUID
    appointment_id: UUID | None
    appointment_status: Literal["scheduled", "completed", "cancelled", "refunded"] | None
    course_title_fr: str
    tutor_display_name: str
    start: datetime
    end: datetime
    duration_min: int
    price_cad: Cad
    discount_share_cad: Cad
    returned_cad: Cad = Field(description="Ce qui en a été rendu, à la carte ou en crédit")


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
    id: UUID
    number: str
    status: OrderStatus
    item_count: int
    total_cad: Cad
    credits_applied_cad: Cad
    amount_charged_cad: Cad = Field(description="Ce que la carte a payé")
    refunded_cad: Cad
    currency: Literal["CAD"]
    created_at: datetime


class OrderDetail(OrderSummaryView):
    """`credits_issued_cad`: the store credit that sessions of this order have given back."""

    items: list[OrderLine]
    subtotal_cad: Cad
    discount_cad: Cad
    coupon_code: str | None
    refunds: list[OrderRefund]
    credits_issued_cad: Cad


class OrderPage(BaseModel):
    items: list[OrderSummaryView]
    next_cursor: str | None
