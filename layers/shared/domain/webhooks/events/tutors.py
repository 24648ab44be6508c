"""Changes to who teaches, at what rate, and when."""

from datetime import date, time
from typing import Annotated, ClassVar, Literal
from uuid import UUID

from pydantic import Field, WithJsonSchema, computed_field

from domain.french import WEEKDAYS, plain_date, plain_dollars, plain_moment, plain_span, plain_times
from domain.webhooks.events.base import Dollars, Email, Moment, Part, Payload, Printed, fields_in_french

FIELDS = {
    "display_name": "le nom public",
    "bio_fr": "la présentation",
    "email": "le courriel",
    "phone": "le téléphone",
    "first_name": "le prénom",
    "last_name": "le nom de famille",
    "hourly_base_rate_cad": "le taux horaire",
    "priority": "l’ordre d’attribution",
    "active": "l’état (actif ou non)",
    "course_ids": "les cours",
}
"""What of a tutor may change, as a sentence says it."""
CHANGES: dict[str, str] = {"rule": "plage hebdomadaire", "exception": "exception", "time_off": "congé"}
OPERATIONS: dict[str, str] = {"created": "ajout", "updated": "modification", "deleted": "suppression"}
KINDS: dict[str, str] = {"open": "ouvert", "closed": "fermé"}

type WallClock = Annotated[
    str, WithJsonSchema({"type": "string", "pattern": r"^(([01]\d|2[0-3]):[0-5]\d|24:00)$"})
]
"""`09:00` on Toronto's clock; `24:00` ends a day."""
type Day = Annotated[str, WithJsonSchema({"type": "string", "pattern": r"^\d{4}-\d\d-\d\d$"})]
"""A day on Toronto's calendar."""


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
    changed_by_name: str
    changed_at: Moment
    version: Annotated[int, Field(exclude=True)]

    @computed_field
    def hourly_base_rate_fr(self) -> Printed:
        return plain_dollars(self.hourly_base_rate_cad)

    @computed_field
    def changed_fields_fr(self) -> Printed | None:
        return fields_in_french(self.changed_fields, FIELDS)

    @computed_field
    def changed_fr(self) -> Printed:
        return plain_moment(self.changed_at)

    @property
    def dedupe_key(self) -> str:
        return f"{self.type}:{self.tutor_id}:{self.version}"


class _SameRate(_Tutor):
    """The rate is not what changed, or `tutor.rate.updated` tells of it."""

    old_rate_cad: None = None
    new_rate_cad: None = None

    @computed_field
    def old_rate_fr(self) -> None:
        return None

    @computed_field
    def new_rate_fr(self) -> None:
        return None


class TutorCreated(_SameRate):
    """An administrator made a tutor's account. Never carries a password."""

    type: ClassVar[str] = "tutor.created"

    changed_fields: list[str] = Field(default_factory=list)


class TutorUpdated(_SameRate):
    """An administrator edited a tutor, or (de)activated them."""

    type: ClassVar[str] = "tutor.updated"

    course_ids: list[UUID] = Field(default_factory=list)


class TutorRateUpdated(_Tutor):
    """A tutor's hourly rate changed; told right after `tutor.updated`."""

    type: ClassVar[str] = "tutor.rate.updated"

    course_ids: list[UUID] = Field(default_factory=list)
    changed_fields: list[str] = Field(default_factory=list)
    old_rate_cad: Dollars
    new_rate_cad: Dollars

    @computed_field
    def old_rate_fr(self) -> Printed:
        return plain_dollars(self.old_rate_cad)

    @computed_field
    def new_rate_fr(self) -> Printed:
        return plain_dollars(self.new_rate_cad)


class WeeklyHours(Part):
    """`details` of a rule. `weekday` is 0 on Sunday and 6 on Saturday."""

    weekday: Annotated[int, WithJsonSchema({"type": "integer", "minimum": 0, "maximum": 6})]
    start_time: WallClock
    end_time: WallClock

    @property
    def in_french(self) -> str:
        return f"{WEEKDAYS[self.weekday - 1]}, {_times(self.start_time, self.end_time)}"


class OtherHours(Part):
    """`details` of an exception: from one day to another, both included. Without times it is the whole day."""

    kind: Literal["open", "closed"]
    start_date: Day
    end_date: Day
    start_time: WallClock | None
    end_time: WallClock | None
    note: str | None

    @property
    def in_french(self) -> str:
        first, last = (plain_date(date.fromisoformat(day)) for day in (self.start_date, self.end_date))
        days = f"le {first}" if first == last else f"du {first} au {last}"
        times = f", {_times(self.start_time, self.end_time)}" if self.start_time and self.end_time else ""
        return f"{KINDS[self.kind]} {days}{times}"


class TimeOff(Part):
    """`details` of a time off."""

    start_datetime: Moment
    end_datetime: Moment
    reason: str | None

    @property
    def in_french(self) -> str:
        return plain_span(self.start_datetime, self.end_datetime)


def _times(start: str, end: str) -> str:
    return plain_times(time.fromisoformat(start), time.fromisoformat(end.replace("24:00", "00:00")))


class TutorAvailabilityUpdated(_AboutTutor):
    """A tutor's rules, exceptions or time off changed."""

    type: ClassVar[str] = "tutor.availability.updated"

    tutor_name: str
    tutor_email: Email
    change_type: Literal["rule", "exception", "time_off"]
    operation: Literal["created", "updated", "deleted"]
    details: WeeklyHours | OtherHours | TimeOff
    changed_by: UUID
    changed_by_name: str
    changed_at: Moment
    version: Annotated[int, Field(exclude=True)]

    @computed_field
    def change_type_fr(self) -> Printed:
        return CHANGES[self.change_type]

    @computed_field
    def operation_fr(self) -> Printed:
        return OPERATIONS[self.operation]

    @computed_field
    def details_fr(self) -> Printed:
        return self.details.in_french

    @computed_field
    def changed_fr(self) -> Printed:
        return plain_moment(self.changed_at)

    @property
    def dedupe_key(self) -> str:
        return f"{self.type}:{self.tutor_id}:{self.version}"
