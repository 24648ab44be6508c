"""Signing in the buyer whose account a checkout opened, with what they chose as a guest since."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg import Connection, Rollback

from domain.accounts.callers import Buyer, Person, ask_person
from domain.accounts.sign_ins import OpenSession, open_session
from domain.checkout.checkout import Checkout
from domain.checkout.sale import Shop
from domain.checkout.sign_in_right import take_sign_in
from domain.products.take_over_carts import take_over_carts
from domain.transactions import retried_on_deadlock


@dataclass(frozen=True, slots=True)
class Entry:
    """The buyer's session, and whether the guest who came in is now the account's: their cookie has served."""

    session: OpenSession
    guest_is_gone: bool


def sign_in_buyer(
    connection: Connection[Any],
    checkout: Checkout,
    buyer_id: UUID,
    callers: Sequence[Buyer],
    shop: Shop,
    now: datetime,
) -> Entry | None:
    """Use the one right of a settled checkout to sign its buyer in; None when it has none any more.

    What the guest chose since, under the caller's cookie or the one that started the checkout, is in the account's cart
    from then on. The cart of who may not book any more stays the guest's.
    """
    buyer = ask_person(connection, buyer_id) if checkout.signs_in(now) else None
    if buyer is None:
        return None
    guests = _guests(checkout, callers) if buyer.may_book else []
    session = _enter(connection, checkout, buyer, guests, shop, now)
    return Entry(session, guest_is_gone=buyer.may_book) if session else None


def _guests(checkout: Checkout, callers: Sequence[Buyer]) -> list[Buyer]:
    hashes = {caller.session_hash for caller in callers} | {checkout.session_hash}
    return [Buyer(session_hash=session_hash) for session_hash in sorted(filter(None, hashes))]


@retried_on_deadlock
def _enter(
    connection: Connection[Any],
    checkout: Checkout,
    buyer: Person,
    guests: Iterable[Buyer],
    shop: Shop,
    now: datetime,
) -> OpenSession | None:
    """In one transaction: the carts and the session; None, and nothing done, when another call was first."""
    with connection.transaction():
        for guest in guests:
            take_over_carts(connection, shop, guest, buyer.user_id, now)
        if not take_sign_in(connection, checkout.id, now).fetchone():
            raise Rollback
        return open_session(connection, buyer.user_id, now)
    return None
