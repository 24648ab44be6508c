"""An order's lines brought in line with what Stripe says of its payment: refunds, wherever made, and disputes.

Stripe's facts are never refused. They first take back credit that is unspent, then fill the lines; what no line can
take is listed beside them. Running it again changes nothing.
"""

from collections.abc import Callable, Collection
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from psycopg import Connection

from domain.money import ZERO
from domain.orders.given_back import count_given_back
from domain.payments.failed_refunds import note_undone, supersede_returned
from domain.returns import credit, queries
from domain.returns.lines import share_out
from domain.returns.queries import Fact
from domain.returns.record import record_return
from domain.transactions import retried_on_deadlock

TOLD_AT_ONCE = 100
RECENT = timedelta(days=1)


def bring_in_line(connection: Connection[Any], order_id: UUID, now: datetime) -> None:
    """Share out the refunds and disputes that an order's lines do not know of; undo those that came to nothing.

    The order's refunded amount and status follow. Within a transaction; locks the order, its lines by id, then the
    buyer's credit.
    """
    row = queries.lock_order(connection, order_id).fetchone()
    queries.lock_lines(connection, order_id)
    if row is None:
        raise LookupError(f"no order {order_id}")
    (user_id,) = row
    queries.undo_dead(connection, order_id, now)
    queries.drop_dead_beyond(connection, order_id)
    for fact in queries.select_facts(connection, order_id).fetchall():
        if fact.missing_cad and not fact.heard:
            credit.reverse_unspent(connection, order_id, user_id, fact.missing_cad, now)
        _fill(connection, order_id, fact, now)
    credit.raise_promised(connection, order_id, user_id, now)
    supersede_returned(connection, order_id)
    note_undone(connection, order_id)
    count_given_back(connection, order_id, now)


def share_over_lines(
    connection: Connection[Any],
    order_id: UUID,
    refund_id: UUID,
    amount_cad: Decimal,
    now: datetime,
    line_ids: Collection[UUID] | None,
) -> Decimal:
    """Share a refund of ours over these lines of an order, or all; answers what they had left, in CAD.

    Writes nothing beyond what they had: the caller refuses more.
    """
    queries.lock_lines(connection, order_id)
    lines = [
        line for line in queries.select_lines(connection, order_id) if line_ids is None or line.id in line_ids
    ]
    for line_id, share in share_out(amount_cad, lines).items():
        record_return(connection, line_id, "card", share, now, refund_id=refund_id)
    count_given_back(connection, order_id, now)
    return sum((line.left_cad for line in lines), ZERO)


def lock_order_of(connection: Connection[Any], appointment_id: UUID) -> None:
    """The order that an appointment was bought with, if any, is locked until the transaction ends."""
    queries.lock_order_of(connection, appointment_id)


def fill_what_is_free(connection: Connection[Any], order_id: UUID, now: datetime) -> None:
    """A line has more left than before: what an order gave back beyond its lines, if anything, goes there."""
    if queries.has_beyond(connection, order_id):
        bring_in_line(connection, order_id, now)


@retried_on_deadlock
def bring_one_in_line(connection: Connection[Any], order_id: UUID, now: datetime) -> None:
    """Bring one order's lines in line, in a transaction of its own."""
    with connection.transaction():
        bring_in_line(connection, order_id, now)


def bring_all_in_line(connection: Connection[Any], now: datetime, time_is_left: Callable[[], bool]) -> int:
    """Every order whose lines could take more of what Stripe said; answers how many there were."""
    orders = queries.select_unsettled_orders(connection, now - RECENT, TOLD_AT_ONCE).fetchall()
    done = 0
    for (order_id,) in orders:
        if not time_is_left():
            break
        bring_one_in_line(connection, order_id, now)
        done += 1
    return done


def count_beyond(connection: Connection[Any]) -> int:
    """How many over-returns no person has resolved."""
    ((count,),) = queries.count_beyond(connection).fetchall()
    return int(count)


def _fill(connection: Connection[Any], order_id: UUID, fact: Fact, now: datetime) -> None:
    lines = queries.select_lines(connection, order_id).fetchall()
    shares = share_out(fact.missing_cad, lines, fact.order_item_id)
    for line_id, share in shares.items():
        before = queries.extend_return(connection, line_id, fact, now)
        record_return(
            connection,
            line_id,
            fact.way,
            before + share,
            now,
            refund_id=fact.refund_id,
            dispute_id=fact.dispute_id,
        )
    queries.set_beyond(connection, order_id, fact, fact.missing_cad - sum(shares.values(), ZERO), now)
