"""The core: which files a change may be drawn from, and the draw."""

import ast
import random
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from textwrap import dedent

from local.mutants.change import Change
from local.mutants.migrations import find_migration_changes, find_routines, find_triggers
from local.mutants.python_changes import find_defaults, find_python_changes

SHARED = "layers/shared"
AREAS: Mapping[str, Sequence[str]] = {
    "money": ["domain/money.py", "domain/coupons/coupons.py", "domain/credits/*.py"],
    "grid": ["domain/scheduling/grid.py", "domain/scheduling/availability.py", "domain/clock.py"],
    "claims": ["domain/scheduling/claims.py", "domain/scheduling/booked_time.py", "domain/transactions.py"],
    "cart": ["domain/cart/*.py", "domain/carts/*.py"],
    "checkout": [
        "domain/checkout/*.py",
        "domain/products/*.py",
        "domain/tutoring/*.py",
        "domain/accounts/stripe_customers.py",
        "domain/catalog/teachers.py",
    ],
    "settlement": [
        "domain/checkout/settle.py",
        "domain/tutoring/book.py",
        "domain/tutoring/events.py",
        "domain/orders/*.py",
    ],
    "returns": [
        "domain/returns/*.py",
        "domain/payments/*.py",
        "domain/checkout/follow_refunds.py",
        "domain/tutoring/refunds.py",
    ],
    "transitions": ["domain/appointments/*.py"],
    "outbox": ["domain/webhooks/outbox.py", "domain/webhooks/retention.py", "domain/webhooks/backlog.py"],
    "relay": ["domain/webhooks/relay.py", "domain/webhooks/endpoints.py", "domain/webhooks/breaker.py"],
    "dispatch": [
        "domain/webhooks/dispatch.py",
        "domain/webhooks/deliver*.py",
        "domain/webhooks/outcomes.py",
        "domain/webhooks/replay.py",
        "domain/webhooks/retries.py",
    ],
}
SQL_AREA = "SQL of migrations"


def find_changes(tree: Path) -> dict[str, list[Change]]:
    """Every small change of the core, by area. A file of two areas is in the narrower one alone."""
    shared = tree / SHARED
    sources = _read(tree)
    defaults = {name for text in sources.values() for name in find_defaults(text)}
    owners: dict[str, str] = {}
    for area, patterns in sorted(AREAS.items(), key=lambda named: named[0] == "checkout"):
        for file in sorted(file for pattern in patterns for file in shared.glob(pattern)):
            owners.setdefault(str(file.relative_to(tree)), area)
    found: dict[str, list[Change]] = {area: [] for area in (*AREAS, SQL_AREA)}
    for path, area in sorted(owners.items()):
        found[area] += find_python_changes(path, sources[path], defaults)
    used = {name: bool(_callers(tree, name, sources)) for name in find_routines(tree / "migrations")}
    found[SQL_AREA] += find_migration_changes(tree / "migrations", used)
    return {area: list(_numbered(of_area)) for area, of_area in found.items()}


def _numbered(changes: Sequence[Change]) -> Iterator[Change]:
    """Each told from those of its place that read the same."""
    seen: Counter[str] = Counter()
    for change in sorted(changes, key=lambda one: (one.path, one.start, one.end, one.kind, one.after)):
        yield replace(change, nth=seen[change.id])
        seen[change.id] += 1


def draw(
    changes: Mapping[str, Sequence[Change]], how_many: int, seed: int, but: frozenset[str] = frozenset()
) -> list[Change]:
    """So many changes: areas take turns, and within an area the kinds of change do. `but` are areas left out."""
    dice = random.Random(seed)  # noqa: S311  the same seed, the same changes
    turns = {area: _by_kind(of_area, dice) for area, of_area in changes.items() if area not in but}
    drawn: list[Change] = []
    while turns and len(drawn) < how_many:
        for area in list(turns):
            change = next(turns[area], None)
            if change is None:
                del turns[area]
            elif len(drawn) < how_many:
                drawn.append(change)
    return drawn


