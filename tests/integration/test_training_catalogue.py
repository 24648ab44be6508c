"""The trainings of Le Dojo as visitors find them: published ones alone, searched, sorted, page by page (§9.14)."""

import base64
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from unicodedata import normalize
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg import errors

from domain.paging import Place, write_cursor
from domain.training.listing import Listing, SortOrder, TrainingSort
from domain.training.queries import PAGES
from tests.conftest import Database
from tests.support.browser import Answer, Browser
from tests.support.people import account, signed_in
from tests.support.tables import nothing_written
from tests.support.wire import counted
from tests.support.world import World

NOON = datetime(2027, 1, 18, 17, tzinfo=UTC)
CCVM = "Cours sur le Commerce des Valeurs Mobilières (CCVM) Volume 1"
SORTS: list[tuple[TrainingSort, SortOrder]] = [
    (sort, order) for sort in ("title", "price", "newest") for order in ("asc", "desc")
]


def listed(visitor: Browser, **query: str) -> list[str]:
    """The slugs of the first page."""
    answer = visitor.get("/v1/trainings", query)
    assert answer.status == 200, answer.text
    return [training["slug"] for training in answer.body["items"]]


def refused(answer: Answer, status: int, code: str) -> None:
    assert (answer.status, answer.code) == (status, code), answer.text


# --- what is shown ------------------------------------------------------------------------------------------


def test_a_training_in_the_list_and_by_itself(world: World) -> None:
    training = world.school.training(
        "ccvm-volume-1",
        "299.00",
        title=CCVM,
        description="Vidéos, quiz et fiches.",
        modules=("Le secteur canadien", "Les marchés"),
    )
    visitor = world.browser()
    shown = {
        "id": str(training),
        "slug": "ccvm-volume-1",
        "title_fr": CCVM,
        "description_fr": "Vidéos, quiz et fiches.",
        "category": {"slug": "professionnels", "name_fr": "Professionnels"},
        "price_cad": "299.00",
        "access_days": 365,
        "cta": "BUY",
    }

    page, detail = visitor.get("/v1/trainings"), visitor.get("/v1/trainings/ccvm-volume-1")

    assert (page.status, page.body) == (200, {"items": [shown], "next_cursor": None})
    assert (detail.status, detail.body) == (
        200,
        shown
        | {
            "modules": [
                {"position": 1, "title_fr": "Le secteur canadien"},
                {"position": 2, "title_fr": "Les marchés"},
            ]
        },
    )


def test_a_free_training_without_modules(world: World) -> None:
    world.school.training("cadeau", "0.00", access_days=30)

    answer = world.browser().get("/v1/trainings/cadeau")

    assert (answer.body["price_cad"], answer.body["access_days"], answer.body["modules"]) == ("0.00", 30, [])


@pytest.mark.parametrize("state", ["draft", "archived"])
def test_what_is_not_published_is_not_there(world: World, state: str) -> None:
    """Not even for an administrator: these are the pages of the shop (F-10)."""
    world.school.training("cache", title="Secret du métier", state=state, modules=("Un",))
    account(world, "chef@exemple.ca", "admin")

    for visitor in (world.browser(), signed_in(world, "chef@exemple.ca")):
        refused(visitor.get("/v1/trainings/cache"), 404, "TRAINING_NOT_FOUND")
        assert listed(visitor) == listed(visitor, search="secret") == []
        assert listed(visitor, category="professionnels") == []
    hidden, unknown = (visitor.get(f"/v1/trainings/{slug}").body for slug in ("cache", "aucun"))
    assert hidden | {"instance": ""} == unknown | {"instance": ""}


def test_the_categories_in_their_place_and_what_each_offers(world: World) -> None:
    for slug, category, state in (
        ("a", "professionnels", "published"),
        ("b", "professionnels", "published"),
        ("c", "professionnels", "draft"),
        ("d", "professionnels", "archived"),
        ("e", "entrepreneurs", "published"),
    ):
        world.school.training(slug, category=category, state=state)

    answer = world.browser().get("/v1/trainings/categories")

    assert answer.status == 200
    assert set(answer.body) == {"items", "next_cursor"}
    assert answer.body["next_cursor"] is None
    assert [set(category) for category in answer.body["items"]] == [
        {"id", "slug", "name_fr", "description_fr", "training_count"}
    ] * 3
    assert [
        (category["slug"], category["name_fr"], category["description_fr"], category["training_count"])
        for category in answer.body["items"]
    ] == [
        ("professionnels", "Professionnels", "Formations pour les professionnels de la finance", 2),
        ("investisseurs", "Investisseurs", "Formations pour les investisseurs individuels", 0),
        ("entrepreneurs", "Entrepreneurs", "Formations pour les entrepreneurs", 1),
    ]


