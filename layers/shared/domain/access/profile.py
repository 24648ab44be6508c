"""One's own profile and password."""

from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg import Connection

from domain.access import queries
from domain.access.entries import end_entries
from domain.access.models import PasswordChange, PersonView, ProfileChange
from domain.accounts import profiles
from domain.accounts.callers import Person
from domain.accounts.contacts import read_phone
from domain.accounts.forms import read_password
from domain.accounts.identities import find_identity, lock_identity, set_password
from domain.accounts.passwords import hash_password, is_password
from domain.accounts.sign_ins import OpenSession, open_session
from domain.auditing import note_action
from domain.clock import on_toronto_clock
from domain.errors import Refused


def view_profile(connection: Connection[Any], user_id: UUID) -> PersonView:
    """The person as they may see themselves: no secret, no pay."""
    row = queries.find_profile(connection, user_id).fetchone()
    if row is None:
        raise LookupError("a session without a person")  # the database forbids it
    return PersonView(**row | {"created_at": on_toronto_clock(row["created_at"])})


def change_profile(
    connection: Connection[Any], person: Person, form: ProfileChange, now: datetime
) -> PersonView:
    """Change names and phone, never the e-mail; what became another is audited, old and new (OP-S03).

    Refuses with VALIDATION_FAILED.
    """
    wanted = form.model_dump(exclude_unset=True)
    if "phone" in wanted:
        wanted["phone"] = read_phone(form.phone, field="phone")
    with connection.transaction():
        (stored,) = profiles.lock_profile(connection, person.user_id).fetchall()
        changed = {name: value for name, value in wanted.items() if value != stored[name]}
        if changed:
            profiles.change_profile(connection, person.user_id, stored | changed, now)
            note_action(
                connection,
                person.user_id,
                "profile.change",
                "user",
                str(person.user_id),
                {name: stored[name] for name in changed},
                changed,
                now,
            )
    return view_profile(connection, person.user_id)


def change_password(
    connection: Connection[Any], person: Person, form: PasswordChange, now: datetime
) -> OpenSession:
    """Set another password and open a new session; every way in there was ends, a reset under way too (X-33).

    The caller's own token ends with the others: somebody else may have it.

    Refuses with PASSWORD_TOO_SHORT, PASSWORD_MISMATCH, CURRENT_PASSWORD_INVALID.
    """
    new_hash = hash_password(read_password(form))
    identity = find_identity(connection, user_id=person.user_id).fetchone()
    stored_hash = identity.password_hash if identity else None
    if not is_password(form.current_password.get_secret_value(), stored_hash):
        raise Refused("CURRENT_PASSWORD_INVALID")
    with connection.transaction():
        queries.drop_reset_token(connection, person.user_id)
        if not lock_identity(connection, person.user_id, stored_hash).fetchone():
            raise Refused("CURRENT_PASSWORD_INVALID")  # changed a moment ago, in another tab
        set_password(connection, person.user_id, new_hash, now)
        end_entries(connection, person.user_id, now)
        return open_session(connection, person.user_id, now)
