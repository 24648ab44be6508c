"""Small changes are found where they are, made in a copy alone, and said to be noticed only by a test that fails."""

from pathlib import Path

import pytest

from local.mutants.copy_of_tree import changed
from local.mutants.core import AREAS, SHARED, draw, find_changes
from local.mutants.python_changes import find_python_changes
from local.mutants.sql_changes import find_sql_changes
from local.mutants.tests_by_function import NotedTest, in_order
from local.mutants.trial import first_to_fail, try_change, within

ROOT = Path(__file__).parents[2]
RULE = "def is_late(now, start):\n    return now >= start\n"
NOTICES = "from rule import is_late\n\n\ndef test_at_the_start_it_is_late():\n    assert is_late(1, 1)\n"
NOTICES_NOT = (
    "from rule import is_late\n\n\ndef test_after_the_start_it_is_late():\n    assert is_late(2, 1)\n"
)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A rule, a test that sees its boundary and one that does not."""
    (tmp_path / "rule.py").write_text(RULE, encoding="utf-8")
    (tmp_path / "test_exact.py").write_text(NOTICES, encoding="utf-8")
    (tmp_path / "test_vague.py").write_text(NOTICES_NOT, encoding="utf-8")
    (tmp_path / "pyproject.toml").write_text("[tool.pytest.ini_options]\n", encoding="utf-8")
    return tmp_path


def python_changes(text: str) -> set[tuple[str, str, str]]:
    return {(one.kind, one.before, one.after) for one in find_python_changes("a.py", text, ["f:now"])}


def sql_changes(text: str) -> set[tuple[str, str, str]]:
    return {(one.kind, text[one.start : one.end], one.after) for one in find_sql_changes(text)}


def test_changes_of_python() -> None:
    assert python_changes("x = a < b") == {("comparison", "<", "<=")}
    assert python_changes("x = a and not b") == {("logic", "and", "or"), ("logic", "not ", "")}
    assert python_changes("x = -(a + 2)") == {
        ("arithmetic", "-", ""),
        ("arithmetic", "+", "-"),
        ("constant", "2", "3"),
        ("constant", "2", "1"),
    }
    assert python_changes("if a:\n    raise B") == {
        ("guard", "a", "False"),
        ("guard", "a", "True"),
        ("statement removed", "raise B", "pass"),
    }
    assert python_changes("x = f(a, b, now=c)") == {
        ("arguments swapped", "a, b", "b, a"),
        ("argument dropped", "now=c", ""),
    }
    assert python_changes("x = a in (b, c)") == {
        ("comparison", "in", "not in"),
        ("member removed", "b, ", ""),
        ("member removed", "c", ""),
    }
    assert python_changes("@retried_on_deadlock\ndef g(x: int | None) -> int | None: ...") == {
        ("retry removed", "@retried_on_deadlock", "")
    }
    assert ("SQL: comparison", "<", "<=") in python_changes('f("SELECT FROM carts WHERE id < 1")')


def test_changes_of_sql() -> None:
    assert sql_changes("UPDATE a SET b = c WHERE d = e AND f IS NULL") == {
        ("comparison", "=", "<>"),
        ("logic", "AND", "OR"),
        ("null", "IS NULL", "IS NOT NULL"),
        ("condition dropped", "d = e", "true"),
        ("condition dropped", "f IS NULL", "true"),
    }
    assert sql_changes("SELECT a FROM b ORDER BY c LIMIT 1 FOR UPDATE SKIP LOCKED") == {
        ("order", "c", "c DESC"),
        ("order removed", "ORDER BY c", ""),
        ("limit removed", " LIMIT 1", ""),
        ("constant", "1", "2"),
        ("lock removed", " FOR UPDATE SKIP LOCKED", ""),
        ("lock waits", " SKIP LOCKED", ""),
    }
    assert sql_changes("INSERT INTO a SELECT coalesce(max(b), c) ON CONFLICT (d) DO NOTHING") == {
        ("other function", "max", "min"),
        ("default removed", "coalesce(max(b), c)", "(max(b))"),
        ("conflict not expected", "ON CONFLICT (d) DO NOTHING", ""),
    }
    assert sql_changes("SELECT FROM a WHERE b BETWEEN 'x' AND 'y' -- AND c < d") == {
        ("condition dropped", "b BETWEEN 'x' AND 'y'", "true")
    }
    assert {
        one for one in sql_changes("SELECT FROM a WHERE b IN ('x', 'y')") if one[0] == "member removed"
    } == {
        ("member removed", "'x', ", ""),
        ("member removed", ", 'y'", ""),
    }


def test_a_seed_draws_the_same_changes_again_from_every_area_in_turn() -> None:
    changes = find_changes(ROOT)
    drawn = draw(changes, 48, seed=7)

    assert drawn == draw(changes, 48, seed=7) != draw(changes, 48, seed=8)
    assert [sum(one in of_area for one in drawn) for of_area in changes.values()] == [4] * len(changes)
    every = [one.id for of_area in changes.values() for one in of_area]
    assert len(every) == len(set(every))


def test_a_planted_change_is_made_and_the_tree_is_as_before_afterwards(tree: Path) -> None:
    [change] = find_python_changes("rule.py", RULE)

    with changed(tree, change):
        assert (tree / "rule.py").read_text(encoding="utf-8") == RULE.replace(">=", ">")
    assert (tree / "rule.py").read_text(encoding="utf-8") == RULE
    with pytest.raises(KeyboardInterrupt), changed(tree, change):
        raise KeyboardInterrupt
    assert (tree / "rule.py").read_text(encoding="utf-8") == RULE


def test_a_change_is_not_made_where_the_file_reads_otherwise(tree: Path) -> None:
    [change] = find_python_changes("rule.py", RULE)
    (tree / "rule.py").write_text(f"\n{RULE}", encoding="utf-8")

    with pytest.raises(ValueError, match="is not what the change was made for"), changed(tree, change):
        pass
    assert (tree / "rule.py").read_text(encoding="utf-8") == f"\n{RULE}"


def test_a_test_that_fails_notices_the_change_and_one_that_passes_does_not(tree: Path) -> None:
    [change] = find_python_changes("rule.py", RULE)
    vague = NotedTest("test_vague.py::test_after_the_start_it_is_late", 0.1, frozenset())
    exact = NotedTest("test_exact.py::test_at_the_start_it_is_late", 0.1, frozenset())

    assert first_to_fail(tree, [vague, exact]) is None
    assert try_change(tree, change, [vague]).noticed_by is None
    assert try_change(tree, change, [vague, exact]).noticed_by == exact.id
    assert (tree / "rule.py").read_text(encoding="utf-8") == RULE
    with pytest.raises(RuntimeError, match="pytest did not run"):
        first_to_fail(tree, [NotedTest("test_vague.py::test_of_yesterday", 0.1, frozenset())])


def test_the_tests_that_reach_a_function_take_turns_over_their_files() -> None:
    reaching, other = frozenset({"rule.py::is_late"}), frozenset({"rule.py::is_early"})
    narrow = [NotedTest("narrow.py::slow", 2, reaching), NotedTest("narrow.py::quick", 1, reaching)]
    broad = [NotedTest("broad.py::reaches", 3, reaching), NotedTest("broad.py::does_not", 1, other)]

    ordered = list(in_order([*broad, *narrow], reaching))

    assert [one.id for one in ordered] == ["narrow.py::quick", "broad.py::reaches", "narrow.py::slow"]
    assert within(ordered, 3) == [narrow[1], narrow[0]]


def test_a_test_that_fails_once_only_does_not_notice(tree: Path) -> None:
    """It fails of the machine's load: the first time it is run, and not the second."""
    (tree / "test_hasty.py").write_text(
        "from pathlib import Path\n\n\ndef test_in_time():\n    seen = Path('seen')\n    late = not seen.exists()\n"
        "    seen.touch()\n    assert not late\n",
        encoding="utf-8",
    )
    [change] = find_python_changes("rule.py", RULE)
    hasty = NotedTest("test_hasty.py::test_in_time", 0.1, frozenset())
    vague = NotedTest("test_vague.py::test_after_the_start_it_is_late", 0.1, frozenset())
    exact = NotedTest("test_exact.py::test_at_the_start_it_is_late", 0.1, frozenset())

    assert try_change(tree, change, [hasty, vague]).noticed_by is None
    (tree / "seen").unlink()
    assert try_change(tree, change, [hasty, vague, exact]).noticed_by == exact.id


def test_every_pattern_of_an_area_finds_a_file() -> None:
    """A file that moves takes its place in an area along."""
    shared = ROOT / SHARED
    patterns = [(area, pattern) for area, patterns in AREAS.items() for pattern in patterns]
    assert [found for found in patterns if not any(shared.glob(found[1]))] == []
