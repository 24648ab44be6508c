"""What a visitor waits for on the server: slots of a day and days of a range, through handler and database."""

import random
from collections.abc import Iterable
from datetime import UTC, datetime, time, timedelta

import psycopg

from bench.stage import migrated_database
from bench.table import Row
from bench.timing import median, p95, time_ms
from tests.support.browser import Browser
from tests.support.school import School

TUTORS, CLAIMS = 50, 5000
NOW = datetime(2027, 1, 18, 17, tzinfo=UTC)
SLOTS = "/v1/courses/francais-secondaire/slots"
AVAILABILITY = "/v1/courses/francais-secondaire/availability"


def rows() -> Iterable[Row]:
    """Median and 95th percentile of both routes, with 50 tutors and 5 000 claims."""
    with migrated_database() as url:
        with psycopg.connect(url, autocommit=True) as connection:
            fill(connection)
        visitor, draw = Browser(lambda: NOW), random.Random(2)

        def slots() -> None:
            day = (NOW + timedelta(days=draw.randrange(1, 58))).date()
            shown = visitor.get(SLOTS, {"date": str(day), "duration": draw.choice(["60", "90", "120"])})
            assert shown.body["has_availability"] is (day.isoweekday() < 6), shown.text

        def month() -> None:
            first = (NOW + timedelta(days=draw.randrange(1, 28))).date()
            asked = {"from": str(first), "to": str(first + timedelta(days=30)), "duration": "60"}
            assert any(visitor.get(AVAILABILITY, asked).body["days"].values())

        def sixty_two_days() -> None:
            asked = {"from": "2027-01-18", "to": "2027-03-20", "duration": "60"}
            assert any(visitor.get(AVAILABILITY, asked).body["days"].values())

        school = f"{TUTORS} tutors, {CLAIMS} claims"
        for what, operation in (
            (f"GET …/slots, {school}", slots),
            ("GET …/availability, a month", month),
            ("GET …/availability, 62 days", sixty_two_days),
        ):
            samples = time_ms(operation, runs=300, warm_up=20)
            yield Row(f"{what} (p95)", p95(samples), at_most=25)
            yield Row("  median", median(samples))


def fill(connection: psycopg.Connection) -> None:
    """A course, its tutors with their hours, time off and exceptions, and what others hold or booked."""
    draw, school = random.Random(1), School(connection)
    with connection.transaction():
        course = school.course()
        for number in range(TUTORS):
            tutor = school.tutor(course, priority=number % 5, hours=(time(9), time(12)), weekdays=range(1, 6))
            for weekday in range(1, 6):
                school.rule(tutor, weekday, time(13), time(20))
            for _ in range(3):
                day = (NOW + timedelta(days=draw.randrange(60))).date()
                school.exception(tutor, "closed", day)
                off = NOW + timedelta(minutes=draw.randrange(60 * 1440))
                school.time_off(tutor, off, off + timedelta(hours=draw.randrange(1, 48)))
            for place in draw.sample(range(60 * 12), CLAIMS // TUTORS):
                start = NOW + place * timedelta(hours=2)
                held_until = NOW + timedelta(minutes=10) if draw.random() < 0.2 else None
                school.claim(tutor, start, start + timedelta(minutes=draw.choice((60, 90, 120))), held_until)
    connection.execute("VACUUM ANALYZE")
