"""What is sold, for tests that call a use case and not a route."""

from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg import Connection

from domain.accounts.callers import Buyer
from domain.checkout import start_checkout as checkout
from domain.checkout.models import CheckoutStarted
from domain.idempotency import Keyed
from domain.payments.gateway import Payments
from domain.products.registry import shop_of
from domain.tutoring.models import StartCheckout
from domain.tutoring.read_request import read_request

SHOP = shop_of("dev")


def start_checkout(
    connection: Connection[Any],
    payments: Payments,
    buyer: Buyer,
    form: StartCheckout,
    publishable_key: str,
    now: datetime,
    keyed: Keyed | None = None,
    begun_id: UUID | None = None,
) -> CheckoutStarted:
    """As the route does for the sessions of a buyer's cart."""
    request = read_request(buyer, form)
    return checkout.start_checkout(
        connection, payments, SHOP, "tutoring", buyer, request, publishable_key, now, keyed, begun_id
    )
