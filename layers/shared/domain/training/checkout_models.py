"""What the checkout of trainings takes, and shows of its order."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import BaseModel, Field

from domain.accounts.forms import NewPassword, TypedEmail
from domain.checkout.checkout import CheckoutStateName
from domain.inputs import Name, RequestBody
from domain.orders.models import Cad


class TrainingAccountForm(NewPassword):
    """The account a guest's payment will open. No address is asked for, and a name need not be given."""

    email: TypedEmail
    first_name: Name | None = None
    last_name: Name | None = None


class StartTrainingCheckout(RequestBody):
    account: TrainingAccountForm | None = None


class PaymentFailure(BaseModel):
    """Why the card was refused: Stripe's words, and a sentence for the buyer. The same payment may be tried again."""

    code: str
    decline_code: str | None
    detail: str


class BoughtTraining(BaseModel):
    """`expires_at` is null when the buyer had access already: the line was refunded."""

    training_id: UUID
    slug: str
    title_fr: str
    access_days: int
    price_cad: Cad
    discount_share_cad: Cad
    enrolment_id: UUID | None
    expires_at: datetime | None
    refunded: bool


class TrainingOrderView(BaseModel):
    id: UUID
    number: str
    status: str
    items: list[BoughtTraining]
    subtotal_cad: Cad
    discount_cad: Cad
    total_cad: Cad
    refunded_cad: Cad
    coupon_code: str | None
    currency: Literal["CAD"]
    created_at: datetime


class TrainingCheckoutState(BaseModel):
    status: CheckoutStateName
    order: TrainingOrderView | None
    failure: PaymentFailure | None
    session_token: str | None = Field(description="Seulement dans la première réponse réglée à l'acheteur")