def test_the_trainings_of_a_category(world: World) -> None:
    world.school.training("a", category="professionnels")
    world.school.training("b", category="investisseurs")
    visitor = world.browser()

    assert listed(visitor, category="professionnels") == ["a"]
    assert listed(visitor, category="investisseurs") == ["b"]
    assert listed(visitor, category="entrepreneurs") == []
    assert sorted(listed(visitor, category="")) == ["a", "b"]


@pytest.mark.parametrize("category", ["inconnue", "Professionnels", "professionnels'", "x" * 200, "é"])
def test_a_category_that_does_not_exist_is_not_found(world: World, category: str) -> None:
    world.school.training()

    refused(world.browser().get("/v1/trainings", {"category": category}), 404, "CATEGORY_NOT_FOUND")


# --- searching ----------------------------------------------------------------------------------------------

TRAININGS = {
    "ccvm": (CCVM, "L'essentiel de l’examen."),
    "bases": ("Les bases de l’investissement", "CELI, REER et CÉLIAPP."),
    "oeuvres": ("Œuvres d'art et placements", "100 % pratique (C++ non requis)."),
}


@pytest.fixture
def visitor(world: World) -> Browser:
    for slug, (title, description) in TRAININGS.items():
        world.school.training(slug, title=title, description=description)
    world.school.training("brouillon", title=CCVM, state="draft", published_at=None)
    return world.browser()


@pytest.mark.parametrize(
    ("search", "slugs"),
    [
        ("ccvm", ["ccvm"]),
        ("CCVM", ["ccvm"]),
        ("COMMERCE DES VALEURS", ["ccvm"]),
        ("valeurs mobilieres", ["ccvm"]),
        ("Mobilières", ["ccvm"]),
        (normalize("NFD", "mobilières"), ["ccvm"]),
        ("  valeurs\u00a0 mobilières ", ["ccvm"]),
        ("l'investissement", ["bases"]),
        ("l’examen", ["ccvm"]),
        ("lexamen", ["ccvm"]),
        ("celiapp", ["bases"]),
        ("œuvres d’art", ["oeuvres"]),
        ("OEUVRES", ["oeuvres"]),
        ("c", ["ccvm", "bases", "oeuvres"]),
        ("cc", ["ccvm"]),
        ("RE", ["bases", "oeuvres"]),
        ("vm", []),
        ("cvm", ["ccvm"]),
        ("%", ["oeuvres"]),
        ("c++", ["oeuvres"]),
        ("(CCVM)", ["ccvm"]),
        ("v.leurs", []),
        ("***=", []),
        ("' OR 1=1 --", []),
        ("", ["ccvm", "bases", "oeuvres"]),
        ("’", ["ccvm", "bases", "oeuvres"]),
    ],
)
def test_a_search_finds_a_training_however_it_is_typed(
    visitor: Browser, search: str, slugs: list[str]
) -> None:
    assert listed(visitor, search=search, sort="title") == slugs


def test_a_search_within_a_category(world: World, visitor: Browser) -> None:
    world.school.training("ccvm-2", title="CCVM Volume 2", category="investisseurs")

    assert listed(visitor, search="ccvm", category="investisseurs") == ["ccvm-2"]
    assert listed(visitor, search="espagnol", category="investisseurs") == []


# --- sorting and pages --------------------------------------------------------------------------------------


def pages(visitor: Browser, **query: str) -> list[list[str]]:
    """The slugs of each page, following the cursors to the end."""
    slugs: list[list[str]] = []
    cursor = None
    while not slugs or cursor:
        answer = visitor.get("/v1/trainings", query | ({"cursor": cursor} if cursor else {}))
        assert answer.status == 200, answer.text
        slugs.append([training["slug"] for training in answer.body["items"]])
        cursor = answer.body["next_cursor"]
    return slugs


