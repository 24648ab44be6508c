"""What the account routes take and answer."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, Field, field_validator

from domain.accounts import passwords
from domain.accounts.forms import NewPassword, TypedEmail
from domain.inputs import Code, Name, PastedSecret, RequestBody, Secret

type Password = Annotated[Secret, Field(max_length=passwords.MAX_LENGTH)]


class Credentials(RequestBody):
    email: TypedEmail
    password: Password


class PasswordResetRequest(RequestBody):
    email: TypedEmail


class PasswordReset(NewPassword):
    token: PastedSecret


class PasswordChange(NewPassword):
    current_password: Password


class ProfileChange(RequestBody):
    """What a person may change of themselves; what is absent stays as it is."""

    first_name: Name | None = None
    last_name: Name | None = None
    phone: Code | None = Field(default=None, description="Vide ou null pour l'effacer")

    @field_validator("first_name", "last_name", mode="before")
    @classmethod
    def _must_not_be_erased(cls, value: Any) -> Any:
        if value is None:
            raise ValueError("must not be null")
        return value


class TutorProfile(BaseModel):
    """What everybody may read of a tutor; never a rate or a rank (X-14)."""

    display_name: str
    bio_fr: str


class PersonView(BaseModel):
    id: UUID
    email: str
    first_name: str
    last_name: str
    phone: str | None
    role: Literal["student", "tutor", "admin"]
    status: Literal["active", "suspended"]
    created_at: datetime
    tutor: TutorProfile | None


class NewSession(BaseModel):
    session_token: str
    expires_at: datetime


class SignedIn(NewSession):
    user: PersonView
