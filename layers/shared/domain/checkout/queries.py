"""The SQL of checkouts."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, LiteralString
from uuid import UUID

from psycopg import Connection, Cursor
from psycopg.rows import class_row, tuple_row
from psycopg.types.json import Jsonb

from domain.accounts.callers import Buyer
from domain.checkout.checkout import Checkout
from domain.product import Product

_CHECKOUT: LiteralString = """
    SELECT id, product::text, status::text, payment_intent_id, client_secret_hash, cart_id, cart_version, session_hash,
           user_id, buyer, billing, items, coupon_id, coupon_code, subtotal_cad, discount_cad, total_cad,
           credits_applied_cad, amount_cents, expires_at, settled_at, order_id, account_created, signed_in_at,
           followed_at, followed_status, intent_closed_at, failure_code, failure_decline_code, failure_kind
      FROM checkouts
"""
"""The columns of a Checkout, for whatever follows."""


def select_checkout(connection: Connection[Any], checkout_id: UUID) -> Cursor[Checkout]:
    return connection.cursor(row_factory=class_row(Checkout)).execute(
        _CHECKOUT + "WHERE id = %(id)s",
        {"id": checkout_id},
    )


def is_heir(connection: Connection[Any], checkout_id: UUID, user_ids: Iterable[UUID]) -> bool:
    """Whether one of these people has the order of a checkout or, before there is one, the cart it pays for."""
    found = connection.execute(
        """
        SELECT FROM checkouts
          LEFT JOIN orders ON orders.id = checkouts.order_id
          LEFT JOIN carts ON carts.id = checkouts.cart_id AND checkouts.order_id IS NULL
         WHERE checkouts.id = %(id)s
           AND (orders.user_id = ANY(%(user_ids)s) OR carts.user_id = ANY(%(user_ids)s))
        """,
        {"id": checkout_id, "user_ids": list(user_ids)},
    )
    return bool(found.rowcount)


def lock_cart_of(connection: Connection[Any], checkout_id: UUID) -> None:
    """Carts are locked before checkouts, always.

    Asked twice: while the first waited, the owner may have signed in, and the cart become part of the account's.
    """
    for _ in range(2):
        connection.execute(
            "SELECT id FROM carts WHERE id = (SELECT cart_id FROM checkouts WHERE id = %(id)s) FOR UPDATE",
            {"id": checkout_id},
        )


def lock_checkout(connection: Connection[Any], checkout_id: UUID) -> Cursor[Checkout]:
    """That checkout, locked until the transaction ends."""
    return connection.cursor(row_factory=class_row(Checkout)).execute(
        _CHECKOUT + "WHERE id = %(id)s FOR UPDATE",
        {"id": checkout_id},
    )


def lock_payable(connection: Connection[Any], product: Product, buyer: Buyer) -> Cursor[Checkout]:
    """The checkouts of the buyer's cart of a product that may still be paid, locked until the transaction ends.

    At most one is what the cart is being paid with. The others were withdrawn, and their intents are not closed yet.
    """
    return connection.cursor(row_factory=class_row(Checkout)).execute(
        _CHECKOUT
        + """
         WHERE cart_id = find_cart(%(product)s, %(user_id)s, %(session_hash)s)
           AND (status IN ('open', 'processing') OR (status = 'cancelled' AND intent_closed_at IS NULL))
         ORDER BY created_at, id FOR UPDATE
        """,
        {"product": product, "user_id": buyer.user_id, "session_hash": buyer.session_hash},
    )


def insert_checkout(connection: Connection[Any], row: dict[str, Any]) -> None:
    connection.execute(
        """
        INSERT INTO checkouts (id, product, cart_id, cart_version, session_hash, user_id, buyer, billing, items,
                               coupon_id, coupon_code, subtotal_cad, discount_cad, total_cad, credits_applied_cad,
                               amount_cents, created_at, expires_at)
        VALUES (%(id)s, %(product)s, %(cart_id)s, %(cart_version)s, %(session_hash)s, %(user_id)s, %(buyer)s,
                %(billing)s, %(items)s, %(coupon_id)s, %(coupon_code)s, %(subtotal_cad)s, %(discount_cad)s,
                %(total_cad)s, %(credits_applied_cad)s, %(amount_cents)s, %(now)s, %(expires_at)s)
        """,
        row | {"buyer": _json(row["buyer"]), "billing": _json(row["billing"]), "items": Jsonb(row["items"])},
    )


def _json(details: Any) -> Jsonb | None:
    """NULL when there is nothing to say, not JSON's null."""
    return None if details is None else Jsonb(details)


def revise_billing(connection: Connection[Any], checkout_id: UUID, billing: Any) -> None:
    """The person corrected the address of a checkout that is still open."""
    connection.execute(
        "UPDATE checkouts SET billing = %(billing)s WHERE id = %(id)s",
        {"id": checkout_id, "billing": _json(billing)},
    )


def withdraw_checkouts(connection: Connection[Any], cart_id: UUID) -> None:
    """What a locked cart is being paid with, if anything, is cancelled; what it had reserved is free again (0021)."""
    connection.execute(
        """
        UPDATE checkouts SET status = 'cancelled'
         WHERE cart_id = %(cart_id)s AND status IN ('open', 'processing')
        """,
        {"cart_id": cart_id},
    )


def cancel_checkout(connection: Connection[Any], checkout_id: UUID, intent_id: str | None) -> None:
    """The same for one checkout, unless it has got another intent meanwhile."""
    connection.execute(
        """
        UPDATE checkouts SET status = 'cancelled'
         WHERE id = %(id)s AND status IN ('open', 'processing')
           AND payment_intent_id IS NOT DISTINCT FROM %(intent_id)s
        """,
        {"id": checkout_id, "intent_id": intent_id},
    )


