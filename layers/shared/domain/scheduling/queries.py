"""The SQL of tutors' calendars."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any
from uuid import UUID

from psycopg import Connection, Cursor
from psycopg.rows import tuple_row


def select_calendars(
    connection: Connection[Any],
    tutor_ids: Sequence[UUID],
    first: date,
    last: date,
    reach: tuple[datetime, datetime],
    now: datetime,
) -> Cursor[Any]:
    """Per tutor, in the order asked for: weekly rules, exceptions, and what is taken, as arrays of integers."""
    return connection.cursor(binary=True, row_factory=tuple_row).execute(
        """
        SELECT tutor.id,
               (SELECT array_agg(ARRAY[weekday, date_part('epoch', start_time) / 1800,
                                       date_part('epoch', end_time) / 1800]::int[])
                  FROM availability_rules WHERE tutor_id = tutor.id),
               (SELECT array_agg(ARRAY[start_date - date '0001-01-01' + 1, end_date - date '0001-01-01' + 1,
                                       (kind = 'open')::int,
                                       coalesce(date_part('epoch', start_time) / 1800, 0),
                                       coalesce(date_part('epoch', end_time) / 1800, 48)]::int[])
                  FROM availability_exceptions
                 WHERE tutor_id = tutor.id AND end_date >= %(first)s AND start_date <= %(last)s),
               (SELECT array_agg(ARRAY[floor(date_part('epoch', taken_from) / 1800),
                                       ceil(date_part('epoch', taken_to) / 1800)]::int[])
                  FROM (SELECT lower(during), upper(during) FROM time_claims
                         WHERE tutor_id = tutor.id AND during && tstzrange(%(from)s, %(to)s)
                           AND (kind = 'appointment' OR expires_at > %(now)s)
                        UNION ALL
                        SELECT start_datetime, end_datetime FROM time_offs
                         WHERE tutor_id = tutor.id AND end_datetime > %(from)s AND start_datetime < %(to)s
                       ) AS taken (taken_from, taken_to))
          FROM unnest(%(tutor_ids)s::uuid[]) WITH ORDINALITY AS tutor (id, place)
         ORDER BY place
        """,
        {
            "tutor_ids": tutor_ids,
            "first": first,
            "last": last,
            "from": reach[0],
            "to": reach[1],
            "now": now,
        },
    )
