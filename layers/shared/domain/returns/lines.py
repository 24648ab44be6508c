"""How an amount that goes back is shared over the lines of an order."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal
from uuid import UUID

from domain.money import ZERO, allocate

type ReturnWay = Literal["card", "dashboard", "dispute", "credit"]
"""`card` is a refund of ours, `dashboard` one that somebody made at Stripe; `credit` is store credit."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line of an order. `left_cad` is what it was paid and has not given back yet.

    `gone` says that its session was lost or cancelled; `credit_promised` that a cancellation promised what is left.
    """

    id: UUID
    left_cad: Decimal
    gone: bool
    credit_promised: bool


def share_out(
    amount_cad: Decimal, lines: Iterable[Line], own_line: UUID | None = None
) -> dict[UUID, Decimal]:
    """What each line gives back of an amount; less than the amount in all when the lines have less left.

    The fact's own line comes first, then the lines that are gone, then the others. Within a rank every line gives
    in proportion to what it has left, to the cent by largest remainder; ties go to the smaller id.
    """
    shares: dict[UUID, Decimal] = {}
    ordered = sorted(lines, key=lambda line: line.id)
    own = [line for line in ordered if line.id == own_line]
    gone = [line for line in ordered if line.gone and line.id != own_line]
    others = [line for line in ordered if not line.gone and line.id != own_line]
    for rank in (own, gone, others):
        given = _in_proportion(amount_cad, rank)
        amount_cad -= sum(given.values(), ZERO)
        shares |= given
    return shares


def _in_proportion(amount_cad: Decimal, lines: Sequence[Line]) -> dict[UUID, Decimal]:
    left = [line.left_cad for line in lines]
    shares = allocate(min(amount_cad, sum(left, ZERO)), left)
    return {line.id: share for line, share in zip(lines, shares, strict=True) if share}
