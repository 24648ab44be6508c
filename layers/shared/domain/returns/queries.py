"""The SQL of returns."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from psycopg import Connection, Cursor
from psycopg.rows import class_row, tuple_row

from domain.ids import new_id
from domain.returns.lines import Line, ReturnWay


@dataclass(frozen=True, slots=True)
class Fact:
    """A refund or a dispute of an order that counts, and how much of it the lines do not know yet.

    `heard` says whether it was shared over the lines before.
    """

    way: ReturnWay
    refund_id: UUID | None
    dispute_id: str | None
    order_item_id: UUID | None
    missing_cad: Decimal
    heard: bool


@dataclass(frozen=True, slots=True)
class Credit:
    """The store credit a line has given that still stands, and the last entry about it with the order it counts for."""

    line_id: UUID
    order_id: UUID | None
    amount_cad: Decimal
    entry_id: UUID


@dataclass(frozen=True, slots=True)
class OverReturn:
    """Money that went back beyond what an order was paid; `fact` is the refund, dispute or credit entry."""

    id: UUID
    order_number: int
    way: ReturnWay
    amount_cad: Decimal
    fact: str
    created_at: datetime


def lock_lines(connection: Connection[Any], order_id: UUID) -> None:
    connection.execute(
        "SELECT FROM order_items WHERE order_id = %(order_id)s ORDER BY id FOR NO KEY UPDATE",
        {"order_id": order_id},
    )


def select_lines(connection: Connection[Any], order_id: UUID) -> Cursor[Line]:
    return connection.cursor(row_factory=class_row(Line)).execute(
        """
        SELECT item.id, line_total_cad - discount_share_cad - returned_cad AS left_cad, credit_promised,
               appointments.id IS NULL OR appointments.status IN ('cancelled', 'refunded') AS gone
          FROM order_items AS item LEFT JOIN appointments ON appointments.order_item_id = item.id
         WHERE order_id = %(order_id)s
        """,
        {"order_id": order_id},
    )


def undo_dead(connection: Connection[Any], order_id: UUID, now: datetime) -> None:
    """Returns of refunds that failed or were superseded, and of disputes that were won, are undone."""
    connection.execute(
        """
        UPDATE line_returns SET undone_at = %(now)s
         WHERE undone_at IS NULL AND order_item_id IN (SELECT id FROM order_items WHERE order_id = %(order_id)s)
           AND (EXISTS (SELECT FROM refunds WHERE id = refund_id AND status IN ('failed', 'superseded'))
                OR EXISTS (SELECT FROM payment_disputes
                            WHERE stripe_dispute_id = dispute_id AND NOT takes_money(status)))
        """,
        {"order_id": order_id, "now": now},
    )


def select_facts(connection: Connection[Any], order_id: UUID) -> Cursor[Fact]:
    """Every refund and dispute of an order that counts, oldest first. Resolved over-returns are known."""
    return connection.cursor(row_factory=class_row(Fact)).execute(
        """
        WITH fact AS (
            SELECT CASE WHEN made_elsewhere THEN 'dashboard' ELSE 'card' END AS way, id AS refund_id,
                   NULL::text AS dispute_id, order_item_id, (amount_cents / 100.0)::numeric(10, 2) AS amount_cad,
                   created_at
              FROM refunds WHERE order_id = %(order_id)s AND status IN ('pending', 'processed')
             UNION ALL
            SELECT 'dispute', NULL, stripe_dispute_id, NULL, (amount_cents / 100.0)::numeric(10, 2), opened_at
              FROM payment_disputes JOIN orders ON stripe_payment_intent_id = payment_intent_id
             WHERE orders.id = %(order_id)s AND takes_money(payment_disputes.status))
        SELECT way, fact.refund_id, fact.dispute_id, order_item_id,
               fact.amount_cad - coalesce(known.amount_cad, 0) - coalesce(resolved.amount_cad, 0) AS missing_cad,
               known.heard OR EXISTS (
                   SELECT FROM over_returns
                    WHERE over_returns.refund_id = fact.refund_id OR over_returns.dispute_id = fact.dispute_id)
               AS heard
          FROM fact
         CROSS JOIN LATERAL (
               SELECT sum(amount_cad) FILTER (WHERE undone_at IS NULL) AS amount_cad, count(*) > 0 AS heard
                 FROM line_returns
                WHERE line_returns.refund_id = fact.refund_id OR line_returns.dispute_id = fact.dispute_id) AS known
         CROSS JOIN LATERAL (
               SELECT sum(amount_cad) AS amount_cad FROM over_returns
                WHERE (over_returns.refund_id = fact.refund_id OR over_returns.dispute_id = fact.dispute_id)
                  AND resolved_at IS NOT NULL) AS resolved
         ORDER BY created_at
        """,
        {"order_id": order_id},
    )


def extend_return(connection: Connection[Any], line_id: UUID, fact: Fact, now: datetime) -> Decimal:
    """Undo what a line gave back for a fact, so that it can be written anew with more; answers how much it was."""
    row = (
        connection.cursor(row_factory=tuple_row)
        .execute(
            """
            UPDATE line_returns SET undone_at = %(now)s
             WHERE undone_at IS NULL AND order_item_id = %(line_id)s
               AND (refund_id = %(refund_id)s OR dispute_id = %(dispute_id)s)
            RETURNING amount_cad
            """,
            {"line_id": line_id, "refund_id": fact.refund_id, "dispute_id": fact.dispute_id, "now": now},
        )
        .fetchone()
    )
    return row[0] if row else Decimal(0)


def set_beyond(
    connection: Connection[Any], order_id: UUID, fact: Fact, beyond_cad: Decimal, now: datetime
) -> None:
    """What no line could take of a fact is listed until a person resolves it; nothing is when it is zero.

    The order's lines must be locked.
    """
    about = {"refund_id": fact.refund_id, "dispute_id": fact.dispute_id, "amount_cad": beyond_cad}
    if not beyond_cad:
        connection.execute(
            """
            DELETE FROM over_returns
             WHERE (refund_id = %(refund_id)s OR dispute_id = %(dispute_id)s) AND resolved_at IS NULL
            """,
            about,
        )
        return
    connection.execute(
        """
        WITH listed AS (
            UPDATE over_returns SET amount_cad = %(amount_cad)s
             WHERE (refund_id = %(refund_id)s OR dispute_id = %(dispute_id)s) AND resolved_at IS NULL
            RETURNING id)
        INSERT INTO over_returns (id, order_id, way, amount_cad, refund_id, dispute_id, created_at)
        SELECT %(id)s, %(order_id)s, %(way)s, %(amount_cad)s, %(refund_id)s, %(dispute_id)s, %(now)s
         WHERE NOT EXISTS (SELECT FROM listed)
        """,
        about | {"id": new_id(), "order_id": order_id, "way": fact.way, "now": now},
    )


def drop_dead_beyond(connection: Connection[Any], order_id: UUID) -> None:
    """What a failed refund or a won dispute was beyond is no more."""
    connection.execute(
        """
        DELETE FROM over_returns
         WHERE order_id = %(order_id)s AND resolved_at IS NULL
           AND (EXISTS (SELECT FROM refunds WHERE id = refund_id AND status IN ('failed', 'superseded'))
                OR EXISTS (SELECT FROM payment_disputes
                            WHERE stripe_dispute_id = dispute_id AND NOT takes_money(status)))
        """,
        {"order_id": order_id},
    )


def select_credits(connection: Connection[Any], order_id: UUID) -> Cursor[Credit]:
    """The credit that the lines of an order have given and that still stands, that of the latest session first."""
    return connection.cursor(row_factory=class_row(Credit)).execute(
        """
        SELECT item.id AS line_id, entry.order_id, line_returns.amount_cad, entry.id AS entry_id
          FROM line_returns JOIN order_items AS item ON item.id = line_returns.order_item_id
          JOIN credit_transactions AS entry ON entry.id = credit_entry_id
         WHERE item.order_id = %(order_id)s AND way = 'credit' AND undone_at IS NULL
         ORDER BY item.position DESC
        """,
        {"order_id": order_id},
    )


def find_credit(connection: Connection[Any], line_id: UUID) -> Cursor[Credit]:
    """The credit that one line has given and that still stands."""
    return connection.cursor(row_factory=class_row(Credit)).execute(
        """
        SELECT line_returns.order_item_id AS line_id, entry.order_id, line_returns.amount_cad, entry.id AS entry_id
          FROM line_returns JOIN credit_transactions AS entry ON entry.id = credit_entry_id
         WHERE line_returns.order_item_id = %(line_id)s AND way = 'credit' AND undone_at IS NULL
        """,
        {"line_id": line_id},
    )


def undo_credit(connection: Connection[Any], line_id: UUID, now: datetime) -> None:
    """The credit of a line is written anew, or gone."""
    connection.execute(
        """
        UPDATE line_returns SET undone_at = %(now)s
         WHERE order_item_id = %(line_id)s AND way = 'credit' AND undone_at IS NULL
        """,
        {"line_id": line_id, "now": now},
    )


def find_last_entry(connection: Connection[Any], line_id: UUID) -> Cursor[Any]:
    """The last ledger entry about a line's credit: the one that no other takes back."""
    return connection.cursor(row_factory=tuple_row).execute(
        """
        SELECT entry.id FROM credit_transactions AS entry
         WHERE entry.order_item_id = %(line_id)s AND entry.type IN ('cancellation', 'order_refund', 'reversal')
           AND NOT EXISTS (SELECT FROM credit_transactions AS taken WHERE taken.reverses = entry.id)
        """,
        {"line_id": line_id},
    )


