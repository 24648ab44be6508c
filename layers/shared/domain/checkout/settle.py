"""The one settlement routine (spec 5.6): the webhook, the status call and the reconciliation job all come here.

A paid checkout becomes an account, an order, what was bought and facts for Make.com in one transaction; what cannot be
delivered goes back, to the card and to the credits it was paid with, in that same transaction. Running it again, or
twice at once, changes nothing.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg import Connection, Cursor
from psycopg.errors import CheckViolation

from domain import money
from domain.accounts import accounts
from domain.accounts.accounts import Account, NewAccount
from domain.checkout import queries
from domain.checkout.checkout import Checkout
from domain.checkout.sale import BuyerAccount, Fulfilment, Returned, Shop
from domain.coupons import coupons
from domain.credits import ledger
from domain.credits.ledger import Entry
from domain.ids import new_id
from domain.orders.orders import NewLine, NewOrder, ask_number, insert_lines, insert_order
from domain.payments.gateway import Payment
from domain.payments.refunds import owe_refund
from domain.returns.record import record_return
from domain.transactions import retried_on_deadlock
from domain.webhooks.outbox import record_facts

NOT_WHAT_WAS_ASKED = "Paiement d'un montant ou d'une devise inattendus"
CREDITS_SPENT = "Crédits de l'achat dépensés pendant le paiement"
PAID_TWICE = "Panier déjà payé par un autre paiement"


class UnknownCheckout(Exception):
    """A payment names a checkout that is not here: another deployment's, or one that was purged."""


def settle(
    connection: Connection[Any], checkout_id: UUID, payment: Payment, shop: Shop, now: datetime
) -> UUID | None:
    """Book a checkout that `payment` has paid; answers the order, or None when the money goes back whole.

    The payment must have succeeded. It is refunded whole when its amount or currency is not what was asked, when
    another payment has settled the checkout, or when the checkout had been withdrawn and the credits it counted on
    were spent since. Raises UnknownCheckout.
    """
    try:
        return _settle(connection, checkout_id, payment, shop, now)
    except CheckViolation as error:
        if not ledger.is_overdrawn(error):
            raise
    return _settle(connection, checkout_id, payment, shop, now, credits_are_spent=True)


@retried_on_deadlock
def _settle(
    connection: Connection[Any],
    checkout_id: UUID,
    payment: Payment,
    shop: Shop,
    now: datetime,
    *,
    credits_are_spent: bool = False,
) -> UUID | None:
    with connection.pipeline(), connection.transaction():
        queries.lock_cart_of(connection, checkout_id)
        checkout = queries.lock_checkout(connection, checkout_id).fetchone()
        if checkout is None:
            raise UnknownCheckout(checkout_id)
        if checkout.payment_intent_id not in (None, payment.intent_id) or _is_bought_without_card(checkout):
            _return_money(connection, payment, PAID_TWICE, now)
            return None
        if checkout.status in ("settled", "refunded"):
            return checkout.order_id
        if (payment.received_cents, payment.currency) != (checkout.amount_cents, money.CURRENCY):
            _return_money(connection, payment, NOT_WHAT_WAS_ASKED, now)
            queries.refund_checkout(connection, checkout_id, now)
            return None
        if credits_are_spent:
            _return_money(connection, payment, CREDITS_SPENT, now)
            queries.refund_checkout(connection, checkout_id, now)
            return None
        return _book(connection, checkout, payment, shop, now)


def _is_bought_without_card(checkout: Checkout) -> bool:
    """Whether it is an order already, and one that asked nothing of a card."""
    return checkout.status == "settled" and checkout.payment_intent_id is None


@retried_on_deadlock
def settle_without_card(
    connection: Connection[Any], checkout_id: UUID, shop: Shop, now: datetime
) -> UUID | None:
    """Book a checkout that leaves nothing for a card (spec 5.5).

    Answers the order, or None when the checkout was withdrawn meanwhile.
    """
    with connection.pipeline(), connection.transaction():
        queries.lock_cart_of(connection, checkout_id)
        checkout = queries.lock_checkout(connection, checkout_id).fetchone()
        if checkout is None or checkout.amount_cents:
            raise ValueError(f"checkout {checkout_id} has a card to charge")
        if checkout.status != "open":
            return checkout.order_id
        return _book(connection, checkout, None, shop, now)


def _return_money(connection: Connection[Any], payment: Payment, reason: str, now: datetime) -> None:
    owe_refund(connection, payment.intent_id, payment.received_cents, reason, now)


