"""The seam: what commerce asks of a product that is sold. It knows lines with a title and a price, no more.

A product's sale is an object that follows `Sale`. Round trips are what a settlement is made of, so a product sends and
fetches where it is told to.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Protocol
from uuid import UUID

from psycopg import Connection

from domain.accounts.accounts import Account
from domain.accounts.callers import Buyer
from domain.checkout.checkout import Checkout
from domain.checkout.quote import Quote
from domain.coupons.coupons import Coupon
from domain.errors import Refused
from domain.orders.orders import NewLine, NewOrder
from domain.payments.gateway import Failure
from domain.product import Product
from domain.webhooks.outbox import Environment, Fact


@dataclass(frozen=True, slots=True)
class Offer:
    """A locked cart as it is sold now: by line its price and what its coupon takes off, in CAD.

    `cart` is the product's own, and has as many lines. `description` is what the payment service shows of it.
    """

    cart_id: UUID
    version: int
    coupon: Coupon | None
    prices: Sequence[Decimal]
    discounts: Sequence[Decimal]
    credits_available: Decimal
    cart: Any
    description: str | None = None


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


@dataclass(frozen=True, slots=True)
class NewRefund:
    """A refund of an order that is to be told: its amount in CAD, Stripe's id of it when there is one, and why."""

    id: UUID
    amount_cad: Decimal
    service_id: str | None
    reason: str


class Fulfilment(Protocol):
    """What could be delivered of a paid checkout."""

    @property
    def lines(self) -> Sequence[NewLine]:
        """Every line, in the order's order."""

    @property
    def lost(self) -> Sequence[NewLine]:
        """Those that could not be delivered: they go back as they were paid."""


class TwoCarts(Protocol):
    """A guest's cart and a student's, both locked, that are to become one."""

    @property
    def guest_id(self) -> UUID: ...
    @property
    def own_id(self) -> UUID: ...
    @property
    def brings_something(self) -> bool:
        """Whether the guest's changes the student's."""


class Sale(Protocol):
    """What a product does when it is put in a cart, paid, given back."""

    @property
    def product(self) -> Product: ...
    @property
    def lost_because(self) -> str:
        """Why what could not be delivered goes back, as the buyer reads it."""

    @property
    def counts_from_payment(self) -> bool:
        """Whether it matters when exactly the card was charged."""

    # Before money is asked, in the transaction that freezes the cart

    def look(self, connection: Connection[Any], buyer: Buyer, now: datetime, /) -> Any:
        """Lock the buyer's cart and send for what its lines cost now. Refuses with CART_EMPTY."""

    def renew(self, connection: Connection[Any], looked: Any, now: datetime, /) -> Refused | None:
        """Bring a cart that is not as it was last shown up to date. Answers what the buyer is told of it, and not
        charged; it is told once the cart is stored.
        """

    def offer(self, connection: Connection[Any], looked: Any, email: str | None, now: datetime, /) -> Offer:
        """Make sure that every line of an up-to-date cart can be had; refuses if not. `email` is a guest's."""

    def freeze(self, offer: Offer, quote: Quote, /) -> list[dict[str, Any]]:
        """The lines as settlement will read them, in JSON."""

    # When it was paid

    def ask(self, connection: Connection[Any], checkout: Checkout, /) -> Any:
        """Send what must be read; fetch nothing."""

    def claim(
        self, connection: Connection[Any], asked: Any, buyer: Account, paid_at: datetime, now: datetime, /
    ) -> Any:
        """Take what was bought for the buyer. Answers a Fulfilment: what could be had, and what could not; may fetch.

        `paid_at` is when the card was charged.
        """

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
    ) -> Sequence[Fact]:
        """What Make.com is told of the sale, and of what went back."""

    # Otherwise

    def failure_facts(
        self,
        connection: Connection[Any],
        checkout: Checkout,
        failure: Failure,
        attempt: str,
        now: datetime,
        /,
    ) -> Sequence[Fact]:
        """What Make.com is told when a card was refused; `attempt` names the try."""

    def let_go(self, connection: Connection[Any], checkout: Checkout, now: datetime, /) -> None:
        """A checkout can never be paid any more: what its locked cart holds for it is free."""

    def refund_facts(
        self,
        connection: Connection[Any],
        order_id: UUID,
        refunds: Sequence[NewRefund],
        by: UUID | None,
        now: datetime,
        /,
    ) -> Sequence[Fact]:
        """What Make.com is told of new refunds of an order, whose returns by line are stored; `by` an administrator."""

    def meet(self, connection: Connection[Any], guest: Buyer, student: Buyer, now: datetime, /) -> Any:
        """TwoCarts: the guest's and the student's, locked, the latter made when missing; None without a guest's."""

    def merge(self, connection: Connection[Any], carts: Any, now: datetime, /) -> None:
        """Move what the guest chose to the student's cart; the guest's is gone."""


@dataclass(frozen=True, slots=True)
class Shop:
    """Everything that is sold here, by product, and the environment whose events tell of it."""

    sales: Mapping[Product, Sale]
    environment: Environment
