"""Who pays, as the payment service knows them: one customer for each account that buys, made once (spec 5.4)."""

from typing import Any
from uuid import UUID

from psycopg import Connection
from psycopg.rows import tuple_row

from domain.payments.gateway import Payments


def customer_of(
    connection: Connection[Any], payments: Payments, user_id: UUID, gone: str | None = None
) -> str:
    """The customer of a student, made when missing or when it is the one that is `gone` at the service.

    Not to be called inside a transaction. Two who make it at once get one from the service; should they get two, the
    first stored is everybody's.
    """
    known, email, first_name, last_name = (
        connection.cursor(row_factory=tuple_row)
        .execute(
            "SELECT stripe_customer_id, email::text, first_name, last_name FROM users WHERE id = %(id)s",
            {"id": user_id},
        )
        .fetchall()[0]
    )
    if known is not None and known != gone:
        return str(known)
    made = payments.create_customer(user_id, email, f"{first_name} {last_name}", gone)
    return _keep(connection, user_id, made, gone)


def _keep(connection: Connection[Any], user_id: UUID, customer_id: str, gone: str | None) -> str:
    """Store it where there is none or the one that is gone; answers who is stored then."""
    ((kept,),) = (
        connection.cursor(row_factory=tuple_row)
        .execute(
            """
            UPDATE users
               SET stripe_customer_id = coalesce(nullif(stripe_customer_id, %(gone)s::text), %(customer_id)s)
             WHERE id = %(id)s RETURNING stripe_customer_id
            """,
            {"id": user_id, "customer_id": customer_id, "gone": gone},
        )
        .fetchall()
    )
    return str(kept)
