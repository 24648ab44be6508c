"""What Le Dojo does when access to its trainings is put in a cart, paid, given back: the second of the two sales.

What settles and tells is loaded by the methods that need it: a sign-in only merges carts.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from psycopg import Connection

from domain import money
from domain.accounts.accounts import Account
from domain.accounts.callers import Buyer
from domain.carts import carts
from domain.checkout.checkout import Checkout
from domain.checkout.quote import Quote
from domain.checkout.sale import BuyerAccount, NewRefund, Offer, Returned
from domain.coupons.wording import coupon_invalid
from domain.errors import Refused
from domain.orders.orders import NewOrder
from domain.payments.gateway import Failure
from domain.product import Product
from domain.training import cart_queries, merge_carts
from domain.training.cart import TrainingCart
from domain.training.look_at_cart import find_cart, renew
from domain.training.merge_carts import TwoTrainingCarts
from domain.webhooks.outbox import Fact

if TYPE_CHECKING:
    from domain.training.sold import Sold


@dataclass(frozen=True, slots=True)
class AccessSale:
    """No credits, no address, no holds: what is sold is never sold out."""

    product: Product = "training"
    lost_because: str = "Accès déjà actif au moment du paiement"
    counts_from_payment: bool = True

    def look(self, connection: Connection[Any], buyer: Buyer, now: datetime) -> TrainingCart:
        carts.lock_cart(connection, "training", buyer)
        cart = find_cart(connection, buyer, now)
        if cart is None or not cart.lines:
            raise Refused("CART_EMPTY")
        return cart

    def renew(self, connection: Connection[Any], cart: TrainingCart, now: datetime) -> Refused | None:
        """Refuses with TRAININGS_UNAVAILABLE and what left the cart, or with PRICE_CHANGED."""
        before = sum((line.shown_cad for line in cart.lines), money.ZERO)
        notices = renew(connection, cart, now)
        if not notices:
            return None
        gone = [notice for notice in notices if not notice.line.can_be_bought]
        if gone:
            items = [
                {"training_id": str(notice.line.training_id), "code": notice.code, "detail": notice.detail_fr}
                for notice in gone
            ]
            return Refused("TRAININGS_UNAVAILABLE", facts={"items": items})
        return Refused(
            "PRICE_CHANGED",
            facts={"old_subtotal_cad": str(before), "new_subtotal_cad": str(cart.subtotal)},
        )

    def offer(
        self, connection: Connection[Any], cart: TrainingCart, email: str | None, now: datetime
    ) -> Offer:
        """Refuses with COUPON_INVALID when the cart's coupon takes nothing off."""
        if reason := cart.coupon_unusable_because(now):
            raise coupon_invalid("training", reason)
        return Offer(
            cart_id=cart.id,
            version=cart.version,
            coupon=cart.coupon,
            prices=cart.prices,
            discounts=cart.discounts(now),
            credits_available=money.ZERO,
            cart=cart,
            description="Achat: " + ", ".join(line.title_fr for line in cart.lines),
        )

    def freeze(self, offer: Offer, quote: Quote) -> list[dict[str, Any]]:
        from domain.training.snapshot import freeze

        return freeze(offer.cart.lines, quote.lines)

    def ask(self, connection: Connection[Any], checkout: Checkout) -> Checkout:
        return checkout  # everything is in the snapshot

    def claim(
        self,
        connection: Connection[Any],
        checkout: Checkout,
        buyer: Account,
        paid_at: datetime,
        now: datetime,
    ) -> "Sold":
        from domain.training.sold import deliver

        return deliver(connection, checkout, buyer.id, paid_at, now)

    def write(self, connection: Connection[Any], order: NewOrder, sold: "Sold", now: datetime) -> None:
        from domain.training import enrolments

        enrolments.insert_access(connection, sold.enrolments)
        cart_id = sold.checkout.cart_id
        if cart_id:
            bought = [training.training_id for training in sold.trainings]
            cart_queries.remove_sold(connection, cart_id, bought, now)
            carts.clear_coupon(connection, cart_id, sold.checkout.coupon_id)
            carts.advance_version(connection, cart_id, now)

    def facts(
        self, order: NewOrder, buyer: BuyerAccount, sold: "Sold", returned: Returned | None, now: datetime
    ) -> Sequence[Fact]:
        from domain.training import events

        return events.settlement_facts(order, buyer, sold, returned, now)

    def failure_facts(
        self, connection: Connection[Any], checkout: Checkout, failure: Failure, attempt: str, now: datetime
    ) -> Sequence[Fact]:
        from domain.training import events

        return events.failure_facts(connection, checkout, failure, attempt, now)

    def let_go(self, connection: Connection[Any], checkout: Checkout, now: datetime) -> None:
        """Nothing is held."""

    def refund_facts(
        self,
        connection: Connection[Any],
        order_id: UUID,
        new: Sequence[NewRefund],
        by: UUID | None,
        now: datetime,
    ) -> Sequence[Fact]:
        from domain.training import events

        return events.refund_facts(connection, order_id, new, now)

    def meet(
        self, connection: Connection[Any], guest: Buyer, student: Buyer, now: datetime
    ) -> TwoTrainingCarts | None:
        return merge_carts.meet(connection, guest, student, now)

    def merge(self, connection: Connection[Any], two: TwoTrainingCarts, now: datetime) -> None:
        merge_carts.merge(connection, two, now)
