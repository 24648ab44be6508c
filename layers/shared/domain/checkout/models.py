"""What the checkout's routes take and answer."""

import re
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Literal
from uuid import UUID

from pydantic import AfterValidator, BaseModel, Field

from domain.accounts import passwords
from domain.catalog.models import Cad
from domain.errors import Refused
from domain.inputs import Filled, Line, Name, RequestBody, Secret
from domain.text import without_invisible

EMAIL_MAX_LENGTH = 254
EMAIL = re.compile(
    r"[a-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[a-z0-9!#$%&'*+/=?^_`{|}~-]+)*"
    r"@([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]([a-z0-9-]{0,61}[a-z0-9])"
)
PHONE = re.compile(r"\+?[0-9 ().-]{7,25}")
E164 = re.compile(r"\+[1-9][0-9]{9,14}")
"""As the database (0001) and Make.com want it."""

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
    phone: Line | None = None


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


def read_email(text: str) -> str:
    """An e-mail trimmed and lower-cased. Refuses with EMAIL_INVALID."""
    email = text.strip().lower()
    if len(email) > EMAIL_MAX_LENGTH or len(email.partition("@")[0]) > 64 or not EMAIL.fullmatch(email):
        raise Refused("EMAIL_INVALID")
    return email


def read_phone(text: str | None, field: str = "account.phone") -> str | None:
    """A phone number in E.164, or none when empty; ten digits without a plus are Canadian.

    Refuses with VALIDATION_FAILED, naming the field.
    """
    if text is None or not text.strip():
        return None
    number = text.strip()
    digits = re.sub(r"\D", "", number)
    in_full = f"+1{digits}" if len(digits) == 10 and not number.startswith("+") else f"+{digits}"
    if not PHONE.fullmatch(number) or not E164.fullmatch(in_full):
        raise Refused(
            "VALIDATION_FAILED",
            errors=[
                {
                    "field": field,
                    "code": "INVALID",
                    "detail": "Ce numéro de téléphone est invalide.",
                }
            ],
        )
    return in_full


def read_password(form: NewPassword) -> str:
    """The chosen password. Refuses with PASSWORD_TOO_SHORT, PASSWORD_MISMATCH."""
    password = form.password.get_secret_value()
    if len(password) < passwords.MIN_LENGTH:
        raise Refused("PASSWORD_TOO_SHORT")
    if password != form.password_confirmation.get_secret_value():
        raise Refused("PASSWORD_MISMATCH")
    return password
