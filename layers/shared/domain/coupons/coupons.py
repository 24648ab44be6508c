"""One coupon: its validity and its discount (spec 3.4)."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal
from uuid import UUID

from psycopg import Connection, Cursor
from psycopg.errors import CheckViolation
from psycopg.rows import class_row

from domain import money
from domain.accounts.callers import Buyer
from domain.coupons.wording import Reason, coupon_invalid
from domain.errors import Refused
from domain.product import Product

type CouponType = Literal["percent", "fixed"]


@dataclass(frozen=True, slots=True)
class Coupon:
    """`uses_taken` counts every use, and every use that somebody else is paying with; `uses_by_person` the uses of the
    account whose cart it is looked at in.
    """

    id: UUID
    code: str
    type: CouponType
    value: Decimal
    starts_at: datetime | None
    ends_at: datetime | None
    max_redemptions: int | None
    uses_taken: int
    active: bool
    product: Product = "tutoring"
    max_per_person: int | None = None
    uses_by_person: int = 0

    def discount_on(self, subtotal: Decimal) -> Decimal:
        """What it takes off a subtotal in CAD, computed once, half-up, never more than the subtotal."""
        if self.type == "percent":
            return money.to_cent(subtotal * self.value / 100)
        return min(self.value, subtotal)

    def require_usable(self, now: datetime) -> None:
        """Refuses with COUPON_INVALID and the reason when the coupon cannot be used at `now`."""
        if reason := self.unusable_because(now):
            raise coupon_invalid(self.product, reason)

    def unusable_because(self, now: datetime) -> Reason | None:
        """The first reason why nobody can use it at `now`, or not this person; None when it can be used.

        One that has ended is expired, whether or not somebody has deactivated it. The last instant belongs to the time
        of a training's coupon (courses 3.4), not to that of a session's.
        """
        if self.ends_at and (now > self.ends_at or (now == self.ends_at and self.product == "tutoring")):
            return "ended"
        if not self.active:
            return "inactive"
        if self.starts_at and now < self.starts_at:
            return "not_yet"
        if self.max_redemptions is not None and self.uses_taken >= self.max_redemptions:
            return "used_up"
        if self.max_per_person is not None and self.uses_by_person >= self.max_per_person:
            return "used_by_person"
        return None


def find_coupon(
    connection: Connection[Any], product: Product, buyer: Buyer, code: str, now: datetime
) -> Coupon:
    """A product's coupon with that code, whatever its case. Refuses with COUPON_INVALID.

    A use the buyer's own open payment has reserved is not held against them.
    """
    coupon = (
        connection.cursor(row_factory=class_row(Coupon))
        .execute(
            """
        SELECT id, code, type::text, value, starts_at, ends_at, max_redemptions,
               uses_taken(coupons, find_cart(%(product)s, %(user_id)s, %(session_hash)s)), active, product::text,
               max_per_person,
               (SELECT count(*) FROM coupon_redemptions AS used
                 WHERE used.coupon_id = coupons.id AND used.user_id = %(user_id)s) AS uses_by_person
          FROM coupons WHERE code = %(code)s AND product = %(product)s
        """,
            {
                "product": product,
                "code": code.upper(),
                "user_id": buyer.user_id,
                "session_hash": buyer.session_hash,
            },
        )
        .fetchone()
    )
    if coupon is None:
        raise coupon_invalid(product, "unknown")
    coupon.require_usable(now)
    return coupon


def reserve(connection: Connection[Any], checkout_id: UUID, coupon_id: UUID, now: datetime) -> None:
    """Keep one use for a payment that is being made, until its checkout ends (0010).

    Raises psycopg.errors.CheckViolation (`coupons_use_what_is_left`) when every use is taken.
    """
    connection.execute(
        """
        INSERT INTO coupon_reservations (checkout_id, coupon_id, created_at)
        VALUES (%(checkout_id)s, %(coupon_id)s, %(now)s)
        """,
        {"checkout_id": checkout_id, "coupon_id": coupon_id, "now": now},
    )


def refusal_of(error: CheckViolation, product: Product) -> Refused | None:
    """The refusal of a coupon that the database did not let be reserved (0010); None of another error."""
    match error.diag.constraint_name:
        case "coupons_use_what_is_left":
            return coupon_invalid(product, "used_up")
        case "coupons_use_per_person":
            return coupon_invalid(product, "used_by_person")
    return None


def redeem(
    connection: Connection[Any],
    coupon_id: UUID,
    code: str,
    order_id: UUID,
    user_id: UUID,
    discount_cad: Decimal,
    now: datetime,
) -> Cursor[Any]:
    """Record that an order used a coupon; what its checkout had reserved is given up before.

    A use that others have reserved is not taken from them: going over the limit is noted, never refused, and the
    counter stays.
    """
    return connection.execute(
        """
        WITH counted AS (
            UPDATE coupons SET redemption_count = redemption_count + 1, updated_at = %(now)s
             WHERE id = %(coupon_id)s
               AND (max_redemptions IS NULL OR redemption_count + reserved_count < max_redemptions)
            RETURNING id)
        INSERT INTO coupon_redemptions (order_id, coupon_id, user_id, code, discount_cad, over_limit, created_at)
        SELECT %(order_id)s, coupons.id, %(user_id)s, %(code)s, %(discount_cad)s,
               NOT EXISTS (SELECT FROM counted), %(now)s
          FROM coupons WHERE coupons.id = %(coupon_id)s
        """,
        {
            "coupon_id": coupon_id,
            "code": code,
            "order_id": order_id,
            "user_id": user_id,
            "discount_cad": discount_cad,
            "now": now,
        },
    )
