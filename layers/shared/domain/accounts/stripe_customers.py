"""Which customer of the payment service a person is."""

from typing import Any
from uuid import UUID

from psycopg import Connection, Cursor
from psycopg.rows import tuple_row


def find_customer(connection: Connection[Any], user_id: UUID) -> Cursor[Any]:
    """A person's customer, if any, then the e-mail, first and last name that one is made of."""
    return connection.cursor(row_factory=tuple_row).execute(
        "SELECT stripe_customer_id, email::text, first_name, last_name FROM users WHERE id = %(id)s",
        {"id": user_id},
    )


def keep_customer(
    connection: Connection[Any], user_id: UUID, customer_id: str, gone: str | None
) -> Cursor[Any]:
    """Store a customer where there is none or the one that is gone; a row with who is stored then."""
    return connection.cursor(row_factory=tuple_row).execute(
        """
        UPDATE users
           SET stripe_customer_id = coalesce(nullif(stripe_customer_id, %(gone)s::text), %(customer_id)s)
         WHERE id = %(id)s RETURNING stripe_customer_id
        """,
        {"id": user_id, "customer_id": customer_id, "gone": gone},
    )
