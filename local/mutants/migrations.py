"""The SQL of migrations that is still in force: functions, conditions of tables, unique indexes, triggers."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from local.mutants.change import Change
from local.mutants.sql_changes import find_sql_changes

FUNCTION = re.compile(r"CREATE (?:OR REPLACE )?FUNCTION (\w+)\(")
TABLE = re.compile(r"^(?:CREATE (?:UNLOGGED )?TABLE|ALTER TABLE) (\w+)", re.MULTILINE)
BODY = re.compile(r"\n\$\$|\nBEGIN ATOMIC|\n\s+RETURN\b|\bRETURN ")
UNIQUE = re.compile(r"CREATE UNIQUE INDEX (\w+)\s+ON (\w+)")
TRIGGER = re.compile(
    r"CREATE (?:CONSTRAINT )?TRIGGER (\w+)[^;]*?\bON (\w+)[^;]*?EXECUTE FUNCTION (\w+)\([^;]*;"
)


@dataclass(frozen=True, slots=True)
class Routine:
    """A function's last definition, from `start` to `end` of a file; its body begins at `body`."""

    name: str
    path: str
    start: int
    body: int
    end: int
    source: str


def find_routines(folder: Path) -> dict[str, Routine]:
    """Each function as the last migration that defines it says."""
    routines = {}
    for file in sorted(folder.glob("*.sql")):
        text = file.read_text(encoding="utf-8")
        for found in FUNCTION.finditer(text):
            rest = text[found.start() :]
            body = BODY.search(rest)
            start = found.start() + (body.end() if body else 0)
            ending = r"\n\$\$;" if body and body[0] == "\n$$" else r";\s*\n(?=\n|\Z|CREATE|--)"
            stop = re.compile(ending).search(text, start)
            end = stop.start() if stop else len(text)
            path = f"{folder.name}/{file.name}"
            routines[found[1]] = Routine(found[1], path, found.start(), start, end, text[found.start() : end])
    return routines


def find_triggers(folder: Path) -> Iterator[tuple[str, str, str, Path, re.Match[str]]]:
    """Each trigger that no later migration drops: its name, table, function, file and place."""
    files = {file: file.read_text(encoding="utf-8") for file in sorted(folder.glob("*.sql"))}
    dropped = {name for text in files.values() for name in re.findall(r"DROP TRIGGER (\w+)", text)}
    for file, text in files.items():
        for found in TRIGGER.finditer(text):
            if found[1] not in dropped:
                yield found[1], found[2], found[3], file, found


def find_migration_changes(folder: Path, used: Mapping[str, bool]) -> Iterator[Change]:
    """Every small change of what is in force. `used` says of a function whether anything still calls it."""
    for routine in find_routines(folder).values():
        if used.get(routine.name):
            text = (folder.parent / routine.path).read_text(encoding="utf-8")
            for found in find_sql_changes(text[routine.body : routine.end]):
                yield _change(routine.path, text, routine.name, found.kind, routine.body + found.start,
                              routine.body + found.end, found.after)  # fmt: skip
    for name, table, _, file, place in find_triggers(folder):
        text = file.read_text(encoding="utf-8")
        yield _change(f"{folder.name}/{file.name}", text, f"{table} ({name})", "trigger removed", place.start(),
                      place.end(), "")  # fmt: skip
    for file in sorted(folder.glob("*.sql")):
        yield from _of_tables(folder, file)


def _of_tables(folder: Path, file: Path) -> Iterator[Change]:
    text, path = file.read_text(encoding="utf-8"), f"{folder.name}/{file.name}"
    later = "".join(
        other.read_text(encoding="utf-8") for other in sorted(folder.glob("*.sql")) if other > file
    )
    statements = re.sub(r"--[^\n]*", lambda note: " " * len(note[0]), text)
    for table in TABLE.finditer(statements):
        end = statements.index(";", table.start())
        for check in re.finditer(r"\bCHECK \(", statements[table.start() : end]):
            start = table.start() + check.end()
            stop = _closing(statements, start)
            named = re.search(
                r"CONSTRAINT (\w+)\s+$", statements[table.start() : table.start() + check.start()]
            )
            if not (named and f"DROP CONSTRAINT {named[1]}" in later):
                yield _change(path, text, table[1], "constraint removed", start, stop, "true")
    for index in UNIQUE.finditer(statements):
        if f"DROP INDEX {index[1]}" not in later:
            start = index.start() + len("CREATE")
            yield _change(path, text, index[2], "constraint removed", start, start + len(" UNIQUE"), "")


def _closing(text: str, start: int) -> int:
    depth = 1
    for place in range(start, len(text)):
        depth += (text[place] == "(") - (text[place] == ")")
        if depth == 0:
            return place
    return len(text)


def _change(path: str, text: str, place: str, kind: str, start: int, end: int, after: str) -> Change:
    return Change(
        path, place, text.count("\n", 0, start) + 1, f"SQL: {kind}", start, end, text[start:end], after
    )
