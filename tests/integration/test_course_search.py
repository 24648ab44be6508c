"""What a visitor types finds the courses it means, and no others (decision 24), in an order of no collation."""

from datetime import UTC, datetime, time
from unicodedata import category, normalize
from uuid import UUID

import psycopg
import pytest

from domain.paging import Place, write_cursor
from tests.support.browser import Browser
from tests.support.world import World

NOON = datetime(2027, 1, 18, 17, tzinfo=UTC)
COURSES = {
    "algebre": ("Algèbre, secondaire 4", "Équations du second degré."),
    "anglais": ("Anglais, langue seconde", "Conversation et rédaction."),
    "ecriture": ("Épreuve d’écriture", "Préparation à l'épreuve unique."),
    "francais": ("Français, secondaire 5", "Grammaire et lecture."),
    "oeuvres": ("Œuvres au programme", "Du cœur de l’Antiquité à nos jours."),
    "programmation": ("Programmation (C++ et C#)", "Chemins en C:\\temp et noms_de_variables."),
    "reussite": ("100 % réussite", "Méthode de travail."),
    "russe": ("Русский язык", "Ёлка, puis l'alphabet."),
}
EVERY_COURSE = [
    "reussite",
    "algebre",
    "anglais",
    "ecriture",
    "francais",
    "oeuvres",
    "programmation",
    "russe",
]


@pytest.fixture
def visitor(world: World) -> Browser:
    for slug, (title, description) in COURSES.items():
        world.school.course(slug, title=title, description=description)
    world.school.course("francais-ferme", title="Français, algèbre et écriture", active=False)
    return world.browser()


def found(visitor: Browser, search: str | None) -> list[str]:
    answer = visitor.get("/v1/courses", {} if search is None else {"search": search})
    assert answer.status == 200, answer.text
    return [course["slug"] for course in answer.body["items"]]


@pytest.mark.parametrize(
    ("search", "slugs"),
    [
        ("francais", ["francais"]),
        ("FRANCAIS", ["francais"]),
        ("Français", ["francais"]),
        ("FRANÇAIS", ["francais"]),
        (normalize("NFD", "français"), ["francais"]),
        ("  français  ", ["francais"]),
        ("\u00a0français,\u2003 SECONDAIRE\u00a0", ["francais"]),
        ("fran\u00adcais", ["francais"]),
        ("algebre", ["algebre"]),
        ("ALGÈBRE", ["algebre"]),
        ("equations", ["algebre"]),
        ("secondaire", ["algebre", "francais"]),
        ("d'écriture", ["ecriture"]),
        ("d’écriture", ["ecriture"]),
        ("d´ecriture", ["ecriture"]),
        ("d＇ecriture", ["ecriture"]),
        ("decriture", ["ecriture"]),
        ("l’épreuve", ["ecriture"]),
        ("écriture", ["ecriture"]),
        ("cœur", ["oeuvres"]),
        ("COEUR", ["oeuvres"]),
        ("œuvre", ["oeuvres"]),
        ("РУССКИЙ", ["russe"]),
        ("русскии", ["russe"]),
        ("елка", ["russe"]),
        ("espagnol", []),
        # The end of a title and the beginning of the description beside it are two texts.
        ("secondaire 5 grammaire", []),
        ("5 grammaire", []),
    ],
)
def test_a_search_finds_a_course_however_it_is_typed(visitor: Browser, search: str, slugs: list[str]) -> None:
    assert found(visitor, search) == slugs


@pytest.mark.parametrize(
    ("search", "slugs"),
    [
        ("f", ["francais"]),
        ("É", ["algebre", "anglais", "ecriture", "francais", "programmation"]),
        ("al", ["algebre"]),
        ("AN", ["anglais"]),
        ("Œ", ["oeuvres"]),
        ("co", ["anglais", "oeuvres"]),
        ("c", ["anglais", "oeuvres", "programmation"]),
        ("р", ["russe"]),
        ("ус", []),
        ("5", ["francais"]),
        ("00", []),
        # From three letters on, what stands inside a word is found too.
        ("ais", ["anglais", "francais"]),
        ("nça", ["francais"]),
    ],
)
def test_one_or_two_letters_begin_a_word(visitor: Browser, search: str, slugs: list[str]) -> None:
    assert found(visitor, search) == slugs


