"""What the checkout's routes take and answer."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, Field

from domain.accounts.forms import NewPassword, TypedEmail
from domain.catalog.models import Cad
from domain.inputs import Code, Filled, Name, RequestBody


class EmailCheck(RequestBody):
    email: TypedEmail


class EmailExists(BaseModel):
    exists: bool


class AccountForm(NewPassword):
    """The account a guest's payment will open."""

    email: TypedEmail
    first_name: Name
    last_name: Name
    phone: Code | None = None


class Billing(RequestBody):
    address: Filled
    city: Filled
    province: Filled
    country: Literal["CA"]


class StartCheckout(RequestBody):
    """`credits_cad` is how much of their credits a student wants to spend: an amount, or all that can be."""

    account: AccountForm | None = None
    billing: Billing
    credits_cad: Literal["all"] | Annotated[Decimal, Field(ge=0, max_digits=10, decimal_places=2)] | None = (
        None
    )


class CheckoutStarted(BaseModel):
    """A payment to confirm in the browser, or an order at once when nothing is left to pay."""

    checkout_id: UUID
    status: Literal["requires_payment", "settled"]
    payment_intent_id: str | None
    client_secret: str | None
    publishable_key: str | None
    amount_cad: Cad
    currency: Literal["CAD"]
    subtotal_cad: Cad
    discount_cad: Cad
    credits_applied_cad: Cad
    total_cad: Cad
    order_id: UUID | None


class OrderItemView(BaseModel):
    appointment_id: UUID | None
    course_title_fr: str
    tutor_display_name: str
    start: datetime
    end: datetime
    duration_min: int
    price_cad: Cad
    discount_share_cad: Cad
    refunded: bool


class OrderView(BaseModel):
    id: UUID
    number: str
    status: str
    items: list[OrderItemView]
    subtotal_cad: Cad
    discount_cad: Cad
    total_cad: Cad
    credits_applied_cad: Cad
    refunded_cad: Cad
    coupon_code: str | None
    currency: Literal["CAD"]
    created_at: datetime


class CheckoutState(BaseModel):
    status: Literal["requires_payment", "processing", "settled", "failed", "refunded", "sign_in_required"]
    order: OrderView | None
    session_token: str | None = Field(description="Seulement dans la première réponse réglée à l'acheteur")
