"""One order of a buyer's with its lines, whatever product it is of, and its receipt (OP-S10, courses 3.6)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from psycopg import Connection

from domain import money
from domain.accounts.accounts import find_account
from domain.errors import Refused
from domain.orders.lines import PrintedLine
from domain.orders.models import Cad, OrderSummaryView
from domain.orders.own_order import OwnOrder, OwnRefund
from domain.orders.own_orders import find_own_order, summary_of
from domain.products.order_lines import LINES, OrderLine


class OrderDetail(OrderSummaryView):
    """`credits_issued_cad`: the store credit that lines of this order have given back."""

    items: Sequence[OrderLine]
    credits_issued_cad: Cad


@dataclass(frozen=True, slots=True)
class Receipt:
    """Everything a receipt says, in CAD; no taxes are charged. `buyer_name` is empty when the account has none."""

    order: OwnOrder
    buyer_name: str
    buyer_email: str
    columns: tuple[str, str]
    lines: Sequence[PrintedLine]
    refunds: Sequence[OwnRefund]
    credits_issued_cad: Decimal
    tells_net: bool

    @property
    def net_cad(self) -> Decimal:
        """What the card paid less the refunds that the receipt names."""
        refunded = sum((refund.amount_cad for refund in self.refunds), money.ZERO)
        return max(money.ZERO, self.order.charged_cad - refunded)


def show_order(connection: Connection[Any], user_id: UUID, order_id: UUID, now: datetime) -> OrderDetail:
    """One order with its lines, refunds and credits. Refuses with ORDER_NOT_FOUND."""
    found = find_own_order(connection, user_id, order_id)
    return OrderDetail(
        **summary_of(found.order, found.refunds),
        items=LINES[found.order.product].show(connection, order_id, now),
        credits_issued_cad=str(found.credits_issued_cad),
    )


def find_receipt(connection: Connection[Any], user_id: UUID, order_id: UUID, now: datetime) -> Receipt:
    """What the receipt of one order says. Refuses with ORDER_NOT_FOUND."""
    found = find_own_order(connection, user_id, order_id)
    buyer = find_account(connection, user_id, None).fetchone()
    if buyer is None:
        raise Refused("ORDER_NOT_FOUND")
    reader = LINES[found.order.product]
    return Receipt(
        order=found.order,
        buyer_name=f"{buyer.first_name} {buyer.last_name}".strip(),
        buyer_email=buyer.email,
        columns=reader.columns,
        lines=reader.print(connection, order_id, now),
        refunds=[refund for refund in found.refunds if refund.status not in ("failed", "superseded")],
        credits_issued_cad=found.credits_issued_cad,
        tells_net=reader.tells_net,
    )
