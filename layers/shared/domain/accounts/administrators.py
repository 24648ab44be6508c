"""Who may administer."""

from uuid import UUID

from domain.accounts.callers import Person
from domain.errors import Refused


def administrator_id(person: Person) -> UUID:
    """The person's id. Refuses everybody but administrators with FORBIDDEN."""
    if person.role != "admin":
        raise Refused("FORBIDDEN")
    return person.user_id
