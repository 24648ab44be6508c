"""Changes to who teaches, at what rate, and when."""

from typing import Annotated, Any, ClassVar, Literal
from uuid import UUID

from pydantic import Field, computed_field

from domain.french import plain_dollars
from domain.webhooks.events.base import Dollars, Email, Moment, Payload, Printed


class _AboutTutor(Payload):
    """`version`, the tutor's, tells two changes apart."""

    tutor_id: UUID

    @property
    def ordering_key(self) -> str:
        return f"tutor:{self.tutor_id}"


class _Tutor(_AboutTutor):
    display_name: str
    email: Email
    active: bool
    priority: int
    hourly_base_rate_cad: Dollars
    course_ids: list[UUID]
    changed_fields: list[str]
    old_rate_cad: Dollars | None
    new_rate_cad: Dollars | None
    changed_by: UUID
    changed_at: Moment
    version: Annotated[int, Field(exclude=True)]

    @computed_field
    def hourly_base_rate_fr(self) -> Printed:
        return plain_dollars(self.hourly_base_rate_cad)

    @computed_field
    def old_rate_fr(self) -> Printed | None:
        return None if self.old_rate_cad is None else plain_dollars(self.old_rate_cad)

    @computed_field
    def new_rate_fr(self) -> Printed | None:
        return None if self.new_rate_cad is None else plain_dollars(self.new_rate_cad)

    @property
    def dedupe_key(self) -> str:
        return f"{self.type}:{self.tutor_id}:{self.version}"


class TutorCreated(_Tutor):
    """An administrator made a tutor's account. Never carries a password."""

    type: ClassVar[str] = "tutor.created"

    changed_fields: list[str] = Field(default_factory=list)
    old_rate_cad: None = None
    new_rate_cad: None = None


class TutorUpdated(_Tutor):
    """An administrator edited a tutor, or (de)activated them."""

    type: ClassVar[str] = "tutor.updated"

    course_ids: list[UUID] = Field(default_factory=list)
    old_rate_cad: None = None
    new_rate_cad: None = None


class TutorRateUpdated(_Tutor):
    """A tutor's hourly rate changed; told right after `tutor.updated`."""

    type: ClassVar[str] = "tutor.rate.updated"

    course_ids: list[UUID] = Field(default_factory=list)
    changed_fields: list[str] = Field(default_factory=list)
    old_rate_cad: Dollars
    new_rate_cad: Dollars


class TutorAvailabilityUpdated(_AboutTutor):
    """A tutor's rules, exceptions or time off changed."""

    type: ClassVar[str] = "tutor.availability.updated"

    change_type: Literal["rule", "exception", "time_off"]
    operation: Literal["created", "updated", "deleted"]
    details: dict[str, Any]
    changed_by: UUID
    changed_at: Moment
    version: Annotated[int, Field(exclude=True)]

    @property
    def dedupe_key(self) -> str:
        return f"{self.type}:{self.tutor_id}:{self.version}"
