"""Which holds become appointments (decision 20): to the instant."""

from collections.abc import Iterator
from datetime import timedelta
from uuid import UUID

import psycopg
import pytest

from domain.scheduling import claims
from tests.conftest import Database
from tests.support.school import School
from tests.support.world import MONDAY_NOON, toronto

NOW = MONDAY_NOON
MOMENT = timedelta.resolution
HOUR = timedelta(hours=1)


@pytest.fixture
def school(database: Database) -> Iterator[School]:
    with psycopg.connect(database.url, autocommit=True) as connection:
        yield School(connection)


def booked(school: School, hold: UUID) -> list[tuple[UUID, UUID]]:
    return claims.turn_holds_into_appointments(school.connection, [hold], NOW).fetchall()


def test_a_live_hold_of_a_session_to_come_does(school: School) -> None:
    tutor = school.tutor()
    hold = school.claim(tutor, NOW + MOMENT, NOW + HOUR, expires_at=NOW + MOMENT)

    assert booked(school, hold) == [(hold, tutor)]
    assert school.connection.execute("SELECT kind::text, expires_at FROM time_claims").fetchall() == [
        ("appointment", None)
    ]


def test_one_that_has_lapsed_whose_session_has_begun_or_whose_tutor_is_gone_does_not(school: School) -> None:
    tutor, gone = school.tutor(), school.tutor()
    school.connection.execute("UPDATE tutors SET active = false WHERE id = %s", (gone,))
    lapsed = school.claim(tutor, toronto(20, 10), toronto(20, 11), expires_at=NOW)
    begun = school.claim(tutor, NOW, NOW + HOUR, expires_at=NOW + HOUR)
    nobodys = school.claim(gone, toronto(20, 10), toronto(20, 11), expires_at=NOW + HOUR)
    appointment = school.claim(tutor, toronto(21, 10), toronto(21, 11))
    before = school.connection.execute("SELECT * FROM time_claims ORDER BY id").fetchall()

    assert [booked(school, claim) for claim in (lapsed, begun, nobodys, appointment)] == [[], [], [], []]
    assert school.connection.execute("SELECT * FROM time_claims ORDER BY id").fetchall() == before
