"""What the cart's routes take and answer."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, Field, StrictInt

from domain.cart.cart import Cart, CartItem
from domain.catalog.models import Cad
from domain.clock import on_toronto_clock
from domain.inputs import Code, Id, Instant, RequestBody

MAX_ITEMS_PER_REQUEST = 50


class WantedSession(RequestBody):
    """A session to put in the cart. Without `tutor_id`, the best free tutor of the course is chosen."""

    course_id: Id
    start: Instant
    duration_min: StrictInt
    tutor_id: Id | None = None


class AddItems(RequestBody):
    items: Annotated[list[WantedSession], Field(min_length=1, max_length=MAX_ITEMS_PER_REQUEST)]


class ApplyCoupon(RequestBody):
    code: Code


class CartItemView(BaseModel):
    id: UUID
    course_id: UUID
    course_title_fr: str
    tutor_display_name: str
    start: datetime
    end: datetime
    duration_min: int
    price_cad: Cad
    hold_expires_at: datetime
    hold_expired: bool
    unavailable: bool
    student_overlap: bool = Field(description="Tombe en même temps qu'une séance que l'étudiant a déjà")

    @classmethod
    def of(cls, item: CartItem, now: datetime) -> "CartItemView":
        return cls(
            id=item.id,
            course_id=item.course_id,
            course_title_fr=item.course_title_fr,
            tutor_display_name=item.tutor_display_name,
            start=on_toronto_clock(item.start),
            end=on_toronto_clock(item.end),
            duration_min=item.duration_min,
            price_cad=str(item.price_cad),
            hold_expires_at=on_toronto_clock(item.hold_expires_at),
            hold_expired=item.hold_expires_at <= now,
            unavailable=item.lost,
            student_overlap=item.student_overlap,
        )


class CouponView(BaseModel):
    code: str
    type: str
    value: Cad
    valid: bool


class CartView(BaseModel):
    """`id` is null as long as nothing was put in the cart."""

    id: UUID | None
    version: int
    items: list[CartItemView]
    coupon: CouponView | None
    subtotal_cad: Cad
    discount_cad: Cad
    total_cad: Cad
    credits_available_cad: Cad
    currency: str

    @classmethod
    def of(cls, cart: Cart, now: datetime) -> "CartView":
        coupon = cart.coupon
        discount = cart.discount(now)
        return cls(
            id=cart.id,
            version=cart.version,
            items=[CartItemView.of(item, now) for item in cart.items],
            coupon=coupon
            and CouponView(
                code=coupon.code,
                type=coupon.type,
                value=str(coupon.value),
                valid=cart.usable_coupon(now) is not None,
            ),
            subtotal_cad=str(cart.subtotal),
            discount_cad=str(discount),
            total_cad=str(cart.subtotal - discount),
            credits_available_cad=str(cart.credits_available),
            currency="CAD",
        )
