"""Who may buy trainings: guests, and students who are not suspended."""

from adapters.http import Visit
from domain.accounts.callers import Buyer
from domain.errors import Refused


def training_buyer(visit: Visit) -> Buyer:
    """The caller as a buyer. Refuses with UNAUTHENTICATED, ACCOUNT_SUSPENDED, PURCHASE_NOT_ALLOWED."""
    person = visit.person
    if person and not person.may_book:
        raise Refused("ACCOUNT_SUSPENDED" if person.role == "student" else "PURCHASE_NOT_ALLOWED")
    return visit.buyer
