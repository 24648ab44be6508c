"""The status call: how a payment stands, and being signed in by the first settled answer (OP-G13)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg import Connection

from domain.accounts.callers import Buyer
from domain.checkout.follow import Followed, follow
from domain.checkout.sale import Shop
from domain.payments.gateway import Payments
from domain.product import Product
from domain.products.sign_in_buyer import Entry, sign_in_buyer


@dataclass(frozen=True, slots=True)
class Answered:
    """How the checkout stands, and the buyer's way in, if this call signed them in."""

    followed: Followed
    entry: Entry | None

    @property
    def session_token(self) -> str | None:
        return self.entry.session.token if self.entry else None


def follow_checkout(
    connection: Connection[Any],
    payments: Payments,
    shop: Shop,
    product: Product,
    checkout_id: UUID,
    buyers: Sequence[Buyer],
    client_secret: str | None,
    now: datetime,
    *,
    signs_in: bool = True,
) -> Answered:
    """How a checkout of a product stands; settles it when it is paid and the webhook has not come yet.

    The first settled answer signs the buyer in whose account the checkout opened, and what they chose since as a guest,
    under the caller's cookie or the checkout's, is in the account's carts from then on. Not unless it `signs_in`.

    Refuses as `follow` does.
    """
    followed = follow(connection, payments, shop, product, checkout_id, buyers, client_secret, now)
    if followed.order is None or not signs_in:
        return Answered(followed, None)
    buyer_id = followed.order.user_id
    return Answered(followed, sign_in_buyer(connection, followed.checkout, buyer_id, buyers, shop, now))
