"""Writing and reading orders."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal
from uuid import UUID

from psycopg import Connection, Cursor
from psycopg.rows import class_row
from psycopg.types.json import Jsonb

type OrderSource = Literal["stripe", "credit", "free", "manual"]
"""What paid: a card, whatever else did too; store credit alone; nothing; whatever an administrator agreed on."""

type EarningsStatus = Literal["scheduled", "earned", "paid", "cancelled"]


@dataclass(frozen=True, slots=True)
class NewOrder:
    id: UUID
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
    billing: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class NewLine:
    """One session of an order; `earnings_status` is cancelled when it could not be booked."""

    id: UUID
    course_id: UUID
    tutor_id: UUID
    start: datetime
    end: datetime
    duration_min: int
    price_cad: Decimal
    discount_share_cad: Decimal
    tutor_earnings_cad: Decimal
    hours: Decimal
    rate_at_time: Decimal
    earnings_status: EarningsStatus


@dataclass(frozen=True, slots=True)
class OrderSummary:
    id: UUID
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


@dataclass(frozen=True, slots=True)
class LineSummary:
    """`appointment_id` is None when the session could not be booked."""

    appointment_id: UUID | None
    course_title_fr: str
    tutor_display_name: str
    start: datetime
    end: datetime
    duration_min: int
    price_cad: Decimal
    discount_share_cad: Decimal


def insert_order(connection: Connection[Any], order: NewOrder, now: datetime) -> None:
    connection.execute(
        """
        INSERT INTO orders (id, user_id, status, source, subtotal_cad, discount_cad, total_cad, credits_applied_cad,
                            refunded_cad, stripe_payment_intent_id, coupon_id, coupon_code, billing, created_at,
                            updated_at)
        VALUES (%(id)s, %(user_id)s, %(status)s, %(source)s, %(subtotal_cad)s, %(discount_cad)s, %(total_cad)s,
                %(credits_applied_cad)s, %(refunded_cad)s, %(payment_intent_id)s, %(coupon_id)s, %(coupon_code)s,
                %(billing)s, %(now)s, %(now)s)
        """,
        {
            "id": order.id,
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
            "billing": Jsonb(order.billing),
            "now": now,
        },
    )


def insert_lines(connection: Connection[Any], order_id: UUID, lines: Sequence[NewLine]) -> None:
    """Every line of an order, in one statement."""
    connection.execute(
        """
        INSERT INTO order_items (id, order_id, course_id, tutor_id, start_datetime, end_datetime, duration_min,
                                 unit_price_cad, line_total_cad, discount_share_cad, tutor_earnings_cad,
                                 hours_worked, rate_at_time, earnings_status)
        SELECT id, %(order_id)s, course_id, tutor_id, start_at, end_at, duration_min, price, price, share, earnings,
               hours, rate, status::earnings_status
          FROM unnest(%(id)s::uuid[], %(course_id)s::uuid[], %(tutor_id)s::uuid[], %(start)s::timestamptz[],
                      %(end)s::timestamptz[], %(duration_min)s::smallint[], %(price)s::numeric[],
                      %(share)s::numeric[], %(earnings)s::numeric[], %(hours)s::numeric[], %(rate)s::numeric[],
                      %(status)s::text[])
               AS line (id, course_id, tutor_id, start_at, end_at, duration_min, price, share, earnings, hours,
                        rate, status)
        """,
        {
            "order_id": order_id,
            "id": [line.id for line in lines],
            "course_id": [line.course_id for line in lines],
            "tutor_id": [line.tutor_id for line in lines],
            "start": [line.start for line in lines],
            "end": [line.end for line in lines],
            "duration_min": [line.duration_min for line in lines],
            "price": [line.price_cad for line in lines],
            "share": [line.discount_share_cad for line in lines],
            "earnings": [line.tutor_earnings_cad for line in lines],
            "hours": [line.hours for line in lines],
            "rate": [line.rate_at_time for line in lines],
            "status": [line.earnings_status for line in lines],
        },
    )


def find_order(connection: Connection[Any], order_id: UUID) -> OrderSummary:
    """One order. It must exist: orders are never deleted."""
    order = (
        connection.cursor(row_factory=class_row(OrderSummary))
        .execute(
            """
        SELECT id, order_number, status::text, subtotal_cad, discount_cad, total_cad, credits_applied_cad,
               refunded_cad, coupon_code, created_at, user_id
          FROM orders WHERE id = %(id)s
        """,
            {"id": order_id},
        )
        .fetchone()
    )
    if order is None:
        raise LookupError(f"order {order_id}")
    return order


def select_lines(connection: Connection[Any], order_id: UUID) -> Cursor[LineSummary]:
    """The lines of an order by start."""
    return connection.cursor(row_factory=class_row(LineSummary)).execute(
        """
        SELECT appointments.id AS appointment_id, courses.title_fr AS course_title_fr,
               tutors.display_name AS tutor_display_name, item.start_datetime AS start, item.end_datetime AS "end",
               item.duration_min, item.line_total_cad AS price_cad, item.discount_share_cad
          FROM order_items AS item
          JOIN courses ON courses.id = item.course_id
          JOIN tutors ON tutors.id = item.tutor_id
          LEFT JOIN appointments ON appointments.order_item_id = item.id
         WHERE item.order_id = %(order_id)s
         ORDER BY item.start_datetime, item.id
        """,
        {"order_id": order_id},
    )
