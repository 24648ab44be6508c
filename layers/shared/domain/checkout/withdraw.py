"""Taking back what is being paid, when the cart goes to somebody else."""

from typing import Any
from uuid import UUID

from psycopg import Connection

from domain.checkout import queries


def withdraw(connection: Connection[Any], cart_id: UUID) -> None:
    """Cancel what a locked cart is being paid with, if anything.

    The payment service is not told here: reconciliation cancels the intent, and if it was paid meanwhile settlement
    books its snapshot all the same.
    """
    queries.withdraw_checkouts(connection, cart_id)


def hand_over(connection: Connection[Any], cart_id: UUID, heir_id: UUID) -> None:
    """What was started from one cart belongs to another from now on: should it be paid, it leaves that one."""
    connection.execute(
        "UPDATE checkouts SET cart_id = %(heir_id)s WHERE cart_id = %(cart_id)s AND order_id IS NULL",
        {"cart_id": cart_id, "heir_id": heir_id},
    )
