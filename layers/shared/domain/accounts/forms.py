"""What a person types to say who they are: an e-mail, a password twice."""

from typing import Annotated

from pydantic import AfterValidator, Field

from domain.accounts import passwords
from domain.errors import Refused
from domain.inputs import RequestBody, Secret
from domain.text import without_invisible

type TypedEmail = Annotated[str, AfterValidator(without_invisible), Field(max_length=1000)]
"""As it was typed, without what cannot be seen; `read_email` judges it."""


class NewPassword(RequestBody):
    """A password typed twice. It is only ever kept as a hash."""

    password: Annotated[Secret, Field(max_length=passwords.MAX_LENGTH)]
    password_confirmation: Annotated[Secret, Field(max_length=passwords.MAX_LENGTH)]


def read_password(form: NewPassword) -> str:
    """The chosen password. Refuses with PASSWORD_TOO_SHORT, PASSWORD_MISMATCH."""
    password = form.password.get_secret_value()
    if len(password) < passwords.MIN_LENGTH:
        raise Refused("PASSWORD_TOO_SHORT")
    if password != form.password_confirmation.get_secret_value():
        raise Refused("PASSWORD_MISMATCH")
    return password
