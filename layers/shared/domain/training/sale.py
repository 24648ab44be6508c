"""What Le Dojo does when access to its trainings is put in a cart, paid, given back: the second of the two sales."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any
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
from domain.ids import new_id
from domain.orders.orders import NewLine, NewOrder
from domain.payments.gateway import Failure
from domain.product import Product
from domain.training import cart_queries, enrolments, events, merge_carts
from domain.training.cart import TrainingCart
from domain.training.enrolments import NewEnrolment
from domain.training.look_at_cart import find_cart, renew
from domain.training.merge_carts import TwoTrainingCarts
from domain.training.snapshot import SnapshotTraining, freeze, trainings_of
from domain.webhooks.outbox import Fact


@dataclass(frozen=True)
class Sold:
    """The trainings of a paid checkout, in its order, each with its line; `expiries` of those that access was given to.

    The others are lost: the buyer follows them already, by another purchase that was first.
    """

    checkout: Checkout
    trainings: Sequence[SnapshotTraining]
    enrolments: Sequence[NewEnrolment]
    expiries: Mapping[UUID, datetime]

    @cached_property
    def lines(self) -> Sequence[NewLine]:
        return [
            NewLine(
                id=enrolment.order_item_id,
                kind="access",
                title_fr=training.title_fr,
                price_cad=training.price_cad,
                discount_share_cad=training.discount_share_cad,
                credit_share_cad=money.ZERO,
            )
            for training, enrolment in zip(self.trainings, self.enrolments, strict=True)
        ]

    @property
    def lost(self) -> Sequence[NewLine]:
        return [line for line in self.lines if line.id not in self.expiries]


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
    ) -> Sold:
        trainings = trainings_of(checkout)
        new = [
            NewEnrolment(new_id(), new_id(), training.training_id, training.access_days)
            for training in trainings
        ]
        given = enrolments.enrol(connection, buyer.id, new, paid_at, now).fetchall()
        return Sold(checkout, trainings, new, {one.order_item_id: one.expires_at for one in given})

    def write(self, connection: Connection[Any], order: NewOrder, sold: Sold, now: datetime) -> None:
        enrolments.insert_access(connection, sold.enrolments)
        cart_id = sold.checkout.cart_id
        if cart_id:
            bought = [training.training_id for training in sold.trainings]
            cart_queries.remove_sold(connection, cart_id, bought, now)
            carts.clear_coupon(connection, cart_id, sold.checkout.coupon_id)
            carts.advance_version(connection, cart_id, now)

    def facts(
        self, order: NewOrder, buyer: BuyerAccount, sold: Sold, returned: Returned | None, now: datetime
    ) -> Sequence[Fact]:
        return events.settlement_facts(order, buyer, sold, returned, now)

    def failure_facts(
        self, connection: Connection[Any], checkout: Checkout, failure: Failure, attempt: str, now: datetime
    ) -> Sequence[Fact]:
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
        return events.refund_facts(connection, order_id, new, now)

    def meet(
        self, connection: Connection[Any], guest: Buyer, student: Buyer, now: datetime
    ) -> TwoTrainingCarts | None:
        return merge_carts.meet(connection, guest, student, now)

    def merge(self, connection: Connection[Any], two: TwoTrainingCarts, now: datetime) -> None:
        merge_carts.merge(connection, two, now)
