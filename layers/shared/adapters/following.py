"""What a status call that signs its buyer in leaves in their browser."""

from adapters.http import CART_COOKIE, SESSION_COOKIE, Visit
from domain.accounts.sign_ins import SESSION_TTL
from domain.products.sign_in_buyer import Entry


def let_in(visit: Visit, entry: Entry | None) -> None:
    """The session's cookie, in place of the guest's, if this call opened one."""
    if entry is None:
        return
    visit.set_cookie(SESSION_COOKIE, entry.session.token, int(SESSION_TTL.total_seconds()))
    if visit.guest and entry.guest_is_gone:
        visit.forget_cookie(CART_COOKIE)