def test_each_way_to_sort(world: World) -> None:
    for slug, title, price, day in (
        ("a", "Zéro dette", "99.00", 3),
        ("b", "élan", "1000.00", 1),
        ("c", "Étude", "299.00", 2),
        ("d", "eau", "0.00", 4),
    ):
        world.school.training(slug, price, title=title, published_at=datetime(2026, 1, day, tzinfo=UTC))
    visitor = world.browser()

    assert listed(visitor, sort="title") == listed(visitor, sort="title", order="asc") == ["d", "b", "c", "a"]
    assert listed(visitor, sort="title", order="desc") == ["a", "c", "b", "d"]
    assert listed(visitor, sort="price") == listed(visitor, sort="price", order="asc") == ["d", "a", "c", "b"]
    assert listed(visitor, sort="price", order="desc") == ["b", "c", "a", "d"]
    assert listed(visitor) == listed(visitor, sort="newest") == ["d", "a", "c", "b"]
    assert listed(visitor, order="desc") == ["d", "a", "c", "b"]
    assert listed(visitor, sort="newest", order="asc") == ["b", "c", "a", "d"]


@pytest.mark.parametrize(("sort", "order"), SORTS)
def test_nothing_is_lost_or_doubled_between_pages_of_equals(
    world: World, sort: TrainingSort, order: SortOrder
) -> None:
    """Titles that fold alike, equal prices, the same instant, to the microsecond; the id decides (F-11)."""
    instants = [NOON, NOON, NOON + timedelta(microseconds=1)]
    ids = sorted(uuid4() for _ in range(9))
    for n, training in enumerate(ids):
        world.school.training(
            f"t-{n}",
            ("299.00", "299.00", "299.01")[n // 3],
            title=("Été", "ETE", "Étés")[n // 3] + ("\u0301" if n % 2 else ""),
            published_at=instants[n // 3],
            id=training,
        )
    visitor = world.browser()
    expected = [f"t-{n}" for n in range(9)]
    if order == "desc":
        expected.reverse()

    for limit in (1, 2, 4, 9):
        found = pages(visitor, sort=sort, order=order, limit=str(limit))
        assert found == [expected[n : n + limit] for n in range(0, 9, limit)]


def test_pages_of_a_search_in_a_category(world: World) -> None:
    for n in range(5):
        world.school.training(f"ccvm-{n}", title=f"CCVM {n}", category="investisseurs")
        world.school.training(f"autre-{n}", title=f"CCVM {n}")
        world.school.training(f"encore-{n}", title=f"Autre {n}", category="investisseurs")

    assert pages(
        world.browser(), category="investisseurs", search="ccvm", sort="title", order="desc", limit="2"
    ) == [["ccvm-4", "ccvm-3"], ["ccvm-2", "ccvm-1"], ["ccvm-0"]]


def test_long_titles_of_letters_of_four_bytes_have_cursors_too(world: World) -> None:
    for n in range(3):
        world.school.training(f"t-{n}", title="\U00010428" * 200 + str(n))  # cut before they differ
    visitor = world.browser()

    assert sorted(slug for page in pages(visitor, sort="title", limit="1") for slug in page) == [
        "t-0",
        "t-1",
        "t-2",
    ]


def test_a_training_that_comes_or_goes_between_two_pages_moves_no_other(world: World) -> None:
    for slug in ("b", "d", "f", "h"):
        world.school.training(slug, title=slug)
    visitor = world.browser()
    first = visitor.get("/v1/trainings", {"limit": "2", "sort": "title"}).body

    world.school.training("a", title="a")
    world.school.training("e", title="e")
    world.connection.execute("UPDATE trainings SET state = 'archived' WHERE slug IN ('b', 'd')")

    assert listed(visitor, limit="2", sort="title", cursor=first["next_cursor"]) == ["e", "f"]


def test_twenty_stand_on_a_page_unless_asked_otherwise(world: World) -> None:
    for n in range(101):
        world.school.training(f"t-{n:03}", title=f"Titre {n:03}")
    visitor = world.browser()

    assert [len(page) for page in pages(visitor)] == [20] * 5 + [1]
    assert [len(page) for page in pages(visitor, limit="100")] == [100, 1]


@pytest.fixture
def two(world: World) -> Browser:
    world.school.training("a", title="CCVM a")
    world.school.training("b", title="CCVM b")
    return world.browser()


@pytest.mark.parametrize(
    "other",
    [
        {"sort": "price"},
        {"sort": "newest"},
        {"sort": "title", "order": "desc"},
        {"sort": "title", "search": "ccvm"},
        {"sort": "title", "category": "professionnels"},
        {"sort": "title", "category": "inconnue"},
    ],
)
def test_a_cursor_is_good_for_its_own_list(two: Browser, other: dict[str, str]) -> None:
    cursor = two.get("/v1/trainings", {"limit": "1", "sort": "title"}).body["next_cursor"]

    refused(two.get("/v1/trainings", other | {"cursor": cursor}), 422, "CURSOR_INVALID")
    assert listed(two, sort="title", order="asc", limit="5", cursor=cursor) == ["b"]


def tampered(sort: TrainingSort, *rest: object) -> str:
    """A cursor whose list is the right one."""
    parts = json.dumps([Listing.asked_for(None, None, sort, None).name, *rest])
    return base64.urlsafe_b64encode(parts.encode()).decode()


@pytest.mark.parametrize(
    "query",
    [
        {"cursor": "n'importe quoi"},
        {"cursor": ""},
        {"cursor": "WzEsMl0="},
        {"cursor": "bnVsbA=="},
        {"cursor": write_cursor(Place(NOON, UUID(int=1)))},
        {"cursor": tampered("newest", "2027-01-18", str(UUID(int=1)))},
        {"cursor": tampered("newest", "2027-W03-1T12:00:00", str(UUID(int=1)))},
        {"cursor": tampered("newest", "299.00", str(UUID(int=1)))},
        {"cursor": tampered("newest", NOON.isoformat(), "x")},
        {"cursor": tampered("newest", NOON.isoformat())},
        {"cursor": tampered("price", "Infinity", str(UUID(int=1))), "sort": "price"},
        {"cursor": tampered("price", "1e400", str(UUID(int=1))), "sort": "price"},
        {"cursor": tampered("title", "a\0", str(UUID(int=1))), "sort": "title"},
        {"cursor": tampered("title", "\ud83d", str(UUID(int=1))), "sort": "title"},
    ],
)
def test_a_tampered_cursor_is_refused(two: Browser, query: dict[str, str]) -> None:
    refused(two.get("/v1/trainings", query), 422, "CURSOR_INVALID")


@pytest.mark.parametrize(
    ("sort", "key"),
    [
        ("newest", "0001-01-01T00:00:00+14:00"),
        ("newest", "9999-12-31T23:59:59.999999-14:00"),
        ("newest", "2027-W03-1T12:00:00+00:00"),
        ("newest", "2027-01-18T12:00:00+23:59:59"),
        ("price", "99999999.99"),
        ("title", "\U0001f600\n\t\x01'\\%"),
    ],
)
def test_a_place_where_nothing_is_ends_or_begins_the_list(two: Browser, sort: TrainingSort, key: str) -> None:
    answer = two.get("/v1/trainings", {"sort": sort, "cursor": tampered(sort, key, str(UUID(int=1)))})

    assert answer.status == 200, answer.text


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"limit": "0"}, "limit"),
        ({"limit": "101"}, "limit"),
        ({"limit": "-1"}, "limit"),
        ({"limit": "dix"}, "limit"),
        ({"sort": "prix"}, "sort"),
        ({"sort": ""}, "sort"),
        ({"sort": "price_cad"}, "sort"),
        ({"sort": "title", "order": "down"}, "order"),
        ({"order": "ASC"}, "order"),
        ({"search": "a\0b"}, "search"),
        ({"search": "x" * 201}, "search"),
        ({"category": "a\0b"}, "category"),
        ({"category": "x" * 201}, "category"),
        ({"cursor": "x" * 1201}, "cursor"),
    ],
)
def test_what_no_list_is_asked_by_is_refused(two: Browser, query: dict[str, str], field: str) -> None:
    answer = two.get("/v1/trainings", query)

    refused(answer, 422, "VALIDATION_FAILED")
    assert answer.body["errors"] == [
        {"field": field, "code": "INVALID", "detail": "Cette valeur est invalide."}
    ]


