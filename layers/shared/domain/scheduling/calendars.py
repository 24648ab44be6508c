"""Reading tutors' calendars out of the database."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from psycopg import Connection

from domain.scheduling import queries
from domain.scheduling.availability import TutorCalendar, reach_of


def read_calendars(
    connection: Connection[Any], tutor_ids: Sequence[UUID], first: date, last: date, now: datetime
) -> list[TutorCalendar]:
    """The calendars needed to judge starts on the local days `first` to `last`, in the order of `tutor_ids`.

    One statement whatever the number of tutors. Holds that have expired at `now` take no time.
    """
    rows = queries.select_calendars(
        connection, tutor_ids, first, last + timedelta(days=1), reach_of(first, last), now
    )
    return [
        TutorCalendar(tutor_id, weekly or (), exceptions or (), taken or ())
        for tutor_id, weekly, exceptions, taken in rows
    ]
