"""What Make.com is told of Le Dojo's sales."""

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from psycopg import Connection

from domain.checkout.checkout import Checkout
from domain.checkout.sale import BuyerAccount, NewRefund, Returned
from domain.orders.orders import NewOrder
from domain.payments.gateway import Failure
from domain.webhooks.outbox import Fact

if TYPE_CHECKING:
    from domain.training.sold import Sold


def settlement_facts(
    order: NewOrder, buyer: BuyerAccount, sold: "Sold", returned: Returned | None, now: datetime
) -> Sequence[Fact]:
    return []


def refund_facts(
    connection: Connection[Any], order_id: UUID, refunds: Sequence[NewRefund], now: datetime
) -> Sequence[Fact]:
    return []


def failure_facts(
    connection: Connection[Any], checkout: Checkout, failure: Failure, attempt: str, now: datetime
) -> Sequence[Fact]:
    return []
