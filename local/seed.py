"""A small company to try things on: courses, tutors with their hours, trainings, coupons, people who can sign in.

Everything has a fixed id, so seeding twice changes nothing. Dates are relative to the day of seeding.
"""

from collections.abc import Iterable
from datetime import datetime, time, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid5
from zoneinfo import ZoneInfo

from local.seed_sale import COUPON, insert_sale
from local.seed_trainings import insert_trainings

if TYPE_CHECKING:
    import psycopg

TORONTO = ZoneInfo("America/Toronto")
GUEST_COOKIE = "3Jt1mZk7Qw0yVb8NfXc5Rg2HsLpUdE4aOi6TqWzYx9M"
PASSWORD = "Demonstration-4AS"
ADMIN = "admin@exemple.ca"
STUDENT = "etudiante@exemple.ca"

_NAMESPACE = UUID("8f3d2c1e-4a5b-4c6d-9e7f-0a1b2c3d4e5f")

# slug, title, description, CAD an hour, active
_COURSES = (
    (
        "francais-secondaire",
        "Français, secondaire 1 à 5",
        "Grammaire, lecture et préparation à l'épreuve unique d'écriture.",
        "45.00",
        True,
    ),
    (
        "mathematiques-secondaire",
        "Mathématiques, secondaire 1 à 5",
        "Algèbre, géométrie et statistiques, en CST, TS ou SN.",
        "45.00",
        True,
    ),
    (
        "sciences-secondaire",
        "Science et technologie, secondaire 3 et 4",
        "Méthode scientifique, chimie et électricité, avec les examens du ministère.",
        "45.35",
        True,
    ),
    (
        "anglais-langue-seconde",
        "Anglais, langue seconde",
        "Conversation, compréhension et rédaction, du primaire au cégep.",
        "40.00",
        True,
    ),
    (
        "calcul-differentiel-cegep",
        "Calcul différentiel, cégep",
        "Limites, dérivées et optimisation, pour les sciences de la nature et humaines.",
        "52.50",
        True,
    ),
    (
        "physique-mecanique-cegep",
        "Physique mécanique, cégep",
        "Cinématique, dynamique et énergie, problèmes corrigés pas à pas.",
        "55.00",
        True,
    ),
    ("espagnol-debutant", "Espagnol, débutant", "De retour à l'automne.", "42.00", False),
)

# e-mail, first name, last name, biography, CAD an hour, priority, courses
_TUTORS = (
    (
        "camille@exemple.ca",
        "Camille",
        "Tremblay",
        "Enseignante de mathématiques depuis douze ans, elle aime les questions qui dérangent.",
        "32.00",
        10,
        ("mathematiques-secondaire", "calcul-differentiel-cegep", "francais-secondaire"),
    ),
    (
        "mathieu@exemple.ca",
        "Mathieu",
        "Gagnon",
        "Étudiant à la maîtrise en génie, patient et précis.",
        "28.00",
        20,
        ("mathematiques-secondaire", "sciences-secondaire"),
    ),
    (
        "sophie@exemple.ca",
        "Sophie",
        "Bélanger",
        "Orthopédagogue, elle accompagne aussi les élèves qui ont un plan d'intervention.",
        "30.00",
        20,
        ("mathematiques-secondaire", "francais-secondaire", "anglais-langue-seconde"),
    ),
    (
        "olivier@exemple.ca",
        "Olivier",
        "Côté",
        "Ancien correcteur au ministère, spécialiste des examens de fin d'année.",
        "27.50",
        30,
        ("mathematiques-secondaire", "sciences-secondaire", "calcul-differentiel-cegep"),
    ),
    (
        "amelie@exemple.ca",
        "Amélie",
        "Nguyen",
        "Physicienne de formation, elle enseigne en français et en anglais.",
        "35.00",
        100,
        ("physique-mecanique-cegep", "anglais-langue-seconde", "francais-secondaire"),
    ),
)

