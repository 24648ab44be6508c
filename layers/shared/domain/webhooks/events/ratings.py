"""What a student thinks of a tutor. Tutors see it without a name: Make.com must not tell them whose it is."""

from decimal import Decimal
from typing import Annotated, ClassVar
from uuid import UUID

from pydantic import Field, PlainSerializer, WithJsonSchema, computed_field

from domain.french import plain_moment, plain_number
from domain.webhooks.events.base import Moment, Payload, Printed

type Answer = Annotated[int, WithJsonSchema({"type": "integer", "minimum": 1, "maximum": 5})]
type Score = Annotated[
    Decimal,
    PlainSerializer(float, return_type=float),
    WithJsonSchema({"type": "number", "minimum": 1, "maximum": 5}),
]
"""The mean of four answers, at most two decimals."""
type Comment = Annotated[str, WithJsonSchema({"type": "string", "maxLength": 2_000})]


class _Rating(Payload):
    rating_id: UUID
    student_id: UUID
    tutor_id: UUID
    course_id: UUID
    appointment_id: UUID | None
    course_title_fr: str
    tutor_name: str
    q1_courtoisie: Answer
    q2_maitrise: Answer
    q3_pedagogie: Answer
    q4_dynamisme: Answer
    general_score: Score
    comment: Comment | None
    hidden: bool
    created_at: Moment
    updated_at: Moment
    previous_general_score: Score | None

    @computed_field
    def general_score_fr(self) -> Printed:
        return plain_number(self.general_score)

    @computed_field
    def created_fr(self) -> Printed:
        return plain_moment(self.created_at)

    @computed_field
    def updated_fr(self) -> Printed:
        return plain_moment(self.updated_at)

    @property
    def about_user(self) -> UUID | None:
        return self.student_id

    @property
    def ordering_key(self) -> str:
        return f"rating:{self.rating_id}"


class RatingCreated(_Rating):
    """A student rated a tutor for a course for the first time."""

    type: ClassVar[str] = "rating.created"

    previous_general_score: None = None

    @computed_field
    def previous_general_score_fr(self) -> None:
        return None

    @property
    def dedupe_key(self) -> str:
        return f"{self.type}:{self.rating_id}"


class RatingUpdated(_Rating):
    """The same student changed that rating. `version`, the rating's, tells two changes apart."""

    type: ClassVar[str] = "rating.updated"

    previous_general_score: Score
    version: Annotated[int, Field(exclude=True)]

    @computed_field
    def previous_general_score_fr(self) -> Printed:
        return plain_number(self.previous_general_score)

    @property
    def dedupe_key(self) -> str:
        return f"{self.type}:{self.rating_id}:{self.version}"