def find_promised(connection: Connection[Any], order_id: UUID) -> Cursor[Any]:
    """The lines of an order whose credit could be raised: the line, whether its session was lost, the amount.

    A cancellation promised whatever is left of its line; a session that could not be booked, its share of the credits
    that paid for it (0035).
    """
    return connection.cursor(row_factory=tuple_row).execute(
        """
        SELECT item.id, appointments.id IS NULL, owed.cad
          FROM order_items AS item LEFT JOIN appointments ON appointments.order_item_id = item.id
         CROSS JOIN LATERAL credit_owed(item, appointments.id IS NULL) AS owed (cad)
         WHERE order_id = %(order_id)s AND owed.cad > 0
        """,
        {"order_id": order_id},
    )


def find_free_credit(connection: Connection[Any], user_id: UUID) -> Cursor[Any]:
    """What a person has of store credit that nothing has reserved, locked until the transaction ends."""
    return connection.cursor(row_factory=tuple_row).execute(
        "SELECT balance_cad - reserved_cad FROM credit_accounts WHERE user_id = %(user_id)s FOR UPDATE",
        {"user_id": user_id},
    )


def lock_order_of(connection: Connection[Any], appointment_id: UUID) -> None:
    connection.execute(
        """
        SELECT FROM orders
         WHERE id = (SELECT order_id FROM appointments JOIN order_items ON order_items.id = order_item_id
                      WHERE appointments.id = %(appointment_id)s)
           FOR NO KEY UPDATE
        """,
        {"appointment_id": appointment_id},
    )


