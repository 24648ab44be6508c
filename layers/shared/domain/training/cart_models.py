"""What the routes of a cart of trainings take and answer."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import BaseModel, Field

from domain.coupons.wording import WORDING
from domain.inputs import Code, Id, RequestBody
from domain.money import ZERO
from domain.orders.models import Cad
from domain.training.cart import Notice, NoticeCode, TrainingCart


class AddTraining(RequestBody):
    training_id: Id


class ApplyTrainingCoupon(RequestBody):
    code: Code


class CategoryOfLine(BaseModel):
    slug: str
    name_fr: str


class TrainingLineView(BaseModel):
    id: UUID
    training_id: UUID
    slug: str
    title_fr: str
    category: CategoryOfLine
    access_days: int
    price_cad: Cad = Field(description="Le prix d'origine")
    discount_cad: Cad
    total_cad: Cad = Field(description="Le prix après rabais")


class TrainingCouponView(BaseModel):
    """`detail` says in French why a coupon that is not `valid` takes nothing off."""

    code: str
    type: str
    value: Cad
    valid: bool
    detail: str | None


class NoticeView(BaseModel):
    code: NoticeCode
    training_id: UUID
    title_fr: str
    detail: str

    @classmethod
    def of(cls, notice: Notice) -> "NoticeView":
        return cls(
            code=notice.code,
            training_id=notice.line.training_id,
            title_fr=notice.line.title_fr,
            detail=notice.detail_fr,
        )


class TrainingCartView(BaseModel):
    """`id` is null as long as nothing was put in the cart. `notices` are told once."""

    id: UUID | None
    version: int
    items: list[TrainingLineView]
    coupon: TrainingCouponView | None
    subtotal_cad: Cad
    discount_cad: Cad
    total_cad: Cad
    currency: Literal["CAD"]
    notices: list[NoticeView]

    @classmethod
    def of(
        cls, cart: TrainingCart | None, now: datetime, notices: list[Notice] | None = None
    ) -> "TrainingCartView":
        """The cart as its owner sees it; an empty one where there is none."""
        lines = cart.lines if cart else ()
        discounts = cart.discounts(now) if cart else []
        subtotal, discount = sum((line.price_cad for line in lines), ZERO), sum(discounts, ZERO)
        return cls(
            id=cart.id if cart else None,
            version=cart.version if cart else 0,
            items=[
                TrainingLineView(
                    id=line.id,
                    training_id=line.training_id,
                    slug=line.slug,
                    title_fr=line.title_fr,
                    category=CategoryOfLine(slug=line.category_slug, name_fr=line.category_name_fr),
                    access_days=line.access_days,
                    price_cad=str(line.price_cad),
                    discount_cad=str(off),
                    total_cad=str(line.price_cad - off),
                )
                for line, off in zip(lines, discounts, strict=True)
            ],
            coupon=_coupon(cart, now) if cart else None,
            subtotal_cad=str(subtotal),
            discount_cad=str(discount),
            total_cad=str(subtotal - discount),
            currency="CAD",
            notices=[NoticeView.of(notice) for notice in notices or []],
        )


def _coupon(cart: TrainingCart, now: datetime) -> TrainingCouponView | None:
    if cart.coupon is None:
        return None
    reason = cart.coupon_unusable_because(now)
    return TrainingCouponView(
        code=cart.coupon.code,
        type=cart.coupon.type,
        value=str(cart.coupon.value),
        valid=reason is None,
        detail=WORDING["training"][reason] if reason else None,
    )
