"""Twenty thousand events sent again: counted first, five a second, stopped at any time (B-6)."""

from datetime import UTC, datetime, timedelta

import pytest
from psycopg import Connection

from domain.webhooks import replay

NOW = datetime(2027, 1, 18, 17, tzinfo=UTC)
EVENTS = 20_000
EARLIEST, LATEST = NOW - timedelta(days=89), NOW


@pytest.fixture
def archive(connection: Connection) -> Connection:
    """Three months of deliveries, one in four an appointment's end, and one that is too old to have a body."""
    connection.autocommit = True
    connection.execute(
        """
        INSERT INTO outbox (event_id, type, dedupe_key, ordering_key, sequence, body, status, attempts,
                            next_attempt_at, created_at, delivered_at)
        SELECT 'evt_' || lpad(to_hex(number), 32, '0'),
               CASE WHEN mod(number, 4) = 0 THEN 'appointment.completed' ELSE 'booking.created' END,
               'key:' || number, 'thing:' || number, 1, CASE WHEN number > 0 THEN '{}'::bytea END, 'delivered', 1,
               at, at, at
          FROM generate_series(0, %(events)s) AS number,
               LATERAL (SELECT %(earliest)s + number * interval '1 minute' AS at) AS moment
        """,
        {"events": EVENTS, "earliest": EARLIEST},
    )
    return connection


def test_twenty_thousand_are_counted_paced_and_stopped(archive: Connection) -> None:
    dry = replay.count_range(archive, replay.Range(EARLIEST, LATEST), NOW)
    assert (dry.id, dry.counts) == (None, {"appointment.completed": 5_000, "booking.created": 15_000})
    assert statuses(archive) == {"delivered": EVENTS + 1}

    job = replay.redeliver_range(archive, None, replay.Range(EARLIEST, LATEST), 5, NOW)
    assert (job.id is None, job.counts) == (False, dry.counts)
    assert statuses(archive) == {"delivered": 1, "pending": EVENTS}
    assert archive.execute(
        """
        SELECT max(per_second), count(*), max(second)
          FROM (SELECT floor(extract(epoch FROM next_attempt_at - %(now)s)) AS second, count(*) AS per_second
                  FROM outbox WHERE status = 'pending' GROUP BY second) AS paced
        """,
        {"now": NOW},
    ).fetchall() == [(5, EVENTS // 5, EVENTS // 5 - 1)]
    assert archive.execute(
        "SELECT bool_and(ordered) FROM (SELECT next_attempt_at > lag(next_attempt_at) OVER (ORDER BY created_at)"
        " AS ordered FROM outbox WHERE status = 'pending') AS pairs"
    ).fetchall() == [(True,)]

    assert job.id
    assert replay.stop(archive, None, job.id, NOW) == EVENTS
    assert statuses(archive) == {"delivered": EVENTS + 1}


def statuses(connection: Connection) -> dict[str, int]:
    return dict(connection.execute("SELECT status::text, count(*) FROM outbox GROUP BY status").fetchall())
