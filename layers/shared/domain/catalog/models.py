"""What anyone may see of courses, tutors and free times. Never a tutor's rate or priority (X-14, X-29)."""

from datetime import date, datetime
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, Field

type Cad = Annotated[str, Field(pattern=r"^\d+\.\d{2}$", examples=["45.00"], description="Dollars canadiens")]


class Prices(BaseModel):
    """What one session costs, by its minutes."""

    sixty: Cad = Field(serialization_alias="60")
    ninety: Cad = Field(serialization_alias="90")
    hundred_twenty: Cad = Field(serialization_alias="120")


class CourseView(BaseModel):
    id: UUID
    slug: str
    title_fr: str
    description_fr: str
    student_rate_cad: Cad
    prices: Prices


class CourseList(BaseModel):
    items: list[CourseView]
    next_cursor: str | None


class TutorView(BaseModel):
    id: UUID
    display_name: str
    bio_fr: str


class CourseDetail(CourseView):
    tutors: list[TutorView]


class Slot(BaseModel):
    """A session that can be booked. In any-tutor mode it has no tutor (UR-05)."""

    start: datetime
    end: datetime
    duration_min: int
    price_cad: Cad


class TutorSlot(Slot):
    tutor_id: UUID


class DaySlots(BaseModel):
    date: date
    duration_min: int
    has_availability: bool
    slots: list[TutorSlot] | list[Slot]


class AvailableDays(BaseModel):
    days: dict[date, bool]