@pytest.mark.parametrize(
    ("slug", "status", "code"),
    [
        ("aucune", 404, "TRAINING_NOT_FOUND"),
        ("CCVM-VOLUME-1", 404, "TRAINING_NOT_FOUND"),
        ("a%27b", 404, "TRAINING_NOT_FOUND"),
        ("%", 404, "TRAINING_NOT_FOUND"),
        ("x" * 200, 404, "TRAINING_NOT_FOUND"),
        ("x" * 201, 422, "VALIDATION_FAILED"),
        ("a\0b", 404, "NOT_FOUND"),
        ("\ud83d", 404, "NOT_FOUND"),
        ("é", 404, "TRAINING_NOT_FOUND"),
        ("a/b", 404, "NOT_FOUND"),
    ],
)
def test_an_odd_slug_is_no_fault_of_ours(two: Browser, slug: str, status: int, code: str) -> None:
    refused(two.get(f"/v1/trainings/{slug}"), status, code)


@pytest.mark.parametrize(
    "search", ["\U0001f600", "\\", "(", "[", "*", "{9999}", "\u0301", "\u202e", "a" * 200, "\n", "\x85"]
)
def test_an_odd_search_is_no_fault_of_ours(two: Browser, search: str) -> None:
    assert two.get("/v1/trainings", {"search": search}).status == 200