def lock_order(connection: Connection[Any], order_id: UUID) -> Cursor[Any]:
    """An order locked until the transaction ends: whose it is."""
    return connection.cursor(row_factory=tuple_row).execute(
        "SELECT user_id FROM orders WHERE id = %(order_id)s FOR NO KEY UPDATE", {"order_id": order_id}
    )


def has_beyond(connection: Connection[Any], order_id: UUID) -> bool:
    """Whether an order gave back more than its lines could take, and nobody has resolved it."""
    found = connection.execute(
        "SELECT FROM over_returns WHERE order_id = %(order_id)s AND resolved_at IS NULL",
        {"order_id": order_id},
    )
    return bool(found.rowcount)


def select_unsettled_orders(connection: Connection[Any], since: datetime, at_most: int) -> Cursor[Any]:
    """Orders whose lines have room for an over-return, do not know of a refund since then, or not that one failed."""
    return connection.cursor(row_factory=tuple_row).execute(
        """
        SELECT order_id FROM over_returns
         WHERE resolved_at IS NULL AND credit_entry_id IS NULL
           AND EXISTS (SELECT FROM order_items AS item
                        WHERE item.order_id = over_returns.order_id
                          AND returned_cad < line_total_cad - discount_share_cad)
         UNION
        SELECT order_id FROM refunds
         WHERE order_id IS NOT NULL AND status IN ('pending', 'processed') AND created_at > %(since)s
           AND NOT EXISTS (SELECT FROM line_returns WHERE refund_id = refunds.id)
           AND NOT EXISTS (SELECT FROM over_returns WHERE refund_id = refunds.id)
         UNION
        SELECT order_id FROM refunds
         WHERE status IN ('failed', 'superseded') AND NOT undone AND order_id IS NOT NULL
         LIMIT %(at_most)s
        """,
        {"since": since, "at_most": at_most},
    )


def count_beyond(connection: Connection[Any]) -> Cursor[Any]:
    return connection.cursor(row_factory=tuple_row).execute(
        "SELECT count(*) FROM over_returns WHERE resolved_at IS NULL"
    )


def select_unresolved(connection: Connection[Any]) -> Cursor[OverReturn]:
    return connection.cursor(row_factory=class_row(OverReturn)).execute(
        """
        SELECT over_returns.id, order_number, way, amount_cad,
               coalesce(stripe_refund_id, refund_id::text, dispute_id, credit_entry_id::text) AS fact,
               over_returns.created_at
          FROM over_returns JOIN orders ON orders.id = over_returns.order_id
          LEFT JOIN refunds ON refunds.id = refund_id
         WHERE resolved_at IS NULL ORDER BY over_returns.created_at, over_returns.id
        """
    )


def resolve_beyond(
    connection: Connection[Any], over_return_id: UUID, resolution: str, now: datetime
) -> Cursor[Any]:
    return connection.execute(
        """
        UPDATE over_returns SET resolved_at = %(now)s, resolution = %(resolution)s
         WHERE id = %(id)s AND resolved_at IS NULL
        """,
        {"id": over_return_id, "resolution": resolution, "now": now},
    )
