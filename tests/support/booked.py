"""Paid sessions written straight into the database: as many as a schedule can meet, in four statements."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from psycopg import Connection


def book(
    connection: Connection[Any],
    student: UUID,
    tutor: UUID,
    course: UUID,
    starts: Sequence[datetime],
    booked_at: datetime,
    minutes: int = 60,
) -> list[UUID]:
    """One order of a session at each of those times, 45.00 CAD each and 30.00 to the tutor; answers their ids."""
    ids, order = [uuid4() for _ in starts], uuid4()
    values = {
        "ids": ids,
        "starts": list(starts),
        "ends": [start + timedelta(minutes=minutes) for start in starts],
        "order": order,
        "student": student,
        "tutor": tutor,
        "course": course,
        "minutes": minutes,
        "booked_at": booked_at,
        "total": 45 * len(starts),
    }
    with connection.transaction():
        connection.execute(
            "INSERT INTO orders (product, id, user_id, status, source, subtotal_cad, discount_cad, total_cad,"
            "                    created_at, updated_at)"
            " VALUES ('tutoring', %(order)s, %(student)s, 'paid', 'manual', %(total)s, 0, %(total)s, "
            "%(booked_at)s, %(booked_at)s)",
            values,
        )
        connection.execute(
            "INSERT INTO order_items (id, order_id, kind, position, title_fr, unit_price_cad, line_total_cad,"
            "                         discount_share_cad)"
            " SELECT id, %(order)s, 'session', place - 1, 'Mathématiques', 45, 45, 0"
            " FROM unnest(%(ids)s::uuid[]) WITH ORDINALITY AS t (id, place)",
            values,
        )
        connection.execute(
            "INSERT INTO session_items (id, course_id, tutor_id, start_datetime, end_datetime, duration_min)"
            " SELECT id, %(course)s, %(tutor)s, s, e, %(minutes)s"
            " FROM unnest(%(ids)s::uuid[], %(starts)s::timestamptz[], %(ends)s::timestamptz[]) AS t (id, s, e)",
            values,
        )
        connection.execute(
            "INSERT INTO earnings (order_item_id, tutor_id, hours, rate_cad, amount_cad)"
            " SELECT id, %(tutor)s, %(minutes)s / 60.0, 30, 30 FROM unnest(%(ids)s::uuid[]) AS id",
            values,
        )
        connection.execute(
            "INSERT INTO time_claims (id, tutor_id, during, kind)"
            " SELECT id, %(tutor)s, tstzrange(s, e), 'appointment'"
            " FROM unnest(%(ids)s::uuid[], %(starts)s::timestamptz[], %(ends)s::timestamptz[]) AS t (id, s, e)",
            values,
        )
        connection.execute(
            "INSERT INTO appointments (id, user_id, tutor_id, course_id, order_item_id, start_datetime, end_datetime,"
            "                          created_at, updated_at)"
            " SELECT id, %(student)s, %(tutor)s, %(course)s, id, s, e, %(booked_at)s, %(booked_at)s"
            " FROM unnest(%(ids)s::uuid[], %(starts)s::timestamptz[], %(ends)s::timestamptz[]) AS t (id, s, e)",
            values,
        )
    return ids
