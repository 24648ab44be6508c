"""Signing in, with the cart that was filled before, and signing out."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg import Connection, Rollback

from domain.access.models import Credentials, SignedIn
from domain.access.profile import view_profile
from domain.accounts.callers import Buyer, Person
from domain.accounts.contacts import read_email
from domain.accounts.identities import Identity, find_identity, lock_identity, set_password
from domain.accounts.passwords import hash_password, is_outdated, is_password
from domain.accounts.sign_ins import OpenSession, end_session, find_owner_of_session, open_session
from domain.checkout.former_guests import end_sign_ins, forget_guests
from domain.checkout.sale import Shop
from domain.clock import on_toronto_clock
from domain.errors import Refused
from domain.ids import fingerprint
from domain.products.take_over_carts import take_over_carts
from domain.transactions import retried_on_deadlock

TRIES = 2


@dataclass(frozen=True, slots=True)
class Entry:
    """The answer, and whether the guest who came in is now the account's: their cookie has served."""

    answer: SignedIn
    guest_is_gone: bool


def sign_in(
    connection: Connection[Any],
    shop: Shop,
    form: Credentials,
    guest: Buyer | None,
    now: datetime,
) -> Entry:
    """Open a session for who knows the password, and give a student's account the guest's carts (§5.3).

    An unknown e-mail and a wrong password are one answer and take one time. Refuses with EMAIL_INVALID,
    INVALID_CREDENTIALS.
    """
    email, password = read_email(form.email), form.password.get_secret_value()
    for _ in range(TRIES):  # another sign-in may renew the hash between our look at it and our session
        identity = find_identity(connection, email=email).fetchone()
        known = is_password(password, identity.password_hash if identity else None)
        if identity is None or not known or not _person(identity).may_enter:
            break
        renewed_hash = hash_password(password) if is_outdated(identity.password_hash or "") else None
        session = _enter(connection, shop, identity, renewed_hash, guest, now)
        if session:
            answer = SignedIn(
                user=view_profile(connection, identity.id),
                session_token=session.token,
                expires_at=on_toronto_clock(session.expires_at),
            )
            return Entry(answer, guest_is_gone=_person(identity).may_book)
    raise Refused("INVALID_CREDENTIALS")


@retried_on_deadlock
def sign_out(connection: Connection[Any], session_token: str | None, now: datetime) -> None:
    """End a session; harmless when it has ended or never was.

    What its owner bought as a guest, the guest's cookie reads no more, and nothing of it signs anybody in: either may
    be left in a browser that others use.
    """
    if session_token is None:
        return
    token_hash = fingerprint(session_token)
    with connection.transaction():
        owner = find_owner_of_session(connection, token_hash).fetchone()
        if owner:
            forget_guests(connection, owner[0])
            end_sign_ins(connection, owner[0], now)
            end_session(connection, token_hash, now)


@retried_on_deadlock
def _enter(
    connection: Connection[Any],
    shop: Shop,
    identity: Identity,
    renewed_hash: str | None,
    guest: Buyer | None,
    now: datetime,
) -> OpenSession | None:
    """In one transaction: the cart and the session; None, and nothing done, when the password is another now."""
    with connection.transaction():
        if guest and _person(identity).may_book:
            take_over_carts(connection, shop, guest, identity.id, now)
        if not lock_identity(connection, identity.id, identity.password_hash).fetchone():
            raise Rollback
        if renewed_hash:
            set_password(connection, identity.id, renewed_hash, now)
        return open_session(connection, identity.id, now)
    return None


def _person(identity: Identity) -> Person:
    return Person(identity.id, identity.role, identity.suspended)
