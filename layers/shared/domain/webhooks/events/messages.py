"""What a student and a tutor write to each other."""

from typing import Annotated, Any, ClassVar, Literal
from uuid import UUID

from pydantic import WithJsonSchema, computed_field, model_validator

from domain.french import plain_moment
from domain.webhooks.events.base import WHO, Count, Email, Moment, Payload, Printed

CONTENT_LIMIT = 5_000
"""Characters; an event stays below 20 KB by cutting texts, never identifiers (a.5)."""

type Content = Annotated[str, WithJsonSchema({"type": "string", "maxLength": CONTENT_LIMIT})]
type Party = Literal["student", "tutor"]


class MessageSent(Payload):
    """A student or a tutor wrote to the other. A text above CONTENT_LIMIT is cut here and flagged."""

    type: ClassVar[str] = "message.sent"

    message_id: UUID
    sender_id: UUID
    receiver_id: UUID
    sender_name: str
    receiver_name: str
    content: Content
    appointment_id: UUID | None
    appointment_title: str | None
    timestamp: Moment
    sender_role: Party
    receiver_role: Party
    receiver_email: Email
    content_truncated: bool = False
    attachment_count: Count

    @model_validator(mode="before")
    @classmethod
    def _cut(cls, given: dict[str, Any]) -> dict[str, Any]:
        content = given["content"]
        return given | {
            "content": content[:CONTENT_LIMIT],
            "content_truncated": given.get("content_truncated", False) or len(content) > CONTENT_LIMIT,
        }

    @computed_field
    def timestamp_fr(self) -> Printed:
        return plain_moment(self.timestamp)

    @computed_field
    def sender_role_fr(self) -> Printed:
        return WHO[self.sender_role]

    @computed_field
    def receiver_role_fr(self) -> Printed:
        return WHO[self.receiver_role]

    @property
    def about_user(self) -> UUID | None:
        return self.sender_id if self.sender_role == "student" else self.receiver_id

    @property
    def dedupe_key(self) -> str:
        return f"{self.type}:{self.message_id}"

    @property
    def ordering_key(self) -> str:
        return f"message:{self.message_id}"
