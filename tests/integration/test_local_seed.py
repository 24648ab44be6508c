"""The demonstration data says what the tour of the product needs."""

from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from domain.audit.audit import audit
from local import seed
from tests.conftest import Database

NOW = datetime(2027, 1, 18, 12, 0, tzinfo=UTC)


@pytest.fixture
def seeded(database: Database, connection: psycopg.Connection) -> psycopg.Connection:
    seed.apply(database.url, "a hash", NOW)
    return connection


def one(connection: psycopg.Connection, question: str) -> tuple[object, ...]:
    row: tuple[object, ...] | None = connection.execute(question.encode()).fetchone()
    assert row
    return row


def test_one_course_has_four_tutors_two_of_equal_priority_and_one_has_a_single_tutor(
    seeded: psycopg.Connection,
) -> None:
    tutors = seeded.execute(
        """
        SELECT slug, array_agg(priority ORDER BY priority)
        FROM courses JOIN tutor_courses ON course_id = courses.id JOIN tutors ON tutor_id = tutors.id
        GROUP BY slug
        """
    ).fetchall()

    assert [10, 20, 20, 30] in [priorities for _, priorities in tutors]
    assert 1 in [len(priorities) for _, priorities in tutors]


def test_every_tutor_works_every_day_of_the_week(seeded: psycopg.Connection) -> None:
    assert one(
        seeded,
        "SELECT min(days) FROM (SELECT count(DISTINCT weekday) AS days FROM availability_rules GROUP BY tutor_id) t",
    ) == (7,)
    assert one(
        seeded, "SELECT count(DISTINCT tutor_id) = (SELECT count(*) FROM tutors) FROM availability_rules"
    ) == (True,)


def test_courses_cost_different_prices(seeded: psycopg.Connection) -> None:
    rates: dict[str, str] = dict(
        seeded.execute("SELECT slug, student_rate_cad::text FROM courses WHERE active").fetchall()
    )

    assert len(rates) >= 5
    assert rates["francais-secondaire"] == rates["mathematiques-secondaire"] == "45.00"
    assert "45.35" in rates.values()


def test_trainings_can_be_looked_at_and_one_is_being_written(seeded: psycopg.Connection) -> None:
    trainings = seeded.execute(
        """
        SELECT training_categories.slug, title_fr, price_cad::text, access_days, state::text,
               (SELECT count(*) FROM modules WHERE training_id = trainings.id)
          FROM trainings JOIN training_categories ON training_categories.id = category_id
         ORDER BY training_categories.position
        """
    ).fetchall()

    assert trainings == [
        (
            "professionnels",
            "Cours sur le Commerce des Valeurs Mobilières (CCVM) Volume 1",
            "299.00",
            365,
            "published",
            8,
        ),
        ("investisseurs", "Les bases de l'investissement autonome", "149.00", 365, "published", 4),
        ("entrepreneurs", "Financer son entreprise", "199.00", 365, "draft", 2),
    ]


@pytest.mark.parametrize(
    ("code", "usable"),
    [("SAVE10", True), ("BIENVENUE20", True), ("GRATUIT100", True), ("RENTREE", False), ("COMPLET", False)],
)
def test_coupons_can_and_cannot_be_used(seeded: psycopg.Connection, code: str, usable: bool) -> None:
    row = seeded.execute(
        """
        SELECT coalesce(ends_at > %(now)s, true) AND coalesce(redemption_count < max_redemptions, true)
        FROM coupons WHERE code = %(code)s
        """,
        {"code": code, "now": NOW},
    ).fetchone()

    assert row == (usable,)


def test_what_is_used_up_was_used_in_an_order(seeded: psycopg.Connection) -> None:
    assert one(
        seeded,
        """
        SELECT code, redemption_count, max_redemptions, orders.total_cad::text
          FROM coupons JOIN coupon_redemptions USING (code) JOIN orders ON orders.id = order_id
        """,
    ) == ("COMPLET", 1, 1, "0.00")


@pytest.mark.parametrize("days", range(7))
def test_the_audit_finds_nothing(database: Database, connection: psycopg.Connection, days: int) -> None:
    """Whatever the weekday, on the day of seeding and a month later."""
    now = NOW + timedelta(days=days)
    seed.apply(database.url, "a hash", now)

    assert audit(connection, now) == []
    assert audit(connection, now + timedelta(days=31)) == []


def test_everybody_can_sign_in(seeded: psycopg.Connection) -> None:
    accounts = seed.accounts()
    emails = {account["email"] for account in [accounts["admin"], accounts["student"], *accounts["tutors"]]}

    rows = seeded.execute("SELECT email::text, password_hash FROM users").fetchall()
    assert {email for email, hashed in rows if hashed == "a hash"} == emails


def test_seeding_twice_changes_nothing(database: Database, seeded: psycopg.Connection) -> None:
    count = """
        SELECT (SELECT count(*) FROM users), (SELECT count(*) FROM availability_rules), (SELECT count(*) FROM orders),
               (SELECT count(*) FROM appointments), (SELECT sum(redemption_count) FROM coupons),
               (SELECT count(*) FROM trainings), (SELECT count(*) FROM modules)
        """
    before = one(seeded, count)

    seed.apply(database.url, "another hash", NOW)

    assert one(seeded, count) == before
    assert one(seeded, "SELECT count(*) FROM users WHERE password_hash = 'another hash'") == (0,)
