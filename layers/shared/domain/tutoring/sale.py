"""What tutoring does when its sessions are put in a cart, paid, given back: the first of the two sales.

What settles and tells is loaded by the methods that need it: a sign-in only merges carts.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from uuid import UUID

from psycopg import Connection, Cursor

from domain import money
from domain.accounts.accounts import Account
from domain.accounts.callers import Buyer
from domain.cart import merge_carts, purchase
from domain.cart.cart import MAX_HOLDS, Cart
from domain.cart.merge_carts import Meeting
from domain.catalog.offering import ask_offerings, read_offerings
from domain.catalog.teachers import ask_rates
from domain.checkout.checkout import Checkout
from domain.checkout.quote import Quote
from domain.checkout.sale import BuyerAccount, NewRefund, Offer, Returned
from domain.errors import Refused
from domain.orders.orders import NewOrder
from domain.payments.gateway import Failure
from domain.product import Product
from domain.webhooks.outbox import Fact

if TYPE_CHECKING:
    from domain.tutoring.book import Asked, Bookings


@dataclass(frozen=True, slots=True)
class Looked:
    """The buyer's cart, judged and locked; what its sessions cost now and what their tutors earn, not fetched yet."""

    cart: Cart
    offerings: Cursor[Any]
    rates: Cursor[Any]


@dataclass(frozen=True, slots=True)
class Priced:
    """A cart whose every session is held, and the hourly rates of its tutors."""

    cart: Cart
    rates: Mapping[UUID, Decimal]


@dataclass(frozen=True, slots=True)
class SessionSale:
    """`max_holds` is how many times a cart holds at once."""

    max_holds: int = MAX_HOLDS
    product: Product = "tutoring"
    lost_because: str = "Créneau devenu indisponible pendant le paiement"
    counts_from_payment: bool = False

    def look(self, connection: Connection[Any], buyer: Buyer, now: datetime) -> Looked:
        cart = purchase.lock_cart(connection, buyer, now)
        return Looked(
            cart,
            ask_offerings(connection, {item.course_id for item in cart.items}),
            ask_rates(connection, cart.possible_tutors),
        )

    def renew(self, connection: Connection[Any], looked: Looked, now: datetime) -> Refused | None:
        """Refuses with PRICE_CHANGED when the cart now shows other prices."""
        before = looked.cart
        after = purchase.reprice(connection, before, read_offerings(looked.offerings), now)
        if after.items == before.items:
            return None
        return Refused(
            "PRICE_CHANGED",
            facts={
                "old_total_cad": str(before.subtotal - before.discount(now)),
                "new_total_cad": str(after.subtotal - after.discount(now)),
            },
        )

    def offer(self, connection: Connection[Any], looked: Looked, email: str | None, now: datetime) -> Offer:
        """Every session is held. Refuses with SLOTS_UNAVAILABLE, HOLD_LIMIT."""
        rates = dict(looked.rates.fetchall())
        cart = purchase.hold_again(connection, looked.cart, now, self.max_holds)
        prices = [item.price_cad for item in cart.items]
        return Offer(
            cart_id=cart.id,
            version=cart.version,
            coupon=cart.coupon,
            prices=prices,
            discounts=money.allocate(cart.discount(now), prices),
            credits_available=cart.credits_available,
            cart=Priced(cart, rates),
        )

    def freeze(self, offer: Offer, quote: Quote) -> list[dict[str, Any]]:
        from domain.tutoring.snapshot import freeze

        return freeze(offer.cart.cart.items, quote.lines, offer.cart.rates)

    def ask(self, connection: Connection[Any], checkout: Checkout) -> "Asked":
        from domain.tutoring import book

        return book.ask(connection, checkout)

    def claim(
        self, connection: Connection[Any], asked: "Asked", buyer: Account, paid_at: datetime, now: datetime
    ) -> "Bookings":
        from domain.tutoring import book

        return book.claim(connection, asked, now)

    def write(
        self, connection: Connection[Any], order: NewOrder, bookings: "Bookings", now: datetime
    ) -> None:
        from domain.tutoring import book

        book.write(connection, order, bookings, now)

    def facts(
        self,
        order: NewOrder,
        buyer: BuyerAccount,
        bookings: "Bookings",
        returned: Returned | None,
        now: datetime,
    ) -> Sequence[Fact]:
        from domain.tutoring.events import settlement_facts

        booked, lost = bookings.sessions(booked=True), bookings.sessions(booked=False)
        return settlement_facts(order, buyer, booked, lost, returned, bookings.teachers, bookings.titles, now)

    def failure_facts(
        self, connection: Connection[Any], checkout: Checkout, failure: Failure, attempt: str, now: datetime
    ) -> Sequence[Fact]:
        """Nobody is told: the buyer sees it, and may try again."""
        return ()

    def let_go(self, connection: Connection[Any], checkout: Checkout, now: datetime) -> None:
        from domain.tutoring.snapshot import sessions_of

        purchase.let_go(connection, [session.id for session in sessions_of(checkout)], now)

    def refund_facts(
        self,
        connection: Connection[Any],
        order_id: UUID,
        new: Sequence[NewRefund],
        by: UUID | None,
        now: datetime,
    ) -> Sequence[Fact]:
        from domain.tutoring import refunds

        return refunds.refund_facts(connection, order_id, new, by, now)

    def meet(
        self, connection: Connection[Any], guest: Buyer, student: Buyer, now: datetime
    ) -> Meeting | None:
        return merge_carts.meet(connection, guest, student, now)

    def merge(self, connection: Connection[Any], carts: Meeting, now: datetime) -> None:
        merge_carts.merge(connection, carts, now, self.max_holds)
