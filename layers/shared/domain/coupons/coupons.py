"""One coupon: its validity and its discount (spec 3.4)."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from psycopg import Connection, Cursor
from psycopg.rows import class_row

from domain import money
from domain.errors import Refused


@dataclass(frozen=True, slots=True)
class Coupon:
    id: UUID
    code: str
    type: str
    value: Decimal
    starts_at: datetime | None
    ends_at: datetime | None
    max_redemptions: int | None
    redemption_count: int
    active: bool

    def discount_on(self, subtotal: Decimal) -> Decimal:
        """What it takes off a subtotal in CAD, computed once, half-up, never more than the subtotal."""
        if self.type == "percent":
            return money.to_cent(subtotal * self.value / 100)
        return min(self.value, subtotal)

    def require_usable(self, now: datetime) -> None:
        """Refuses with COUPON_INVALID and the reason when the coupon cannot be used at `now`."""
        if not self.active:
            raise Refused("COUPON_INVALID", "Ce code promo est inactif")
        if self.starts_at and now < self.starts_at:
            raise Refused("COUPON_INVALID", "Ce code promo n'est pas encore valide")
        if self.ends_at and now >= self.ends_at:
            raise Refused("COUPON_INVALID", "Ce code promo est expiré")
        if self.max_redemptions is not None and self.redemption_count >= self.max_redemptions:
            raise Refused("COUPON_INVALID", "Ce code promo a atteint sa limite d'utilisation")


def find_coupon(connection: Connection[Any], code: str, now: datetime) -> Coupon:
    """The coupon with that code, whatever its case and surrounding spaces. Refuses with COUPON_INVALID."""
    coupon = (
        connection.cursor(row_factory=class_row(Coupon))
        .execute(
            """
        SELECT id, code, type::text, value, starts_at, ends_at, max_redemptions, redemption_count, active
          FROM coupons WHERE code = %(code)s
        """,
            {"code": code.strip().upper()},
        )
        .fetchone()
    )
    if coupon is None:
        raise Refused("COUPON_INVALID")
    coupon.require_usable(now)
    return coupon


def redeem(
    connection: Connection[Any],
    coupon_id: UUID,
    code: str,
    order_id: UUID,
    user_id: UUID,
    discount_cad: Decimal,
    now: datetime,
) -> Cursor[Any]:
    """Record that an order used a coupon. The counter stays at its limit; going over is noted, never refused."""
    return connection.execute(
        """
        WITH counted AS (
            UPDATE coupons SET redemption_count = redemption_count + 1, updated_at = %(now)s
             WHERE id = %(coupon_id)s AND (max_redemptions IS NULL OR redemption_count < max_redemptions)
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
