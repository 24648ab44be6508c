"""Writing and reading orders."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal
from uuid import UUID

from psycopg import Connection, Cursor
from psycopg.rows import class_row, tuple_row
from psycopg.types.json import Jsonb

from domain.orders.number import order_number
from domain.product import Product

type OrderSource = Literal["stripe", "credit", "free", "manual"]
"""What paid: a card, whatever else did too; store credit alone; nothing; whatever an administrator agreed on."""

type LineKind = Literal["session", "access"]
"""Whose other half a line has: a tutor's session, or access to a training."""


@dataclass(frozen=True, slots=True)
class NewOrder:
    id: UUID
    number: int
    product: Product
    user_id: UUID
    status: str
    source: OrderSource
    subtotal_cad: Decimal
    discount_cad: Decimal
    total_cad: Decimal
    credits_applied_cad: Decimal
    refunded_cad: Decimal
    payment_intent_id: str | None
    coupon_id: UUID | None
    coupon_code: str | None
    billing: Mapping[str, str] | None


@dataclass(frozen=True, slots=True)
class NewLine:
    """What was sold, whatever it is; what it is besides, its product writes under the same id."""

    id: UUID
    kind: LineKind
    title_fr: str
    price_cad: Decimal
    discount_share_cad: Decimal
    credit_share_cad: Decimal

    @property
    def net_cad(self) -> Decimal:
        return self.price_cad - self.discount_share_cad

    @property
    def card_share_cad(self) -> Decimal:
        """What a card pays of it; credits pay the rest."""
        return self.net_cad - self.credit_share_cad


@dataclass(frozen=True, slots=True)
class OrderSummary:
    id: UUID
    product: Product
    order_number: int
    status: str
    subtotal_cad: Decimal
    discount_cad: Decimal
    total_cad: Decimal
    credits_applied_cad: Decimal
    refunded_cad: Decimal
    coupon_code: str | None
    created_at: datetime
    user_id: UUID

    @property
    def number(self) -> str:
        """The order's number as people quote it."""
        return order_number(self.product, self.order_number)


def ask_number(connection: Connection[Any]) -> Cursor[Any]:
    """The number of the next order: nobody else's, though an order that is not made after all leaves a gap."""
    return connection.cursor(row_factory=tuple_row).execute(
        "SELECT nextval(pg_get_serial_sequence('orders', 'order_number'))"
    )


def insert_order(connection: Connection[Any], order: NewOrder, now: datetime) -> None:
    connection.execute(
        """
        INSERT INTO orders (id, order_number, product, user_id, status, source, subtotal_cad, discount_cad, total_cad,
                            credits_applied_cad, refunded_cad, stripe_payment_intent_id, coupon_id, coupon_code,
                            billing, created_at, updated_at)
        OVERRIDING SYSTEM VALUE
        VALUES (%(id)s, %(number)s, %(product)s, %(user_id)s, %(status)s, %(source)s, %(subtotal_cad)s,
                %(discount_cad)s, %(total_cad)s, %(credits_applied_cad)s, %(refunded_cad)s,
                %(payment_intent_id)s, %(coupon_id)s, %(coupon_code)s,
                %(billing)s, %(now)s, %(now)s)
        """,
        {
            "id": order.id,
            "number": order.number,
            "product": order.product,
            "user_id": order.user_id,
            "status": order.status,
            "source": order.source,
            "subtotal_cad": order.subtotal_cad,
            "discount_cad": order.discount_cad,
            "total_cad": order.total_cad,
            "credits_applied_cad": order.credits_applied_cad,
            "refunded_cad": order.refunded_cad,
            "payment_intent_id": order.payment_intent_id,
            "coupon_id": order.coupon_id,
            "coupon_code": order.coupon_code,
            "billing": None if order.billing is None else Jsonb(order.billing),
            "now": now,
        },
    )


def insert_lines(connection: Connection[Any], order_id: UUID, lines: Sequence[NewLine]) -> None:
    """Every line of an order, in its order, in one statement."""
    connection.execute(
        """
        INSERT INTO order_items (id, order_id, kind, position, title_fr, unit_price_cad, line_total_cad,
                                 discount_share_cad, credit_share_cad)
        SELECT id, %(order_id)s, kind::item_kind, place - 1, title, price, price, discount, credit
          FROM unnest(%(id)s::uuid[], %(kind)s::text[], %(title)s::text[], %(price)s::numeric[],
                      %(discount)s::numeric[], %(credit)s::numeric[])
               WITH ORDINALITY AS line (id, kind, title, price, discount, credit, place)
        """,
        {
            "order_id": order_id,
            "id": [line.id for line in lines],
            "kind": [line.kind for line in lines],
            "title": [line.title_fr for line in lines],
            "price": [line.price_cad for line in lines],
            "discount": [line.discount_share_cad for line in lines],
            "credit": [line.credit_share_cad for line in lines],
        },
    )


@dataclass(frozen=True, slots=True)
class PaidOrder:
    """An order that a card has paid."""

    id: UUID
    product: Product


def lock_order_of_payment(connection: Connection[Any], intent_id: str) -> Cursor[PaidOrder]:
    """The order that a payment has bought, if there is one, locked until the transaction ends."""
    return connection.cursor(row_factory=class_row(PaidOrder)).execute(
        "SELECT id, product::text FROM orders WHERE stripe_payment_intent_id = %(intent_id)s FOR NO KEY UPDATE",
        {"intent_id": intent_id},
    )


def find_order(connection: Connection[Any], order_id: UUID) -> OrderSummary:
    """One order. It must exist: orders are never deleted."""
    order = (
        connection.cursor(row_factory=class_row(OrderSummary))
        .execute(
            """
        SELECT id, product::text, order_number, status::text, subtotal_cad, discount_cad, total_cad,
               credits_applied_cad, refunded_cad, coupon_code, created_at, user_id
          FROM orders WHERE id = %(id)s
        """,
            {"id": order_id},
        )
        .fetchone()
    )
    if order is None:
        raise LookupError(f"order {order_id}")
    return order