def close_intent(connection: Connection[Any], checkout_id: UUID, now: datetime) -> None:
    """Cancelled, and never to be paid: what it reserved is free (0021), who wanted to buy is forgotten."""
    connection.execute(
        """
        UPDATE checkouts SET status = 'cancelled', intent_closed_at = %(now)s, buyer = NULL
         WHERE id = %(id)s AND status IN ('open', 'processing', 'cancelled')
        """,
        {"id": checkout_id, "now": now},
    )


def attach_intent(
    connection: Connection[Any], checkout_id: UUID, intent_id: str, client_secret_hash: bytes
) -> Cursor[Any]:
    """A row when that intent is now the one of the checkout, and the checkout still open."""
    return connection.execute(
        """
        UPDATE checkouts SET payment_intent_id = %(intent_id)s, client_secret_hash = %(client_secret_hash)s
         WHERE id = %(id)s AND status IN ('open', 'processing')
           AND coalesce(payment_intent_id, %(intent_id)s) = %(intent_id)s
        RETURNING id
        """,
        {"id": checkout_id, "intent_id": intent_id, "client_secret_hash": client_secret_hash},
    )


def close_checkout(
    connection: Connection[Any],
    checkout_id: UUID,
    intent_id: str | None,
    order_id: UUID,
    owner_id: UUID | None,
    account_created: bool,
    now: datetime,
) -> None:
    """Settled. What it had reserved is given up, to be taken for good by the same transaction (0010).

    The guest's account details, the password's hash among them, are forgotten here.
    """
    connection.execute(
        """
        UPDATE checkouts SET status = 'settled', order_id = %(order_id)s, settled_at = %(now)s, buyer = NULL,
               account_created = %(account_created)s, user_id = %(owner_id)s,
               payment_intent_id = %(intent_id)s
         WHERE id = %(id)s
        """,
        {
            "id": checkout_id,
            "intent_id": intent_id,
            "order_id": order_id,
            "owner_id": owner_id,
            "account_created": account_created,
            "now": now,
        },
    )


def refund_checkout(connection: Connection[Any], checkout_id: UUID, now: datetime) -> None:
    """Paid wrongly: nothing is booked, the money goes back."""
    connection.execute(
        "UPDATE checkouts SET status = 'refunded', settled_at = %(now)s, buyer = NULL WHERE id = %(id)s",
        {"id": checkout_id, "now": now},
    )


def select_bought(
    connection: Connection[Any], product: Product, buyer: Buyer, since: datetime
) -> Cursor[Any]:
    """The id of the last order of a product of the buyer's, or out of their cart, when that was left alone since."""
    return connection.cursor(row_factory=tuple_row).execute(
        """
        WITH cart AS MATERIALIZED (
                SELECT id, updated_at FROM carts WHERE id = find_cart(%(product)s, %(user_id)s, %(session_hash)s)),
             bought AS (
                SELECT id, order_id, settled_at FROM checkouts
                 WHERE status = 'settled' AND settled_at > %(since)s AND user_id = %(user_id)s AND product = %(product)s
                 UNION
                SELECT id, order_id, settled_at FROM checkouts
                 WHERE status = 'settled' AND settled_at > %(since)s AND cart_id = (SELECT id FROM cart)
                   AND (%(user_id)s::uuid IS NOT NULL OR session_hash = %(session_hash)s))
        SELECT bought.id FROM cart, bought JOIN orders ON orders.id = bought.order_id
         WHERE cart.updated_at <= settled_at
         ORDER BY settled_at DESC, order_number DESC LIMIT 1
        """,
        {
            "product": product,
            "user_id": buyer.user_id,
            "session_hash": buyer.session_hash,
            "since": since,
        },
    )


def claim_question(
    connection: Connection[Any], checkout_id: UUID, now: datetime, pause: timedelta
) -> Cursor[Any]:
    """A row for the one caller who may ask the payment service now; none within `pause` of the last question.

    Clocks differ a little, so a question that lies ahead of `now` by less than `pause` counts too.
    """
    return connection.execute(
        """
        UPDATE checkouts SET followed_at = %(now)s
         WHERE id = %(id)s
           AND (followed_at IS NULL OR followed_at <= %(now)s - %(pause)s OR followed_at >= %(now)s + %(pause)s)
        RETURNING id
        """,
        {"id": checkout_id, "now": now, "pause": pause},
    )


def note_answer(connection: Connection[Any], checkout_id: UUID, status: str) -> None:
    """What the payment service said of a withdrawn checkout, for who asks again within its pause."""
    connection.execute(
        "UPDATE checkouts SET followed_status = %(status)s WHERE id = %(id)s",
        {"id": checkout_id, "status": status},
    )


def select_opened(
    connection: Connection[Any], product: Product, buyer: Buyer, email: str, since: datetime
) -> Cursor[Any]:
    """The id of the checkout of the buyer's cart that opened the account with that e-mail.

    Only while whoever follows it is signed in by it.
    """
    return connection.cursor(row_factory=tuple_row).execute(
        """
        SELECT checkouts.id FROM checkouts JOIN users ON users.id = checkouts.user_id
         WHERE cart_id = find_cart(%(product)s, %(user_id)s, %(session_hash)s) AND account_created
           AND signed_in_at IS NULL AND settled_at > %(since)s AND users.email = %(email)s::citext
        """,
        {
            "product": product,
            "user_id": buyer.user_id,
            "session_hash": buyer.session_hash,
            "email": email,
            "since": since,
        },
    )