def _book(
    connection: Connection[Any],
    checkout: Checkout,
    payment: Payment | None,
    shop: Shop,
    now: datetime,
) -> UUID:
    """Steps 4 to 12 of spec 5.6, everything on the wire in as few round trips as the answers allow."""
    sale = shop.sales[checkout.product]
    paid_at = (payment and payment.paid_at) or now
    buyer_answers = _ask_buyer(connection, checkout, now)
    number_answer = ask_number(connection)
    asked = sale.ask(connection, checkout)
    buyer = _read_buyer(checkout, buyer_answers)
    ((number,),) = number_answer.fetchall()
    fulfilment: Fulfilment = sale.claim(connection, asked, buyer.account, paid_at, now)
    order = _order(checkout, number, buyer.account, fulfilment, payment.intent_id if payment else None)
    _write_order(connection, checkout, buyer, order, fulfilment, now)
    sale.write(connection, order, fulfilment, now)
    _spend(connection, checkout, order, fulfilment, now)
    returned = _give_back(connection, order, fulfilment.lost, sale.lost_because, now)
    record_facts(connection, sale.facts(order, buyer, fulfilment, returned, now), shop.environment, now)
    return order.id


def _ask_buyer(
    connection: Connection[Any], checkout: Checkout, now: datetime
) -> tuple[Cursor[Any] | None, Cursor[Account]]:
    """Open the guest's account, unless it is somebody's by now, and send for the buyer's."""
    newcomer = NewAccount(**checkout.buyer) if checkout.buyer else None
    opened = accounts.open_account(connection, newcomer, now) if newcomer else None
    return opened, accounts.find_account(connection, checkout.user_id, newcomer.email if newcomer else None)


def _read_buyer(checkout: Checkout, answers: tuple[Cursor[Any] | None, Cursor[Account]]) -> BuyerAccount:
    opened, found = answers
    is_new = bool(opened and opened.fetchone())
    account = found.fetchone()
    if account is None:
        raise LookupError(f"checkout {checkout.id} has no buyer")
    return BuyerAccount(account, is_new)


def _write_order(
    connection: Connection[Any],
    checkout: Checkout,
    buyer: BuyerAccount,
    order: NewOrder,
    fulfilment: Fulfilment,
    now: datetime,
) -> None:
    """The order with its lines, and the checkout closed with it."""
    insert_order(connection, order, now)
    insert_lines(connection, order.id, fulfilment.lines)
    owner_id = buyer.account.id if buyer.is_new else checkout.user_id
    queries.close_checkout(
        connection, checkout.id, order.payment_intent_id, order.id, owner_id, buyer.is_new, now
    )


def _spend(
    connection: Connection[Any], checkout: Checkout, order: NewOrder, fulfilment: Fulfilment, now: datetime
) -> None:
    """The coupon's use, which is given back when nothing was delivered, and the credits."""
    delivered = len(fulfilment.lost) < len(fulfilment.lines)
    if delivered and checkout.coupon_id and checkout.coupon_code:
        coupons.redeem(
            connection,
            checkout.coupon_id,
            checkout.coupon_code,
            order.id,
            order.user_id,
            checkout.discount_cad,
            now,
        )
    if order.credits_applied_cad:
        payment = Entry(order.user_id, -order.credits_applied_cad, "order_payment", order_id=order.id)
        ledger.enter(connection, payment, now)


def _give_back(
    connection: Connection[Any], order: NewOrder, lost: Sequence[NewLine], reason: str, now: datetime
) -> Returned | None:
    """What could not be delivered goes back as it was paid: the card's share to the card, the rest to the ledger."""
    traces = []
    for line in lost:
        if order.payment_intent_id and line.card_share_cad:
            cents = money.in_cents(line.card_share_cad)
            refund_id = owe_refund(connection, order.payment_intent_id, cents, reason, now, order.id, line.id)
            record_return(connection, line.id, "card", line.card_share_cad, now, refund_id=refund_id)
            traces.append(refund_id)
    for line in lost:
        if line.credit_share_cad:
            entry = Entry(
                order.user_id,
                line.credit_share_cad,
                "order_refund",
                order_id=order.id,
                order_item_id=line.id,
                reason=reason,
            )
            entry_id = ledger.enter(connection, entry, now)
            record_return(connection, line.id, "credit", line.credit_share_cad, now, credit_entry_id=entry_id)
            traces.append(entry_id)
    if not lost:
        return None
    return Returned(traces[0] if traces else order.id, order.refunded_cad, reason)


def _order(
    checkout: Checkout, number: int, account: Account, fulfilment: Fulfilment, intent_id: str | None
) -> NewOrder:
    return NewOrder(
        id=new_id(),
        number=number,
        product=checkout.product,
        user_id=account.id,
        status=_status(fulfilment),
        source="stripe" if intent_id else "credit" if checkout.credits_applied_cad else "free",
        subtotal_cad=checkout.subtotal_cad,
        discount_cad=checkout.discount_cad,
        total_cad=checkout.total_cad,
        credits_applied_cad=checkout.credits_applied_cad,
        refunded_cad=sum((line.net_cad for line in fulfilment.lost), money.ZERO),
        payment_intent_id=intent_id,
        coupon_id=checkout.coupon_id,
        coupon_code=checkout.coupon_code,
        billing=checkout.billing,
    )


def _status(fulfilment: Fulfilment) -> str:
    if not fulfilment.lost:
        return "paid"
    return "partially_refunded" if len(fulfilment.lost) < len(fulfilment.lines) else "refunded"
