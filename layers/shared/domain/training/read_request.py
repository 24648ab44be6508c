"""Reading the form with which somebody pays for trainings."""

from domain.accounts.accounts import NewAccount
from domain.accounts.callers import Buyer
from domain.accounts.contacts import read_email
from domain.accounts.forms import read_password
from domain.accounts.passwords import hash_password
from domain.checkout.request import CheckoutRequest
from domain.errors import Refused
from domain.training.checkout_models import StartTrainingCheckout

NO_ACCOUNT = {"field": "account", "code": "MISSING", "detail": "Ce champ est obligatoire."}


def read_request(buyer: Buyer, form: StartTrainingCheckout) -> CheckoutRequest:
    """What the form asks for; a guest's password is already a hash. Who is signed in opens no account.

    Refuses with EMAIL_INVALID, PASSWORD_TOO_SHORT, PASSWORD_MISMATCH, VALIDATION_FAILED.
    """
    if buyer.user_id:
        return CheckoutRequest(None)
    if form.account is None:
        raise Refused("VALIDATION_FAILED", errors=[NO_ACCOUNT])
    account = NewAccount(
        email=read_email(form.account.email),
        first_name=form.account.first_name or "",
        last_name=form.account.last_name or "",
        phone=None,
        password_hash=hash_password(password := read_password(form.account)),
    )
    return CheckoutRequest(account, password)
