"""What the checkout's routes take and answer."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Literal
from uuid import UUID

from pydantic import AfterValidator, BaseModel, Field

from domain.accounts import passwords
from domain.catalog.models import Cad
from domain.errors import Refused
from domain.inputs import Code, Filled, Name, RequestBody, Secret
from domain.text import without_invisible

type TypedEmail = Annotated[str, AfterValidator(without_invisible), Field(max_length=1000)]
"""As it was typed, without what cannot be seen; `read_email` judges it."""


class EmailCheck(RequestBody):
    email: TypedEmail


class EmailExists(BaseModel):
    exists: bool


class NewPassword(RequestBody):
    """A password typed twice. It is only ever kept as a hash."""

    password: Annotated[Secret, Field(max_length=passwords.MAX_LENGTH)]
    password_confirmation: Annotated[Secret, Field(max_length=passwords.MAX_LENGTH)]


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


def read_password(form: NewPassword) -> str:
    """The chosen password. Refuses with PASSWORD_TOO_SHORT, PASSWORD_MISMATCH."""
    password = form.password.get_secret_value()
    if len(password) < passwords.MIN_LENGTH:
        raise Refused("PASSWORD_TOO_SHORT")
    if password != form.password_confirmation.get_secret_value():
        raise Refused("PASSWORD_MISMATCH")
    return password
