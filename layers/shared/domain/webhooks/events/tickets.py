"""A student's request for help. Internal notes never leave: none can be told."""

from typing import Annotated, ClassVar, Literal, Self
from uuid import UUID

from pydantic import Field, WithJsonSchema, computed_field, model_validator

from domain.french import plain_moment
from domain.webhooks.events.base import WHO, Email, Moment, Payload, Printed

type Status = Literal["open", "in_progress", "resolved", "closed"]
type Category = Literal["booking", "payment", "technical", "other"]
type Priority = Literal["low", "medium", "high", "urgent"]

STATUSES: dict[Status, str] = {
    "open": "ouvert",
    "in_progress": "en cours",
    "resolved": "résolu",
    "closed": "fermé",
}
CATEGORIES: dict[Category, str] = {
    "booking": "réservation",
    "payment": "paiement",
    "technical": "technique",
    "other": "autre",
}
PRIORITIES: dict[Priority, str] = {
    "low": "basse",
    "medium": "moyenne",
    "high": "haute",
    "urgent": "urgente",
}
type PublicText = Annotated[str, WithJsonSchema({"type": "string", "minLength": 1, "maxLength": 5_000})]


class _Ticket(Payload):
    ticket_id: UUID

    @property
    def ordering_key(self) -> str:
        return f"ticket:{self.ticket_id}"


class TicketCreated(_Ticket):
    """A student opened a ticket."""

    type: ClassVar[str] = "ticket.created"

    user_id: UUID
    user_email: Email
    user_first_name: str
    user_last_name: str
    subject: str
    category: Category
    priority: Priority
    status: Status
    created_at: Moment

    @computed_field
    def category_fr(self) -> Printed:
        return CATEGORIES[self.category]

    @computed_field
    def priority_fr(self) -> Printed:
        return PRIORITIES[self.priority]

    @computed_field
    def status_fr(self) -> Printed:
        return STATUSES[self.status]

    @computed_field
    def created_fr(self) -> Printed:
        return plain_moment(self.created_at)

    @property
    def dedupe_key(self) -> str:
        return f"{self.type}:{self.ticket_id}"


class TicketStatusChanged(_Ticket):
    """A ticket's status changed; told only when it differs (F-16). `version` is the ticket's."""

    type: ClassVar[str] = "ticket.status_changed"

    user_id: UUID
    user_email: Email
    user_first_name: str
    user_last_name: str
    old_status: Status
    new_status: Status
    changed_by: UUID
    reason: str | None
    timestamp: Moment
    subject: str
    version: Annotated[int, Field(exclude=True)]

    @computed_field
    def old_status_fr(self) -> Printed:
        return STATUSES[self.old_status]

    @computed_field
    def new_status_fr(self) -> Printed:
        return STATUSES[self.new_status]

    @computed_field
    def timestamp_fr(self) -> Printed:
        return plain_moment(self.timestamp)

    @model_validator(mode="after")
    def _differ(self) -> Self:
        if self.new_status == self.old_status:
            raise ValueError("the status did not change")
        return self

    @property
    def dedupe_key(self) -> str:
        return f"{self.type}:{self.ticket_id}:{self.version}"


class TicketMessageAdded(_Ticket):
    """A public message was added. `user_…` is its author, `owner_…` who is told when an administrator wrote (F-15)."""

    type: ClassVar[str] = "ticket.message_added"

    message_id: UUID
    user_id: UUID
    user_email: Email
    user_first_name: str
    user_last_name: str
    sender_role: Literal["student", "admin"]
    message: PublicText
    is_internal: Literal[False] = False
    timestamp: Moment
    owner_id: UUID
    owner_email: Email
    owner_first_name: str
    subject: str

    @computed_field
    def sender_role_fr(self) -> Printed:
        return WHO[self.sender_role]

    @computed_field
    def timestamp_fr(self) -> Printed:
        return plain_moment(self.timestamp)

    @property
    def about_user(self) -> UUID | None:
        return self.owner_id

    @property
    def dedupe_key(self) -> str:
        return f"{self.type}:{self.message_id}"
