"""The store credit of a line: what a cancellation gives, and what takes it back (spec 3.6)."""

from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from psycopg import Connection
from psycopg.errors import CheckViolation

from domain.credits.ledger import Entry, enter, is_overdrawn
from domain.credits.statement import find_balance
from domain.errors import Refused
from domain.money import ZERO
from domain.orders.given_back import promise_credit
from domain.returns import queries
from domain.returns.queries import Credit
from domain.returns.record import record_return


def issue(
    connection: Connection[Any],
    user_id: UUID,
    line_id: UUID,
    left_cad: Decimal,
    by: UUID | None,
    now: datetime,
) -> Decimal:
    """Credit a student with what is left of the locked line of a cancelled session; answers how much that was.

    The rest is promised: should the money that went back another way return, it becomes credit too.
    """
    promise_credit(connection, line_id, promised=True)
    return _add(connection, user_id, line_id, left_cad, by, now)


def raise_promised(connection: Connection[Any], order_id: UUID, user_id: UUID, now: datetime) -> None:
    """Credit what is left again of the lines that owe it as credit. The lines must be locked."""
    for line_id, was_lost, owed_cad in queries.find_promised(connection, order_id).fetchall():
        _add(connection, user_id, line_id, owed_cad, None, now, order_id if was_lost else None)


def promise_no_more(connection: Connection[Any], line_id: UUID) -> None:
    """What a line has given as credit stays given, and nothing is added to it."""
    promise_credit(connection, line_id, promised=False)


def balance_of(connection: Connection[Any], user_id: UUID) -> Decimal:
    """What a student's store credit amounts to, in CAD, reserved or not."""
    return find_balance(connection, user_id).balance_cad


def take_back(
    connection: Connection[Any], user_id: UUID, line_id: UUID, by: UUID | None, now: datetime
) -> Decimal:
    """Take back the whole credit of a locked line, promise included; answers how much. Refuses with CREDIT_SPENT."""
    promise_credit(connection, line_id, promised=False)
    credit = queries.find_credit(connection, line_id).fetchone()
    if credit is None:
        return ZERO
    try:
        reverse(connection, user_id, credit, credit.amount_cad, by, now)
    except CheckViolation as error:
        if not is_overdrawn(error):
            raise
        raise Refused("CREDIT_SPENT") from error
    return credit.amount_cad


def reverse_unspent(
    connection: Connection[Any], order_id: UUID, user_id: UUID, at_most_cad: Decimal, now: datetime
) -> None:
    """Take back what is unspent of the credit that an order's locked lines have given, up to an amount in CAD."""
    credits = queries.select_credits(connection, order_id).fetchall()
    if not credits:
        return
    free = queries.find_free_credit(connection, user_id).fetchone()
    available = min(at_most_cad, free[0] if free else ZERO)
    for credit in credits:
        if taken := min(available, credit.amount_cad):
            reverse(connection, user_id, credit, taken, None, now)
            available -= taken


def reverse(
    connection: Connection[Any],
    user_id: UUID,
    credit: Credit,
    amount_cad: Decimal,
    by: UUID | None,
    now: datetime,
) -> None:
    """Take back an amount of a line's credit. Raises CheckViolation when it was spent."""
    entry = Entry(
        user_id,
        -amount_cad,
        "reversal",
        order_id=credit.order_id,
        order_item_id=credit.line_id,
        reverses=credit.entry_id,
        created_by=by,
    )
    entry_id = enter(connection, entry, now)
    queries.undo_credit(connection, credit.line_id, now)
    if rest := credit.amount_cad - amount_cad:
        record_return(connection, credit.line_id, "credit", rest, now, credit_entry_id=entry_id)


def _add(
    connection: Connection[Any],
    user_id: UUID,
    line_id: UUID,
    amount_cad: Decimal,
    by: UUID | None,
    now: datetime,
    lost_of: UUID | None = None,
) -> Decimal:
    """One more entry of a line's credit: the first is its `cancellation`, each later one reverses the last.

    `lost_of` is the order of a line whose session could not be booked: that one's first entry was settlement's.
    """
    if not amount_cad:
        return ZERO
    standing = queries.find_credit(connection, line_id).fetchone()
    last = queries.find_last_entry(connection, line_id).fetchone()
    entry = Entry(
        user_id,
        amount_cad,
        "reversal" if last else "cancellation",
        order_id=lost_of,
        order_item_id=line_id,
        reverses=last[0] if last else None,
        created_by=by,
    )
    entry_id = enter(connection, entry, now)
    queries.undo_credit(connection, line_id, now)
    total = amount_cad + (standing.amount_cad if standing else ZERO)
    record_return(connection, line_id, "credit", total, now, credit_entry_id=entry_id)
    return amount_cad