# Hours of a week by weekday, 0 being Sunday.
_HOURS: dict[str, dict[int, tuple[str, ...]]] = {
    "camille@exemple.ca": {
        0: ("10:00-14:00",),
        **dict.fromkeys(range(1, 6), ("15:30-20:00",)),
        6: ("09:00-12:00", "13:00-17:00"),
    },
    "mathieu@exemple.ca": {
        0: ("13:00-18:00",),
        **dict.fromkeys(range(1, 6), ("18:00-22:00",)),
        6: ("10:00-16:00",),
    },
    "sophie@exemple.ca": {
        0: ("09:00-12:00",),
        **dict.fromkeys(range(1, 6), ("09:00-12:00", "13:00-16:30")),
        6: ("09:30-12:30",),
    },
    "olivier@exemple.ca": {
        0: ("12:00-17:00",),
        **dict.fromkeys((1, 3, 5), ("08:00-12:00", "17:00-21:00")),
        **dict.fromkeys((2, 4), ("12:00-19:30",)),
        6: ("08:30-11:30",),
    },
    "amelie@exemple.ca": {
        0: ("15:00-19:00",),
        **dict.fromkeys(range(1, 6), ("11:00-14:00", "19:00-21:30")),
        6: ("13:00-18:00",),
    },
}


def accounts() -> dict[str, Any]:
    """What everybody signs in with: `admin`, `tutors`, `student`."""
    return {
        "admin": _account(ADMIN),
        "tutors": [_account(email) for email, *_ in _TUTORS],
        "student": _account(STUDENT),
    }


def apply(database_url: str, password_hash: str, now: datetime) -> None:
    """Write the demonstration data; what is already there is left as it is.

    Parameters
    ----------
    database_url
        A migrated database.
    password_hash
        The hash of `PASSWORD`: everybody has the same, computed once.
    now
        The day hours off and coupons are counted from.
    """
    import psycopg

    today = now.astimezone(TORONTO).replace(hour=0, minute=0, second=0, microsecond=0)
    with psycopg.connect(database_url) as connection, connection.cursor() as cursor, connection.pipeline():
        _insert_users(cursor, password_hash)
        _insert_courses(cursor)
        _insert_tutors(cursor)
        _insert_tutor_courses(cursor)
        _insert_availability_rules(cursor)
        _insert_availability_exceptions(cursor, today)
        _insert_time_offs(cursor, today)
        _insert_coupons(cursor, today)
        _insert_guest_cart(cursor, today)
        insert_trainings(cursor, _id, today)
        insert_sale(cursor, _id, today)


def _account(email: str) -> dict[str, str]:
    return {"email": email, "password": PASSWORD}


def _id(*name: object) -> UUID:
    return uuid5(_NAMESPACE, " ".join(map(str, name)))


def _insert_users(cursor: "psycopg.Cursor[Any]", password_hash: str) -> None:
    people = [
        (ADMIN, "Dominique", "Lavoie", "admin", "+15145550100"),
        (STUDENT, "Léa", "Fortin", "student", "+14385550142"),
        *((email, first, last, "tutor", None) for email, first, last, *_ in _TUTORS),
    ]
    cursor.executemany(
        """
        INSERT INTO users (id, email, first_name, last_name, role, phone, password_hash)
        VALUES (%(id)s, %(email)s, %(first)s, %(last)s, %(role)s, %(phone)s, %(password_hash)s)
        ON CONFLICT DO NOTHING
        """,
        [
            {
                "id": _id("user", email),
                "email": email,
                "first": first,
                "last": last,
                "role": role,
                "phone": phone,
                "password_hash": password_hash,
            }
            for email, first, last, role, phone in people
        ],
    )


def _insert_courses(cursor: "psycopg.Cursor[Any]") -> None:
    cursor.executemany(
        """
        INSERT INTO courses (id, slug, title_fr, description_fr, student_rate_cad, active)
        VALUES (%(id)s, %(slug)s, %(title)s, %(description)s, %(rate)s, %(active)s)
        ON CONFLICT DO NOTHING
        """,
        [
            {
                "id": _id("course", slug),
                "slug": slug,
                "title": title,
                "description": description,
                "rate": rate,
                "active": active,
            }
            for slug, title, description, rate, active in _COURSES
        ],
    )


def _insert_tutors(cursor: "psycopg.Cursor[Any]") -> None:
    cursor.executemany(
        """
        INSERT INTO tutors (id, display_name, bio_fr, hourly_base_rate_cad, priority)
        VALUES (%(id)s, %(name)s, %(bio)s, %(rate)s, %(priority)s)
        ON CONFLICT DO NOTHING
        """,
        [
            {
                "id": _id("user", email),
                "name": f"{first} {last[0]}.",
                "bio": bio,
                "rate": rate,
                "priority": priority,
            }
            for email, first, last, bio, rate, priority, _ in _TUTORS
        ],
    )


