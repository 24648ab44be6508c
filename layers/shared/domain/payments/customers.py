"""Who pays, as the payment service knows them: one customer for each account that buys, made once (spec 5.4)."""

from typing import Any
from uuid import UUID

from psycopg import Connection

from domain.accounts.stripe_customers import find_customer, keep_customer
from domain.payments.gateway import Payments


def customer_of(
    connection: Connection[Any], payments: Payments, user_id: UUID, gone: str | None = None
) -> str:
    """The customer of a student, made when missing or when it is the one that is `gone` at the service.

    Not to be called inside a transaction. Two who make it at once get one from the service; should they get two, the
    first stored is everybody's.
    """
    ((known, email, first_name, last_name),) = find_customer(connection, user_id).fetchall()
    if known is not None and known != gone:
        return str(known)
    made = payments.create_customer(user_id, email, f"{first_name} {last_name}".strip(), gone)
    ((kept,),) = keep_customer(connection, user_id, made, gone).fetchall()
    return str(kept)
