"""The tables that say which test proves what: every test they name exists, and no line is missing."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
NAMED = re.compile(r"`(test_\w+\.py)::(test_\w+)`")


def names_in(file: Path) -> set[str]:
    """The names of a file's tests."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    return {
        node.name for node in tree.body if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    }


def lines(page: str, first_cell: str) -> dict[str, str]:
    """A table's lines by their first cell."""
    found = re.findall(
        rf"^\| ({first_cell}) \|(.*)\|$", (DOCS / page).read_text(encoding="utf-8"), re.MULTILINE
    )
    return dict(found)


@pytest.mark.parametrize("page", ["acceptance.md", "figures.md", "examination.md"])
def test_every_test_a_page_names_exists(page: str) -> None:
    known = {(file.name, name) for file in (ROOT / "tests").rglob("test_*.py") for name in names_in(file)}
    named = NAMED.findall((DOCS / page).read_text(encoding="utf-8"))

    assert named
    assert [f"{file}::{test}" for file, test in named if (file, test) not in known] == []


def test_each_of_the_twenty_acceptance_tests_has_its_tests() -> None:
    table = lines("acceptance.md", r"\d+")

    assert list(table) == [str(number) for number in range(1, 21)]
    assert [number for number, line in table.items() if not NAMED.search(line)] == []


def test_each_measurable_claim_has_its_proof() -> None:
    table = lines("figures.md", r"B-\d+")

    assert list(table) == [f"B-{number}" for number in range(1, 11)]
    assert [
        number
        for number, line in table.items()
        if not (NAMED.search(line) or re.search(r"`bench/\w+\.py`", line))
    ] == []


def test_a_test_that_is_gone_would_be_found() -> None:
    """The negative control."""
    assert "test_a_test_that_is_gone" not in names_in(Path(__file__))
    assert "test_a_test_that_is_gone_would_be_found" in names_in(Path(__file__))