@pytest.mark.parametrize(("sort", "order"), SORTS)
def test_a_page_is_read_from_its_index(
    connection: psycopg.Connection, sort: TrainingSort, order: SortOrder
) -> None:
    """The rows after a place are not sorted, and those before it not read."""
    connection.execute("SET enable_seqscan = off")
    connection.execute("SET enable_bitmapscan = off")
    key = {"title": "a", "price": 1, "newest": NOON}[sort]
    values: dict[str, Any] = {
        "category": None,
        "search": "",
        "user_id": None,
        "session_hash": None,
        "now": NOON,
    }
    values |= {"key": key, "id": UUID(int=1), "at_most": 21}
    plan = [line for (line,) in connection.execute(f"EXPLAIN {PAGES[sort, order]}", values)]

    index = {"title": "title", "price": "price", "newest": "date"}[sort]
    assert any(f"trainings_by_{index}" in line for line in plan), plan
    assert any("Index Cond" in line and "ROW(" in line for line in plan), plan
    assert not any("Sort" in line for line in plan), plan


def test_a_search_is_answered_by_its_index(connection: psycopg.Connection) -> None:
    connection.execute("SET enable_seqscan = off")
    connection.execute(  # an empty table can as well be read whole from these
        "DROP INDEX trainings_of_category, trainings_by_title, trainings_by_price, trainings_by_date"
    )
    plan = connection.execute(
        "EXPLAIN SELECT id FROM published_trainings(NULL, %s, NULL, NULL, now())", ("ccvm",)
    ).fetchall()

    assert any("trainings_by_words" in line for (line,) in plan), plan


# --- who looks ----------------------------------------------------------------------------------------------


def test_everybody_may_look_and_nothing_is_kept_of_it(world: World) -> None:
    """Guests, students, suspended or not, administrators; no cookie is set, no cache keeps what is the caller's."""
    world.school.training()
    account(world, "zoe@exemple.ca")
    account(world, "suspendue@exemple.ca", status="active")
    account(world, "chef@exemple.ca", "admin")
    suspended = signed_in(world, "suspendue@exemple.ca")
    world.connection.execute("UPDATE users SET status = 'suspended' WHERE email = 'suspendue@exemple.ca'")
    guest = world.browser()
    guest.cookies["__Host-cart_session_id"] = "inconnu-ici"
    visitors = [
        world.browser(),
        guest,
        signed_in(world, "zoe@exemple.ca"),
        suspended,
        signed_in(world, "chef@exemple.ca"),
    ]

    for visitor in visitors:
        for path in ("/v1/trainings", "/v1/trainings/ccvm-volume-1", "/v1/trainings/categories"):
            with nothing_written(world.connection):
                answer = visitor.get(path)
            assert (answer.status, answer.cookies) == (200, []), answer.text
            assert answer.headers["Cache-Control"] == "no-store"
        assert visitor.get("/v1/trainings/ccvm-volume-1").body["cta"] == "BUY"


def test_a_token_that_opens_nothing_is_refused(world: World) -> None:
    world.school.training()
    for path in ("/v1/trainings", "/v1/trainings/ccvm-volume-1"):
        refused(world.browser().get(path, authorization="Bearer aucun"), 401, "UNAUTHENTICATED")


