"""Reading the form with which somebody pays for sessions."""

from domain.accounts.accounts import NewAccount
from domain.accounts.callers import Buyer
from domain.accounts.contacts import read_email, read_phone
from domain.accounts.forms import read_password
from domain.accounts.passwords import hash_password
from domain.checkout.request import CheckoutRequest
from domain.errors import Refused
from domain.tutoring.models import StartCheckout


def read_request(buyer: Buyer, form: StartCheckout) -> CheckoutRequest:
    """What the form asks for; a guest's password is already a hash. Who is signed in opens no account.

    Refuses with EMAIL_INVALID, PASSWORD_TOO_SHORT, PASSWORD_MISMATCH, VALIDATION_FAILED.
    """
    billing = form.billing.model_dump()
    if buyer.user_id:
        return CheckoutRequest(None, billing=billing, credits_cad=form.credits_cad)
    if form.credits_cad is not None:
        raise _faulty("credits_cad", "NOT_ALLOWED", "Connectez-vous pour utiliser vos crédits.")
    if form.account is None:
        raise _faulty("account", "MISSING", "Ce champ est obligatoire.")
    account = NewAccount(
        email=read_email(form.account.email),
        first_name=form.account.first_name,
        last_name=form.account.last_name,
        phone=read_phone(form.account.phone),
        password_hash=hash_password(password := read_password(form.account)),
    )
    return CheckoutRequest(account, password, billing)


def _faulty(field: str, code: str, detail: str) -> Refused:
    return Refused("VALIDATION_FAILED", errors=[{"field": field, "code": code, "detail": detail}])