@pytest.mark.parametrize(
    ("search", "slugs"),
    [
        ("%", ["reussite"]),
        ("100 %", ["reussite"]),
        ("100%", []),
        ("_", ["programmation"]),
        ("noms_de", ["programmation"]),
        ("nomsXde", []),
        ("\\", ["programmation"]),
        ("C:\\temp", ["programmation"]),
        ("C++", ["programmation"]),
        ("c#", ["programmation"]),
        ("(c", ["programmation"]),
        ("...", []),
        ("f.ançais", []),
        ("***=", []),
        ("[a-z]", []),
        ("a|b", []),
        ("' OR 1=1 --", []),
    ],
)
def test_nothing_in_a_search_stands_for_anything_else(
    visitor: Browser, search: str, slugs: list[str]
) -> None:
    assert found(visitor, search) == slugs


@pytest.mark.parametrize("search", [None, "", "   ", "\u00a0", "'", "’´", "\u0301", "\u200b"])
def test_a_search_for_nothing_lists_every_course(visitor: Browser, search: str | None) -> None:
    assert found(visitor, search) == EVERY_COURSE


def test_courses_stand_by_title_without_its_accents_and_capitals(world: World) -> None:
    for slug, title in (("a", "Zoologie"), ("b", "économie"), ("c", "Éthique"), ("d", "Étude"), ("e", "eau")):
        world.school.course(slug, title=title)

    assert found(world.browser(), None) == ["e", "b", "c", "d", "a"]


def test_tutors_stand_by_name_without_its_accents_and_capitals(world: World) -> None:
    course = world.school.course()
    for name in ("Zoé", "émile", "Éloi", "Eve", "d'Amour", "Dalida"):
        world.school.tutor(course, name=name, hours=(time(9), time(12)))

    tutors = world.browser().get("/v1/courses/francais-secondaire").body["tutors"]

    assert [tutor["display_name"] for tutor in tutors] == ["Dalida", "d'Amour", "Éloi", "émile", "Eve", "Zoé"]


def test_fold_agrees_with_unicode_on_every_latin_greek_cyrillic_and_armenian_letter(
    connection: psycopg.Connection,
) -> None:
    letters = [chr(code) for code in (*range(0x20, 0x590), *range(0x1E00, 0x2000)) if chr(code).isalpha()]
    said = {"œ": "oe", "æ": "ae", "ς": "σ"}

    def expected(letter: str) -> str:
        plain = "".join(each for each in normalize("NFKD", letter) if category(each)[0] != "M")
        lowered = plain.lower().translate(dict.fromkeys(map(ord, "'ʹʻʼʽˈˊˋ")))
        return "".join(said.get(each, each) for each in lowered).strip()

    folded: dict[str, str] = dict(
        connection.execute("SELECT letter, fold(letter) FROM unnest(%s::text[]) AS letter", (letters,))
    )

    assert {letter: folded[letter] for letter in letters if folded[letter] != expected(letter)} == {}


def test_fold_is_the_same_for_ever_and_changes_nothing_twice(connection: psycopg.Connection) -> None:
    text = "  L’Œuvre\u00a0D'ÉTÉ\u2003— \tﬁn\n№ ½ "
    (once, twice) = connection.execute(
        "SELECT fold(%(text)s), fold(fold(%(text)s))", {"text": text}
    ).fetchone()  # type: ignore[misc]

    assert once == twice == "loeuvre dete — fin no 1⁄2"
    assert connection.execute("SELECT provolatile FROM pg_proc WHERE proname = 'fold'").fetchall() == [("i",)]


