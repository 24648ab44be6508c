"""An administrator's changes to what is sold."""

from typing import Annotated, ClassVar, Literal
from uuid import UUID

from pydantic import Field, computed_field

from domain.french import plain_dollars, plain_moment
from domain.webhooks.events.base import Dollars, Moment, Payload, Printed, fields_in_french

FIELDS = {
    "slug": "l’adresse sur le site",
    "title_fr": "le titre",
    "description_fr": "la description",
    "student_rate_cad": "le tarif",
    "active": "l’offre (activé ou désactivé)",
}
"""What of a course may change, as a sentence says it."""


class _Course(Payload):
    """`version`, the course's, tells two changes apart."""

    course_id: UUID
    action: Literal["created", "updated", "deleted"]
    slug: str
    title_fr: str
    student_rate_cad: Dollars
    active: bool
    changed_fields: list[str]
    changed_by: UUID
    changed_by_name: str
    changed_at: Moment
    version: Annotated[int, Field(exclude=True)]

    @computed_field
    def student_rate_fr(self) -> Printed:
        return plain_dollars(self.student_rate_cad)

    @computed_field
    def changed_fields_fr(self) -> Printed | None:
        return fields_in_french(self.changed_fields, FIELDS)

    @computed_field
    def changed_fr(self) -> Printed:
        return plain_moment(self.changed_at)

    @property
    def dedupe_key(self) -> str:
        return f"{self.type}:{self.course_id}:{self.version}"

    @property
    def ordering_key(self) -> str:
        return f"course:{self.course_id}"


class CourseCreated(_Course):
    """A course is offered."""

    type: ClassVar[str] = "course.created"

    action: Literal["created"] = "created"


class CourseUpdated(_Course):
    """A course was edited."""

    type: ClassVar[str] = "course.updated"

    action: Literal["updated"] = "updated"


class CourseDeleted(_Course):
    """A course is no longer offered: deleted or deactivated."""

    type: ClassVar[str] = "course.deleted"

    action: Literal["deleted"] = "deleted"
