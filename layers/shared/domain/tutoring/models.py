"""What the checkout of sessions takes, and shows of its order."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, Field

from domain.accounts.forms import NewPassword, TypedEmail
from domain.checkout.checkout import CheckoutStateName
from domain.inputs import Code, Filled, Name, RequestBody
from domain.orders.models import Cad


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
    status: CheckoutStateName
    order: OrderView | None
    session_token: str | None = Field(description="Seulement dans la première réponse réglée à l'acheteur")
