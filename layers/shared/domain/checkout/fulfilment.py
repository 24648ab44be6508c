"""The seam: what a settlement asks of the product that was sold. It knows lines with a title and a price, no more.

Round trips are what a settlement is made of, so a product sends and fetches where it is told to.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Protocol
from uuid import UUID

from psycopg import Connection

from domain.accounts.accounts import Account
from domain.checkout.checkout import Checkout
from domain.orders.orders import NewLine, NewOrder
from domain.webhooks.events import Payload


@dataclass(frozen=True, slots=True)
class BuyerAccount:
    """The account that a checkout is settled for; `is_new` when this settlement has opened it."""

    account: Account
    is_new: bool


@dataclass(frozen=True, slots=True)
class Returned:
    """What goes back of what was paid, in CAD; `id` is that of its first refund or credit entry."""

    id: UUID
    amount_cad: Decimal
    reason: str


class Fulfilment(Protocol):
    """What could be delivered of a paid checkout."""

    @property
    def lines(self) -> Sequence[NewLine]:
        """Every line, in the order's order."""

    @property
    def lost(self) -> Sequence[NewLine]:
        """Those that could not be delivered: they go back as they were paid."""


class Fulfiller(Protocol):
    """A product. Its module is one."""

    LOST: str
    """Why what could not be delivered goes back, as the buyer reads it."""

    def ask(self, connection: Connection[Any], checkout: Checkout, /) -> Any:
        """Send what must be read; fetch nothing."""

    def claim(self, connection: Connection[Any], asked: Any, now: datetime, /) -> Any:
        """Take what was bought for the buyer. Answers a Fulfilment; may fetch."""

    def write(self, connection: Connection[Any], order: NewOrder, fulfilment: Any, now: datetime, /) -> None:
        """Send the other halves of the lines, which are there, and what was delivered; fetch nothing."""

    def facts(
        self,
        order: NewOrder,
        buyer: BuyerAccount,
        fulfilment: Any,
        returned: Returned | None,
        now: datetime,
        /,
    ) -> Sequence[Payload]:
        """What Make.com is told of the sale, and of what went back."""
