"""Getting back into an account whose password is lost (OP-G16)."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from psycopg import Connection, Rollback

from domain.access import queries
from domain.access.entries import end_entries
from domain.access.models import PasswordReset, PasswordResetRequest
from domain.accounts.accounts import Account, find_account
from domain.accounts.contacts import read_email
from domain.accounts.forms import read_password
from domain.accounts.identities import set_password
from domain.accounts.passwords import hash_password
from domain.errors import Refused
from domain.ids import fingerprint, new_id, new_secret
from domain.webhooks.events import PasswordResetRequested
from domain.webhooks.outbox import Environment, record_facts

TOKEN_TTL = timedelta(minutes=60)
NOBODY = Account(
    id=UUID(int=0),
    email="personne@exemple.ca",
    first_name="Personne",
    last_name="Personne",
    phone=None,
    role="student",
    created_at=datetime(2026, 1, 1, tzinfo=UTC),
)


def request_reset(
    connection: Connection[Any], form: PasswordResetRequest, environment: Environment, now: datetime
) -> None:
    """Have Make.com write to the person, if the e-mail is an active account's.

    Nobody can tell: for an e-mail without account the same is done, with a token that is nobody's and a fact that is
    taken back before it is told.
    """
    token, expires_at = new_secret(), now + TOKEN_TTL
    with connection.pipeline(), connection.transaction():
        queries.drop_expired_reset_tokens(connection, now)
        answer = queries.put_reset_token(connection, fingerprint(token), _email_or_none(form), expires_at)
        (user_id,) = answer.fetchone() or (None,)
        person = find_account(connection, user_id, None).fetchone()
        with connection.transaction():
            fact = _fact(person or NOBODY, token, expires_at, now)
            record_facts(connection, [fact], environment, now)
            if person is None:
                raise Rollback


def _fact(person: Account, token: str, expires_at: datetime, now: datetime) -> PasswordResetRequested:
    return PasswordResetRequested(
        request_id=new_id(),
        user_id=person.id,
        email=person.email,
        first_name=person.first_name,
        last_name=person.last_name,
        reset_token=token,
        expires_at=expires_at,
        requested_at=now,
    )


def confirm_reset(connection: Connection[Any], form: PasswordReset, now: datetime) -> None:
    """Set a password with a token, once; every session of the person ends, and every other way in.

    Refuses with PASSWORD_TOO_SHORT, PASSWORD_MISMATCH, RESET_TOKEN_INVALID.
    """
    token_hash = fingerprint(form.token.get_secret_value())
    password = read_password(form)
    # Before anything is hashed: that costs what a stranger may not have without limit.
    if queries.find_reset_token(connection, token_hash, now).fetchone() is None:
        raise Refused("RESET_TOKEN_INVALID")
    new_hash = hash_password(password)
    with connection.transaction():
        taken = queries.take_reset_token(connection, token_hash, now).fetchone()
        if taken is None:
            raise Refused("RESET_TOKEN_INVALID")
        set_password(connection, taken[0], new_hash, now)
        end_entries(connection, taken[0], now)


def _email_or_none(form: PasswordResetRequest) -> str | None:
    """What cannot be an e-mail is answered like one that nobody has."""
    try:
        return read_email(form.email)
    except Refused:
        return None
