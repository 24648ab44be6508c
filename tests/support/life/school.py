"""The school that is lived in: courses of several prices, tutors of two courses each, coupons of every kind."""

from dataclasses import dataclass
from datetime import datetime, time, timedelta
from random import Random
from uuid import UUID

from tests.support.world import World

RATES = ("45.00", "38.00", "52.50", "60.00", "47.25")
COUPONS = ("SAVE10", "DIX", "CADEAU", "CENT", "FINI")


@dataclass(frozen=True)
class Course:
    id: UUID
    slug: str


@dataclass(frozen=True)
class Faculty:
    courses: list[Course]
    tutors_of: dict[UUID, list[UUID]]
    admin: UUID


def open_school(world: World, dice: Random, tutors: int, now: datetime) -> Faculty:
    """Everything that is there on the first day."""
    school = world.school
    rates = RATES[:tutors]  # every course has somebody
    courses = [Course(school.course(f"cours-{n}", rate), f"cours-{n}") for n, rate in enumerate(rates, 1)]
    tutors_of: dict[UUID, list[UUID]] = {course.id: [] for course in courses}
    for n in range(tutors):
        teaches = {courses[n % len(courses)].id, dice.choice(courses).id}
        opens = dice.choice([8, 9, 10, 13])
        tutor = school.tutor(
            *teaches,
            name=f"Tutrice {n}",
            rate=dice.choice(["28.00", "30.00", "33.35"]),
            priority=n % 3,
            hours=(time(opens), time(opens + 8)),
            weekdays=sorted(dice.sample(range(7), k=5)) if tutors > len(courses) else range(7),
        )
        for course_id in teaches:
            tutors_of[course_id].append(tutor)
    school.coupon("SAVE10", "percent", "10")
    school.coupon("DIX", "fixed", "10")
    school.coupon("CADEAU", "percent", "100", max_redemptions=5)
    school.coupon("CENT", "percent", "33.33", max_redemptions=50)
    school.coupon("FINI", "percent", "15", ends_at=now + timedelta(days=1))
    return Faculty(courses, tutors_of, school.user("admin@exemple.ca", "admin"))