def test_a_search_is_answered_by_its_index(connection: psycopg.Connection) -> None:
    connection.execute("SET enable_seqscan = off")
    for search in ("francais", "c++", "fr"):
        plan = connection.execute(
            "EXPLAIN SELECT id FROM courses WHERE search_folded ~ search_pattern(%s)", (search,)
        ).fetchall()

        assert any("courses_by_words" in line for (line,) in plan), plan


# --- pages ---------------------------------------------------------------------------------------------------


def pages(visitor: Browser, **query: str) -> list[list[str]]:
    """The slugs of each page, following the cursors to the end."""
    slugs: list[list[str]] = []
    cursor = None
    while not slugs or cursor:
        answer = visitor.get("/v1/courses", query | ({"cursor": cursor} if cursor else {}))
        assert answer.status == 200, answer.text
        assert set(answer.body) == {"items", "next_cursor"}
        slugs.append([course["slug"] for course in answer.body["items"]])
        cursor = answer.body["next_cursor"]
    return slugs


def test_twenty_courses_stand_on_a_page_unless_asked_otherwise(world: World) -> None:
    for n in range(101):
        world.school.course(f"cours-{n:03}", title=f"Cours {n:03}")
    slugs = [f"cours-{n:03}" for n in range(101)]
    visitor = world.browser()

    assert pages(visitor) == [slugs[n : n + 20] for n in range(0, 101, 20)]
    assert pages(visitor, limit="100") == [slugs[:100], slugs[100:]]
    assert pages(visitor, limit="50", search="cours 09") == [slugs[90:100]]
    assert pages(visitor, limit="5", search="cours 09") == [slugs[90:95], slugs[95:100]]


def test_no_course_is_lost_or_doubled_between_pages_of_equal_and_long_titles(world: World) -> None:
    titles = ["Été", "ete", "ÉTÉ", "Л’été" * 90, "Л’été" * 90 + " (suite)", "Ёлка" * 400, '"\\' * 300]
    for n, title in enumerate(titles):
        world.school.course(f"c-{n}", title=title)
    visitor = world.browser()
    (together,) = pages(visitor)

    assert sorted(together) == [f"c-{n}" for n in range(7)]
    assert pages(visitor, limit="1") == [[slug] for slug in together]
    assert pages(visitor, limit="2") == [together[n : n + 2] for n in range(0, 7, 2)]


def test_a_course_that_comes_or_goes_between_two_pages_moves_no_other(world: World) -> None:
    for slug in ("b", "d", "f", "h"):
        world.school.course(slug, title=f"Titre {slug}")
    visitor = world.browser()
    first = visitor.get("/v1/courses", {"limit": "2"}).body

    world.school.course("a", title="Titre a")
    world.school.course("e", title="Titre e")
    world.connection.execute("UPDATE courses SET active = false WHERE slug IN ('b', 'd')")
    second = visitor.get("/v1/courses", {"limit": "2", "cursor": first["next_cursor"]}).body

    assert [course["slug"] for course in first["items"]] == ["b", "d"]
    assert [course["slug"] for course in second["items"]] == ["e", "f"]


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ({"cursor": "n'importe quoi"}, "CURSOR_INVALID"),
        ({"cursor": ""}, "CURSOR_INVALID"),
        ({"cursor": "WzEsMl0="}, "CURSOR_INVALID"),
        (  # of a list by instant
            {"cursor": write_cursor(Place(NOON, UUID(int=1)))},
            "CURSOR_INVALID",
        ),
        ({"limit": "0"}, "VALIDATION_FAILED"),
        ({"limit": "101"}, "VALIDATION_FAILED"),
        ({"limit": "-1"}, "VALIDATION_FAILED"),
        ({"limit": "dix"}, "VALIDATION_FAILED"),
    ],
)
def test_an_unreadable_cursor_or_limit_is_refused(world: World, query: dict[str, str], code: str) -> None:
    answer = world.browser().get("/v1/courses", query)

    assert (answer.status, answer.body["code"]) == (422, code)