def test_what_somebody_has_is_shown_to_them_alone(world: World) -> None:
    ids = {
        slug: world.school.training(slug, title=slug) for slug in ("achete", "choisi", "expire", "nouveau")
    }
    zoe = account(world, "zoe@exemple.ca")
    account(world, "lea@exemple.ca")
    for slug, until in (("achete", timedelta(days=1)), ("expire", timedelta(0))):
        world.connection.execute(
            "INSERT INTO enrolments (id, user_id, training_id, source, starts_at, expires_at, created_at)"
            " VALUES (gen_random_uuid(), %s, %s, 'grant', %s, %s, now())",
            (zoe, ids[slug], world.clock() - timedelta(days=30), world.clock() + until),
        )
    guest = world.browser()
    added = guest.post("/v1/trainings/cart/items", {"training_id": str(ids["choisi"])})
    assert added.status == 201

    def seen(visitor: Browser) -> list[str]:
        together = visitor.get("/v1/trainings", {"sort": "title"}).body["items"]
        ctas = [training["cta"] for training in together]
        assert ctas == [visitor.get(f"/v1/trainings/{slug}").body["cta"] for slug in sorted(ids)]
        return ctas

    student = signed_in(world, "zoe@exemple.ca")
    student.cookies.update(guest.cookies)  # a cart of before: hers is her account's
    assert seen(student) == ["ENROLLED", "BUY", "EXPIRED", "BUY"]
    assert seen(guest) == ["BUY", "IN_CART", "BUY", "BUY"]
    assert seen(signed_in(world, "lea@exemple.ca")) == seen(world.browser()) == ["BUY"] * 4


def test_a_look_is_one_round_trip_and_a_session_one_more(world: World, configured: Database) -> None:
    world.school.training(modules=("Un", "Deux"))
    account(world, "zoe@exemple.ca")
    stranger, student = world.browser(), signed_in(world, "zoe@exemple.ca")
    with counted(configured) as wire:
        stranger.get("/v1/trainings")
        for path in ("/v1/trainings", "/v1/trainings/ccvm-volume-1"):
            trips = []
            for visitor in (stranger, student):
                visitor.get(path)  # statements are prepared
                wire.reset()
                assert visitor.get(path).status == 200
                trips.append(wire.round_trips)
            assert trips == [1, 2], path


# --- what the tables keep -----------------------------------------------------------------------------------


def test_the_three_categories_are_there_once_whatever_became_of_them(connection: psycopg.Connection) -> None:
    """The migration's statement again: what an administrator has written stays."""
    connection.execute("UPDATE training_categories SET description_fr = 'Autre' WHERE slug = 'investisseurs'")
    text = Path("migrations/0043_trainings.sql").read_text(encoding="utf-8")
    begin = text.index("INSERT INTO training_categories")
    connection.execute(text[begin : text.index(";", begin)].encode())

    assert connection.execute(
        "SELECT slug, description_fr FROM training_categories ORDER BY position"
    ).fetchall() == [
        ("professionnels", "Formations pour les professionnels de la finance"),
        ("investisseurs", "Autre"),
        ("entrepreneurs", "Formations pour les entrepreneurs"),
    ]


@pytest.mark.parametrize("slug", ["cart", "checkout", "categories"])
def test_no_training_takes_an_address_of_the_shop(world: World, slug: str) -> None:
    with pytest.raises(errors.CheckViolation, match="trainings_slug_is_no_route"):
        world.school.training(slug)


def test_a_slug_is_one_training_s(world: World) -> None:
    world.school.training("ccvm-volume-1")
    with pytest.raises(errors.UniqueViolation, match="trainings_one_per_slug"):
        world.school.training("ccvm-volume-1")


def test_modules_change_places_in_one_transaction(world: World) -> None:
    world.school.training(modules=("Un", "Deux", "Trois"))
    with world.connection.transaction():
        world.connection.execute("UPDATE modules SET position = 4 - position")
    outline = world.browser().get("/v1/trainings/ccvm-volume-1").body["modules"]

    assert [module["title_fr"] for module in outline] == ["Trois", "Deux", "Un"]
    with pytest.raises(errors.UniqueViolation, match="modules_one_per_position"):
        world.connection.execute("UPDATE modules SET position = 1")
    assert world.browser().get("/v1/trainings/ccvm-volume-1").body["modules"] == outline
