"""What a buyer's order asks of the product it is of: how its lines are shown, and how a receipt prints them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Protocol
from uuid import UUID

from psycopg import Connection


@dataclass(frozen=True, slots=True)
class PrintedLine:
    """A line of a receipt, in French. `detail` and, smaller, `note` stand below `title`, `when_note` below `when`."""

    title: str
    detail: str | None
    note: str | None
    when: str
    when_note: str | None
    price_cad: Decimal


class LineReader(Protocol):
    """How the lines of a product's orders are read."""

    @property
    def columns(self) -> tuple[str, str]:
        """What a receipt writes above its titles, and above when they are had."""

    @property
    def tells_net(self) -> bool:
        """Whether a receipt ends with what was paid less what went back."""

    def show(self, connection: Connection[Any], order_id: UUID, now: datetime, /) -> Sequence[Any]:
        """The lines of an order as its buyer sees them; each has a `kind` of its own."""

    def print(self, connection: Connection[Any], order_id: UUID, now: datetime, /) -> Sequence[PrintedLine]:
        """The same as a receipt prints them."""
