"""Canadian dollars as Decimal, rounded half-up to the cent (spec 3)."""

from collections.abc import Sequence
from decimal import ROUND_HALF_UP, Decimal

ZERO = Decimal("0.00")
CENT = Decimal("0.01")
CURRENCY = "CAD"


def to_cent(amount: Decimal) -> Decimal:
    """An amount in CAD rounded half-up to two decimals."""
    return amount.quantize(CENT, rounding=ROUND_HALF_UP)


def in_cents(amount: Decimal) -> int:
    """An amount in CAD as integer cents. Raises ValueError when it has a fraction of a cent."""
    cents = amount * 100
    if cents != cents.to_integral_value():
        raise ValueError(f"{amount} CAD is not a whole number of cents")
    return int(cents)


def from_cents(cents: int) -> Decimal:
    """Integer cents as an amount in CAD."""
    return to_cent(Decimal(cents) / 100)


def prorate(hourly_rate: Decimal, duration_min: int) -> Decimal:
    """What `duration_min` minutes cost at a rate in CAD per 60 minutes, rounded once (spec 3.1, 3.2)."""
    return to_cent(hourly_rate * duration_min / 60)


def allocate(amount: Decimal, weights: Sequence[Decimal]) -> list[Decimal]:
    """Split `amount` over `weights` in whole cents that add up exactly.

    Each share is floored, then the cents left over go to the largest remainders, ties to the earlier place
    (the largest-remainder method; spec 3.5). Weights are amounts in CAD; all zero gives all zero. In integers
    throughout: a third of a cent must tie with a third of a cent.
    """
    cents, parts = in_cents(amount), [in_cents(weight) for weight in weights]
    total = sum(parts)
    if not total:
        return [ZERO for _ in weights]
    shares, remainders = zip(*(divmod(cents * part, total) for part in parts), strict=True)
    favoured = sorted(range(len(parts)), key=lambda place: -remainders[place])[: cents - sum(shares)]
    return [from_cents(share + (place in favoured)) for place, share in enumerate(shares)]
