"""Rows a test starts from: courses, tutors with their hours, trainings, coupons."""

from collections.abc import Iterable
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

from psycopg import Connection

EVERY_DAY = range(7)


class School:
    """Writes a small school straight into the database."""

    def __init__(self, connection: Connection[Any]) -> None:
        self.connection = connection

    def course(
        self,
        slug: str = "francais-secondaire",
        rate: str = "45.00",
        *,
        active: bool = True,
        title: str | None = None,
        description: str = "Description",
    ) -> UUID:
        return self._insert(
            "INSERT INTO courses (id, slug, title_fr, description_fr, student_rate_cad, active)"
            " VALUES (%s, %s, %s, %s, %s, %s)",
            slug,
            f"Cours {slug}" if title is None else title,
            description,
            Decimal(rate),
            active,
        )

    def tutor(
        self,
        *courses: UUID,
        name: str = "Mme Roy",
        rate: str = "30.00",
        priority: int = 100,
        active: bool = True,
        hours: tuple[time, time] | None = (time(9), time(17)),
        weekdays: Any = EVERY_DAY,
        created_at: datetime = datetime(2026, 1, 1, tzinfo=UTC),
    ) -> UUID:
        tutor_id = self._insert(
            "INSERT INTO users (id, email, first_name, last_name, role) VALUES (%s, %s, 'Tutrice', 'Exemple', 'tutor')",
            f"{uuid4().hex}@exemple.ca",
        )
        self.connection.execute(
            "INSERT INTO tutors (id, display_name, bio_fr, hourly_base_rate_cad, priority, active, created_at)"
            " VALUES (%s, %s, '', %s, %s, %s, %s)",
            (tutor_id, name, Decimal(rate), priority, active, created_at),
        )
        for course in courses:
            self.assign(tutor_id, course)
        if hours:
            for weekday in weekdays:
                self.rule(tutor_id, weekday, *hours)
        return tutor_id

    def assign(self, tutor_id: UUID, course_id: UUID, *, active: bool = True) -> None:
        self.connection.execute(
            "INSERT INTO tutor_courses (tutor_id, course_id, active) VALUES (%s, %s, %s)",
            (tutor_id, course_id, active),
        )

    def rule(self, tutor_id: UUID, weekday: int, start: time | str, end: time | str) -> UUID:
        return self._insert(
            "INSERT INTO availability_rules (id, tutor_id, weekday, start_time, end_time)"
            " VALUES (%s, %s, %s, %s, %s)",
            tutor_id,
            weekday,
            start,
            end,
        )

    def exception(
        self,
        tutor_id: UUID,
        kind: str,
        first: date,
        last: date | None = None,
        start: time | str | None = None,
        end: time | str | None = None,
    ) -> UUID:
        return self._insert(
            "INSERT INTO availability_exceptions (id, tutor_id, kind, start_date, end_date, start_time, end_time)"
            " VALUES (%s, %s, %s, %s, %s, %s, %s)",
            tutor_id,
            kind,
            first,
            last or first,
            start,
            end,
        )

    def time_off(self, tutor_id: UUID, start: datetime, end: datetime) -> UUID:
        return self._insert(
            "INSERT INTO time_offs (id, tutor_id, start_datetime, end_datetime) VALUES (%s, %s, %s, %s)",
            tutor_id,
            start,
            end,
        )

    def claim(
        self, tutor_id: UUID, start: datetime, end: datetime, expires_at: datetime | None = None
    ) -> UUID:
        """Somebody else's appointment, or hold when it expires."""
        return self._insert(
            "INSERT INTO time_claims (id, tutor_id, during, kind, expires_at)"
            " VALUES (%s, %s, tstzrange(%s, %s), %s, %s)",
            tutor_id,
            start,
            end,
            "hold" if expires_at else "appointment",
            expires_at,
        )

    def coupon(
        self,
        code: str = "SAVE10",
        kind: str = "percent",
        value: str = "10",
        *,
        starts_at: datetime | None = None,
        ends_at: datetime | None = None,
        max_redemptions: int | None = None,
        redemption_count: int = 0,
        active: bool = True,
    ) -> UUID:
        return self._insert(
            "INSERT INTO coupons (product, id, code, type, value, starts_at, ends_at, max_redemptions, "
            "redemption_count, active)"
            " VALUES ('tutoring', %s, %s, %s, %s, %s, %s, %s, %s, %s)",
            code,
            kind,
            Decimal(value),
            starts_at,
            ends_at,
            max_redemptions,
            redemption_count,
            active,
        )

    def training(
        self,
        slug: str = "ccvm-volume-1",
        price: str = "299.00",
        *,
        title: str | None = None,
        description: str = "Description",
        category: str = "professionnels",
        access_days: int = 365,
        state: str = "published",
        published_at: datetime | None = datetime(2026, 1, 1, tzinfo=UTC),
        modules: Iterable[str] = (),
        id: UUID | None = None,
    ) -> UUID:
        """A training of a category that the migrations know."""
        training = id or uuid4()
        self.connection.execute(
            "INSERT INTO trainings (id, slug, category_id, title_fr, description_fr, price_cad, access_days, state,"
            "                       published_at)"
            " SELECT %s, %s, id, %s, %s, %s, %s, %s, %s FROM training_categories WHERE slug = %s",
            (
                training,
                slug,
                f"Cours {slug}" if title is None else title,
                description,
                Decimal(price),
                access_days,
                state,
                published_at,
                category,
            ),
        )
        for position, name in enumerate(modules, 1):
            self._insert(
                "INSERT INTO modules (id, training_id, position, title_fr) VALUES (%s, %s, %s, %s)",
                training,
                position,
                name,
            )
        return training

    def user(self, email: str = "zoe@exemple.ca", role: str = "student") -> UUID:
        return self._insert(
            "INSERT INTO users (id, email, first_name, last_name, role) VALUES (%s, %s, 'Zoé', 'Tremblay', %s)",
            email,
            role,
        )

    def _insert(self, statement: str, *values: Any) -> UUID:
        row_id = uuid4()
        self.connection.execute(statement, (row_id, *values))
        return row_id
