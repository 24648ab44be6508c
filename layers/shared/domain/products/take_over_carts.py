"""A guest has become signed in, in whatever way: what they chose is the account's (spec 5.3)."""

from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg import Connection

from domain.accounts.callers import Buyer
from domain.checkout.sale import Shop, TwoCarts
from domain.checkout.withdraw import hand_over, withdraw


def take_over_carts(
    connection: Connection[Any], shop: Shop, guest: Buyer, user_id: UUID, now: datetime
) -> None:
    """Merge the guest's carts, if there are any, into the student's, in the caller's transaction.

    What either cart was being paid with is withdrawn: what it was for is about to be the account's. All carts are
    locked here, those of one product after those of the other, so nothing that is locked after carts may be locked
    yet; who merges a second guest's carts in one transaction locks them late, and must be ready to do everything again
    after a deadlock.
    """
    for sale in shop.sales.values():
        carts: TwoCarts | None = sale.meet(connection, guest, Buyer.student(user_id), now)
        if carts is None:
            continue
        withdraw(connection, carts.guest_id)
        if carts.brings_something:
            withdraw(connection, carts.own_id)
        hand_over(connection, carts.guest_id, carts.own_id)
        sale.merge(connection, carts, now)
