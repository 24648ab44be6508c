"""A guest has become signed in, in whatever way: what they chose is the account's (spec 5.3)."""

from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg import Connection

from domain.accounts.callers import Buyer
from domain.cart.merge_carts import meet, merge
from domain.checkout.withdraw import hand_over, withdraw


def take_over_cart(
    connection: Connection[Any], guest: Buyer, user_id: UUID, now: datetime, max_holds: int
) -> None:
    """Merge the guest's cart, if there is one, into the student's, in the caller's transaction.

    What either cart was being paid with is withdrawn: the sessions are about to be the account's. Both carts are locked
    here, so nothing that is locked after carts may be locked yet; who merges a second guest's cart in one transaction
    locks it late, and must be ready to do everything again after a deadlock.
    """
    meeting = meet(connection, guest, Buyer.student(user_id), now)
    if meeting is None:
        return
    withdraw(connection, meeting.guest.id)
    if meeting.brings_something:
        withdraw(connection, meeting.own.id)
    hand_over(connection, meeting.guest.id, meeting.own.id)
    merge(connection, meeting, now, max_holds)