def _insert_tutor_courses(cursor: "psycopg.Cursor[Any]") -> None:
    cursor.executemany(
        """
        INSERT INTO tutor_courses (tutor_id, course_id)
        VALUES (%(tutor)s, %(course)s)
        ON CONFLICT DO NOTHING
        """,
        [
            {"tutor": _id("user", email), "course": _id("course", slug)}
            for email, *_, slugs in _TUTORS
            for slug in slugs
        ],
    )


def _insert_availability_rules(cursor: "psycopg.Cursor[Any]") -> None:
    cursor.executemany(
        """
        INSERT INTO availability_rules (id, tutor_id, weekday, start_time, end_time)
        VALUES (%(id)s, %(tutor)s, %(weekday)s, %(start)s, %(end)s)
        ON CONFLICT DO NOTHING
        """,
        list(_rules()),
    )


def _rules() -> Iterable[dict[str, Any]]:
    for email, week in _HOURS.items():
        for weekday, windows in week.items():
            for window in windows:
                start, _, end = window.partition("-")
                yield {
                    "id": _id("rule", email, weekday, window),
                    "tutor": _id("user", email),
                    "weekday": weekday,
                    "start": start,
                    "end": end,
                }


def _insert_availability_exceptions(cursor: "psycopg.Cursor[Any]", today: datetime) -> None:
    sophie = _id("user", "sophie@exemple.ca")
    in_a_week = (today + timedelta(days=7)).date()
    cursor.executemany(
        """
        INSERT INTO availability_exceptions (id, tutor_id, kind, start_date, end_date, start_time, end_time, note)
        VALUES (%(id)s, %(tutor)s, %(kind)s, %(date)s, %(date)s, %(start)s, %(end)s, %(note)s)
        ON CONFLICT DO NOTHING
        """,
        [
            {
                "id": _id("exception", "closed"),
                "tutor": sophie,
                "kind": "closed",
                "date": in_a_week,
                "start": None,
                "end": None,
                "note": "Journée pédagogique",
            },
            {
                "id": _id("exception", "open"),
                "tutor": sophie,
                "kind": "open",
                "date": in_a_week + timedelta(days=1),
                "start": time(18),
                "end": time(20, 30),
                "note": "Reprise de la journée pédagogique",
            },
        ],
    )


def _insert_time_offs(cursor: "psycopg.Cursor[Any]", today: datetime) -> None:
    cursor.execute(
        """
        INSERT INTO time_offs (id, tutor_id, start_datetime, end_datetime, reason)
        VALUES (%(id)s, %(tutor)s, %(start)s, %(end)s, %(reason)s)
        ON CONFLICT DO NOTHING
        """,
        {
            "id": _id("time off"),
            "tutor": _id("user", "olivier@exemple.ca"),
            "start": today + timedelta(days=10, hours=10, minutes=10),
            "end": today + timedelta(days=12, hours=12),
            "reason": "Vacances",
        },
    )


def _insert_guest_cart(cursor: "psycopg.Cursor[Any]", today: datetime) -> None:
    """The empty cart of the guest whose cookie events/cart.json and events/checkout.json bear."""
    cursor.execute(
        """
        INSERT INTO carts (product, id, session_hash, created_at, updated_at)
        VALUES ('tutoring', %(id)s, sha256(convert_to(%(cookie)s, 'UTF8')), %(today)s, %(today)s) ON CONFLICT DO NOTHING
        """,
        {"id": _id("cart", GUEST_COOKIE), "cookie": GUEST_COOKIE, "today": today},
    )


def _insert_coupons(cursor: "psycopg.Cursor[Any]", today: datetime) -> None:
    coupons = (
        ("SAVE10", "percent", "10.00", None, None, 0),
        ("BIENVENUE20", "fixed", "20.00", None, None, 0),
        ("GRATUIT100", "percent", "100.00", None, None, 0),
        ("RENTREE", "percent", "15.00", today - timedelta(days=30), None, 0),
        (COUPON, "fixed", "45.00", None, 1, 1),
    )
    cursor.executemany(
        """
        INSERT INTO coupons (product, id, code, type, value, ends_at, max_redemptions, redemption_count)
        VALUES ('tutoring', %(id)s, %(code)s, %(type)s, %(value)s, %(ends_at)s, %(max)s, %(count)s)
        ON CONFLICT DO NOTHING
        """,
        [
            {
                "id": _id("coupon", code),
                "code": code,
                "type": kind,
                "value": value,
                "ends_at": ends_at,
                "max": at_most,
                "count": count,
            }
            for code, kind, value, ends_at, at_most, count in coupons
        ],
    )
