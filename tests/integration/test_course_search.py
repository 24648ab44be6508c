"""What a visitor types finds the courses it means, and no others (decision 24), in an order of no collation."""

from datetime import time
from unicodedata import category, normalize

import psycopg
import pytest

from tests.support.browser import Browser
from tests.support.world import World

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
