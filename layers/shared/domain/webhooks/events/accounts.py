"""A person's account: opened, or its password asked for anew."""

from datetime import datetime
from typing import Annotated, ClassVar, Literal
from uuid import UUID

from pydantic import Field, computed_field

from domain.french import plain_moment
from domain.webhooks.events.base import Email, Moment, Payload, Phone, Printed, Role


class Signup(Payload):
    """A student account was opened by a guest's checkout. Never carries a password, a token or a link."""

    type: ClassVar[str] = "signup"

    user_id: UUID
    role: Role
    email: Email
    first_name: str
    last_name: str
    created_at: Moment
    phone: Phone | None
    source: Literal["guest_checkout"]
    order_id: UUID | None

    @computed_field
    def created_fr(self) -> Printed:
        return plain_moment(self.created_at)

    @property
    def dedupe_key(self) -> str:
        return f"{self.type}:{self.user_id}"

    @property
    def ordering_key(self) -> str:
        return f"order:{self.order_id}" if self.order_id else f"user:{self.user_id}"


class PasswordResetRequested(Payload):
    """Somebody asked for a new password: Make.com writes to the account's e-mail, and to nobody else."""

    type: ClassVar[str] = "password.reset_requested"

    request_id: UUID
    user_id: UUID
    email: Email
    first_name: str
    last_name: str
    reset_token: Annotated[str, Field(repr=False)]
    expires_at: Moment
    requested_at: Moment

    @computed_field
    def expires_fr(self) -> Printed:
        return plain_moment(self.expires_at)

    @computed_field
    def requested_fr(self) -> Printed:
        return plain_moment(self.requested_at)

    @property
    def told_until(self) -> datetime | None:
        return self.expires_at

    @property
    def dedupe_key(self) -> str:
        return f"{self.type}:{self.request_id}"

    @property
    def ordering_key(self) -> str:
        return f"password_reset:{self.request_id}"
