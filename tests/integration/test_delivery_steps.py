"""The steps of a delivery are one table, in the code and in PostgreSQL, which refuses every other step."""

from pathlib import Path

import psycopg
import pytest

from adapters import make, posting
from domain.webhooks.reasons import SENTENCES, in_french
from domain.webhooks.steps import RESTING, STATUSES, STEPS, WAITING, Status
from tests.support.delivering import START

EVENT = "evt_" + "0" * 32


def lay(connection: psycopg.Connection, status: Status) -> None:
    connection.execute("DELETE FROM outbox")
    connection.execute(
        """
        INSERT INTO outbox (event_id, type, dedupe_key, ordering_key, sequence, body, status, next_attempt_at,
                            created_at, delivered_at)
        VALUES (%(id)s, 'booking.created', 'key', 'thing', 1, '{}', %(status)s, %(now)s, %(now)s, %(now)s)
        """,
        {"id": EVENT, "status": status, "now": START},
    )


def test_the_database_has_the_same_table(connection: psycopg.Connection) -> None:
    held = {
        source: set(targets)
        for source, targets in connection.execute(
            "SELECT source::text, delivery_steps(source)::text[]"
            " FROM unnest(enum_range(NULL::delivery_status)) AS source"
        ).fetchall()
    }
    assert held == {source: set(targets) for source, targets in STEPS.items()}
    assert set(STEPS) == set(STATUSES)
    assert set(WAITING) | set(RESTING) | {"delivering"} == set(STATUSES)


@pytest.mark.parametrize("source", STATUSES)
def test_every_other_step_is_refused(connection: psycopg.Connection, source: Status) -> None:
    for target in STATUSES:
        lay(connection, source)
        if target == source or target in STEPS[source]:
            connection.execute("UPDATE outbox SET status = %s", (target,))
            continue
        with pytest.raises(psycopg.errors.CheckViolation) as refusal, connection.transaction():
            connection.execute("UPDATE outbox SET status = %s", (target,))
        assert refusal.value.diag.constraint_name == "delivery_steps"
        assert connection.execute("SELECT status::text FROM outbox").fetchall() == [(source,)]


def test_every_misconfiguration_has_its_sentence() -> None:
    """Whatever the code calls it, an administrator reads French."""
    sources = "".join(Path(str(module.__file__)).read_text(encoding="utf-8") for module in (make, posting))
    told = {part.split('"')[0] for part in sources.split('Misconfigured("')[1:]}
    assert told
    assert told - SENTENCES.keys() == set()


@pytest.mark.parametrize(
    ("reason", "sentence"),
    [
        (None, None),
        ("timeout", "Make n’a pas répondu à temps."),
        ("404", "Make ne connaît pas l’adresse (réponse 404)."),
        ("599", "Make est en panne (réponse 599)."),
        ("307", "L’adresse renvoie ailleurs : elle est erronée (réponse 307)."),
        ("ConnectionRefusedError", "La connexion avec Make a échoué."),  # as earlier releases kept it
    ],
)
def test_a_reason_is_read_in_french(reason: str | None, sentence: str | None) -> None:
    assert in_french(reason) == sentence
