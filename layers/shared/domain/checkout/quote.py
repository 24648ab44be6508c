"""What a cart costs: the discount, then credits, then the card, each shared over the lines (spec 3.4 to 3.7)."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from domain import money
from domain.errors import Refused

MINIMUM_CHARGE = Decimal("0.50")
"""The least a card can be charged, in CAD."""

type WantedCredits = Literal["all"] | Decimal | None
"""What a buyer wants to spend of their credits, in CAD."""


@dataclass(frozen=True, slots=True)
class PricedLine:
    """One line's price, and the parts of it that the coupon and the buyer's credits pay, in CAD."""

    price_cad: Decimal
    discount_share_cad: Decimal
    credit_share_cad: Decimal

    @property
    def net_cad(self) -> Decimal:
        return self.price_cad - self.discount_share_cad

    @property
    def card_share_cad(self) -> Decimal:
        return self.net_cad - self.credit_share_cad


@dataclass(frozen=True, slots=True)
class Quote:
    """What a cart costs, to the cent."""

    lines: Sequence[PricedLine]
    subtotal_cad: Decimal
    discount_cad: Decimal
    total_cad: Decimal
    credits_applied_cad: Decimal

    @property
    def card_cad(self) -> Decimal:
        """What is left for the card."""
        return self.total_cad - self.credits_applied_cad

    @property
    def amount_cents(self) -> int:
        return money.in_cents(self.card_cad)


def quote(
    prices: Sequence[Decimal], discounts: Sequence[Decimal], wanted: WantedCredits, available: Decimal
) -> Quote:
    """Price lines that a coupon takes `discounts` off, one each, paid with what is `wanted` of `available` credits.

    Credits are shared in proportion to what each line costs after its discount. Refuses with INSUFFICIENT_CREDITS,
    AMOUNT_TOO_SMALL.
    """
    nets = [price - share for price, share in zip(prices, discounts, strict=True)]
    subtotal, total = sum(prices, money.ZERO), sum(nets, money.ZERO)
    credits_applied = apply_credits(total, wanted, available)
    credits = money.allocate(credits_applied, nets)
    return Quote(
        lines=[PricedLine(*line) for line in zip(prices, discounts, credits, strict=True)],
        subtotal_cad=subtotal,
        discount_cad=subtotal - total,
        total_cad=total,
        credits_applied_cad=credits_applied,
    )


def apply_credits(total: Decimal, wanted: WantedCredits, available: Decimal) -> Decimal:
    """How much of a total is paid with credits, in CAD: never more than it, and never so much that the card would be
    left with less than it can be charged (spec 3.7).

    Refuses with INSUFFICIENT_CREDITS, AMOUNT_TOO_SMALL.
    """
    if isinstance(wanted, Decimal) and wanted > available:
        raise Refused("INSUFFICIENT_CREDITS", facts={"credits_available_cad": str(available)})
    credits = min(available if wanted == "all" else wanted or money.ZERO, total)
    if credits == total or total - credits >= MINIMUM_CHARGE:
        return money.to_cent(credits)
    if total < MINIMUM_CHARGE:
        raise Refused("AMOUNT_TOO_SMALL")
    return total - MINIMUM_CHARGE
