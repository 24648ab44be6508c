"""Who may do what students do."""

from uuid import UUID

from domain.accounts.callers import Person, as_buyer
from domain.errors import Refused


def student_id(person: Person) -> UUID:
    """A student, suspended or not: they may still see and cancel what is booked. Refuses others with FORBIDDEN."""
    if person.role != "student":
        raise Refused("FORBIDDEN")
    return person.user_id


def booking_student_id(person: Person) -> UUID:
    """A student who may take new time. Refuses with FORBIDDEN, or BOOKING_NOT_ALLOWED the suspended."""
    user_id = student_id(person)
    as_buyer(person)
    return user_id
