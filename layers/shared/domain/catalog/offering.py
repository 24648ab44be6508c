"""What the cart and the checkout need to know of a course: its price and who can give it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

from psycopg import Connection, Cursor

from domain.catalog import queries


@dataclass(frozen=True, slots=True)
class Offering:
    """An active course: its rate in CAD per hour, and its tutors' names by id, best priority first."""

    course_id: UUID
    title_fr: str
    student_rate_cad: Decimal
    tutors: Mapping[UUID, str]


def ask_offerings(connection: Connection[Any], course_ids: Iterable[UUID]) -> Cursor[Any]:
    """Send the question; `read_offerings` takes the answer (two halves, so that a pipeline can carry more)."""
    return queries.select_offerings(connection, list(course_ids))


def read_offerings(answer: Cursor[Any]) -> dict[UUID, Offering]:
    """The active courses among those asked for, by id."""
    return {
        course_id: Offering(course_id, title, rate, dict(zip(tutor_ids or (), names or (), strict=True)))
        for course_id, title, rate, tutor_ids, names in answer
    }
