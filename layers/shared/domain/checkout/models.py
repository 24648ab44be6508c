"""What the checkouts of both products take and answer."""

from typing import Literal
from uuid import UUID

from pydantic import BaseModel

from domain.accounts.forms import TypedEmail
from domain.inputs import RequestBody
from domain.orders.models import Cad


class EmailCheck(RequestBody):
    email: TypedEmail


class EmailExists(BaseModel):
    exists: bool


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