def _by_kind(changes: Sequence[Change], dice: random.Random) -> Iterator[Change]:
    kinds: dict[str, list[Change]] = defaultdict(list)
    for change in changes:
        kinds[change.kind].append(change)
    for of_kind in kinds.values():
        dice.shuffle(of_kind)
    names = sorted(kinds)
    dice.shuffle(names)
    while any(kinds.values()):
        for name in names:
            if kinds[name]:
                yield kinds[name].pop()


def functions_to_run(tree: Path, change: Change) -> set[str]:
    """The functions of the domain that could show a change, as the map of tests names them.

    A function's own change: that function. What is outside of functions: all that mention its name. A function of the
    database, or a table: all that mention it, or call one that does.
    """
    sources = _read(tree)
    if change.path.startswith("migrations/"):
        return _callers(tree, change.place.partition(" ")[0], sources)
    own = _functions(change.path, sources[change.path])
    name = f"{change.path.removeprefix(f'{SHARED}/')}::{change.place}"
    if name in own:
        return {name}
    if change.place:
        return _mentioning(rf"\b{change.place.rpartition('.')[2]}\b", sources) | set(own)
    line = sources[change.path].splitlines()[change.line - 1]
    named = re.match(r"([A-Z_]+)\b.*=", line)
    return (_mentioning(rf"\b{named[1]}\b", sources) if named else set()) or set(own)


def _callers(tree: Path, name: str, sources: Mapping[str, str]) -> set[str]:
    """Functions of Python that mention a function or a table of the database, or a function there that mentions it."""
    routines = find_routines(tree / "migrations")
    triggers = [(table, function) for _, table, function, _, _ in find_triggers(tree / "migrations")]
    wanted, waiting = {name}, [name]
    while waiting:
        one = waiting.pop()
        callers = {
            of.name for of in routines.values() if re.search(rf"\b{one}\b", of.source) and one in routines
        }
        callers |= {table for table, function in triggers if function == one}
        waiting += callers - wanted
        wanted |= callers
    tables = {one for one in wanted if one not in routines}
    patterns = [rf"\b{one}\(" for one in wanted - tables]
    patterns += [rf"(?:INTO|UPDATE|FROM) {one}\b" for one in tables]
    return _mentioning("|".join(patterns), sources, within=_statements)


def _mentioning(
    pattern: str, sources: Mapping[str, str], within: Callable[[str, str], Mapping[str, str]] | None = None
) -> set[str]:
    """The functions whose source, or what else is to be looked at `within` them, has that pattern."""
    return {
        name
        for path, text in sources.items()
        if re.search(pattern, text)
        for name, looked_at in (within or _functions)(path, text).items()
        if re.search(pattern, looked_at)
    }


@cache
def _statements(path: str, text: str) -> dict[str, str]:
    """The functions of a file, each with the texts in it: SQL is one of them, and no call of a namesake is."""
    return {
        name: "\n".join(
            node.value
            for node in ast.walk(ast.parse(dedent(source)))
            if isinstance(node, ast.Constant) and isinstance(node.value, str)
        )
        for name, source in _functions(path, text).items()
    }


def _read(tree: Path) -> dict[str, str]:
    files = sorted((tree / SHARED).glob("**/*.py"))
    return {str(file.relative_to(tree)): file.read_text(encoding="utf-8") for file in files}


@cache
def _functions(path: str, text: str) -> dict[str, str]:
    """The functions of a file, methods included, each with its source."""
    found = {}
    for node in ast.parse(text).body:
        for inner in [node, *getattr(node, "body", [])] if isinstance(node, ast.ClassDef) else [node]:
            if isinstance(inner, ast.FunctionDef):
                place = inner.name if inner is node else f"{node.name}.{inner.name}"  # type: ignore[attr-defined]
                found[f"{path.removeprefix(f'{SHARED}/')}::{place}"] = (
                    ast.get_source_segment(text, inner) or ""
                )
    return found
