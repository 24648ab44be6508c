"""Small changes of SQL, found in its text. Not every one is valid SQL: what PostgreSQL refuses is noticed at once."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

TOKEN = re.compile(
    r"""(?P<note>--[^\n]*)|(?P<text>'(?:[^']|'')*')|(?P<name>"[^"]*"|%\(\w+\)s|[A-Za-z_][\w.]*)|(?P<number>\d+(?:\.\d+)?)
    |(?P<sign><>|<=|>=|!=|&&|\|\||::|:=|=>|->>|->|@>|<@|\$\$|[-+*/<>=%~^])|(?P<mark>[(),;\[\]])""",
    re.VERBOSE,
)
COMPARED = {"<": "<=", "<=": "<", ">": ">=", ">=": ">", "=": "<>", "<>": "="}
CONDITIONS = ("WHERE", "ON", "HAVING", "WHEN", "IF", "ELSIF", "CHECK")
CLAUSES = (
    *CONDITIONS, "SELECT", "FROM", "SET", "VALUES", "GROUP", "ORDER", "LIMIT", "RETURNING", "THEN", "ELSE", "USING",
    "UNION", "INTO", "JOIN", "LEFT", "FOR", "LOOP", "RETURN", "PERFORM", "UPDATE", "DELETE", "INSERT", "CROSS", "DO",
    "WITH", "AS",
)  # fmt: skip
SWAPPED = {
    "min": "max", "max": "min", "greatest": "least", "least": "greatest", "true": "false", "false": "true",
    "ceil": "floor", "floor": "ceil", "lower": "upper", "upper": "lower",
}  # fmt: skip
PATTERNS: Sequence[tuple[str, str, str]] = (
    (
        "lock removed",
        r"\s*\bFOR (?:NO KEY UPDATE|UPDATE|KEY SHARE|SHARE)\b(?: OF \w+(?:, \w+)*)?(?: SKIP LOCKED)?",
        "",
    ),
    ("lock waits", r"\s*\bSKIP LOCKED\b", ""),
    ("conflict not expected", r"\bON CONFLICT\b(?:\s*\([^()]*\))?(?:\s+WHERE\b[^;()]*?)?\s+DO NOTHING\b", ""),
    ("null", r"\bIS NULL\b", "IS NOT NULL"),
    ("null", r"\bIS NOT NULL\b", "IS NULL"),
    ("null", r"\bIS NOT DISTINCT FROM\b", "IS DISTINCT FROM"),
    ("null", r"\bIS DISTINCT FROM\b", "IS NOT DISTINCT FROM"),
    ("not", r"\bNOT (?!NULL\b|DISTINCT\b|FOUND\b|MATERIALIZED\b)(?<!IS NOT )", ""),
    ("join", r"\bLEFT JOIN\b", "JOIN"),
    ("join", r"(?<!LEFT )(?<!CROSS )\bJOIN\b", "LEFT JOIN"),
    ("duplicates", r"\bSELECT DISTINCT\b(?! ON)", "SELECT"),
    ("duplicates", r"\bUNION ALL\b", "UNION"),
    ("limit removed", r"\s*\bLIMIT (?:%\(\w+\)s|\w+)", ""),
)


@dataclass(frozen=True, slots=True)
class SqlChange:
    kind: str
    start: int
    end: int
    after: str


@dataclass(slots=True)
class _Frame:
    """What is between two parentheses, or a whole statement: its clause, and where its condition's parts lie."""

    clause: str = ""
    began: int = 0
    first: int = -1
    parts: list[tuple[int, int]] = field(default_factory=list)
    signs: list[str] = field(default_factory=list)
    between: bool = False


def find_sql_changes(sql: str) -> Iterator[SqlChange]:
    """Every small change of a statement, or of the body of a function."""
    tokens = [found for found in TOKEN.finditer(sql) if found.lastgroup != "note"]
    masked = _without_notes(sql)
    for kind, pattern, after in PATTERNS:
        for found in re.finditer(pattern, masked):
            yield SqlChange(kind, found.start(), found.end(), after)
    yield from _one_by_one(sql, tokens)
    yield from _clauses(tokens)


def _without_notes(sql: str) -> str:
    """The text with spaces for its comments and for what is between quotes."""
    return re.sub(r"--[^\n]*|'(?:[^']|'')*'", lambda found: " " * len(found[0]), sql)


def _one_by_one(sql: str, tokens: Sequence[re.Match[str]]) -> Iterator[SqlChange]:
    clause, depths = "", []
    for place, token in enumerate(tokens):
        word = token[0]
        before = tokens[place - 1][0] if place else ""
        after = tokens[place + 1][0] if place + 1 < len(tokens) else ""
        if word == "(":
            depths.append(clause)
            clause = "" if before != "CHECK" else "CHECK"
        elif word == ")":
            clause = depths.pop() if depths else ""
        elif word in CLAUSES or word in ("AND", "OR"):
            clause = word
        if word in COMPARED and not (word == "=" and (clause == "SET" or after == "ANY")) and after != "ALL":
            yield SqlChange("comparison", token.start(), token.end(), COMPARED[word])
        elif word == "=" and after == "ANY":
            yield SqlChange("comparison", token.start(), tokens[place + 1].end(), "<> ALL")
        elif word == "<>" and after == "ALL":
            yield SqlChange("comparison", token.start(), tokens[place + 1].end(), "= ANY")
        elif word in ("+", "-") and before not in ("(", ",", "=", "SELECT", ""):
            yield SqlChange("arithmetic", token.start(), token.end(), "-" if word == "+" else "+")
        elif word in SWAPPED and (after == "(" or word in ("true", "false")):
            yield SqlChange("other function", token.start(), token.end(), SWAPPED[word])
        elif token.lastgroup == "number" and "." not in word and before not in ("numeric", "varchar"):
            yield SqlChange("constant", token.start(), token.end(), str(int(word) + 1))
        elif word == "coalesce":
            yield from _first_of(sql, tokens, place)
        elif word == "IN" and after == "(":
            yield from _members(tokens, place + 2)


def _first_of(sql: str, tokens: Sequence[re.Match[str]], place: int) -> Iterator[SqlChange]:
    """`coalesce (a, b)` becomes `(a)`."""
    depth, comma = 0, None
    for token in tokens[place + 1 :]:
        depth += (token[0] in "([") - (token[0] in ")]") if len(token[0]) == 1 else 0
        if token[0] == "," and depth == 1 and comma is None:
            comma = token.start()
        if depth == 0:
            if comma is not None:
                first = sql[tokens[place].end() : comma]
                yield SqlChange("default removed", tokens[place].start(), token.end(), f"{first})")
            return


def _members(tokens: Sequence[re.Match[str]], place: int) -> Iterator[SqlChange]:
    """Of a list of constants, all but one."""
    names = []
    while tokens[place].lastgroup in ("text", "number"):
        names.append(tokens[place])
        place += 1
        if tokens[place][0] != ",":
            break
        place += 1
    if len(names) > 1 and tokens[place][0] == ")":
        for one, following in zip(names, [*names[1:], None], strict=True):
            if following:
                yield SqlChange("member removed", one.start(), following.start(), "")
            else:
                yield SqlChange("member removed", names[-2].end(), one.end(), "")


def _clauses(tokens: Sequence[re.Match[str]]) -> Iterator[SqlChange]:
    """What is about whole clauses: a part of a condition dropped, AND and OR, the order."""
    frames = [_Frame()]
    for place, token in enumerate(tokens):
        word, top = token[0], frames[-1]
        before = tokens[place - 1][0] if place else ""
        if word in ("(", "CASE"):
            condition = before in ("AND", "OR", "NOT", "CHECK", *CONDITIONS)
            frames.append(_Frame("WHERE", place, place + 1) if word == "(" and condition else _Frame())
        elif word == ")" or (word == "END" and _is_case(frames)):
            if len(frames) > 1:
                yield from _close(frames.pop(), tokens, place)
        elif word == ";":
            yield from _close(top, tokens, place)
        elif word == "BETWEEN":
            top.between = True
        elif word in ("AND", "OR"):
            if word == "AND" and top.between:
                top.between = False
                continue
            if top.first >= 0:
                top.parts.append((top.first, place))
                top.signs.append(word)
                top.first = place + 1
            yield SqlChange("logic", token.start(), token.end(), "OR" if word == "AND" else "AND")
        elif word in CLAUSES and not (word == "FROM" and before == "DISTINCT"):
            if (
                word == "IF"
                and tokens[place + 1][0] in ("NOT", "EXISTS")
                and before in ("TABLE", "INDEX", "END")
            ):
                continue
            yield from _close(top, tokens, place)
            top.clause, top.began = word, place
            top.first = place + 1 if word in CONDITIONS and before != "END" else -1
            following = tokens[place + 1][0] if place + 1 < len(tokens) else ""
            if word == "ON" and following == "CONFLICT":
                top.clause, top.first = "CONFLICT", -1
        elif word == "DESC":
            yield SqlChange("order", token.start() - 1, token.end(), "")
    while frames:
        yield from _close(frames.pop(), tokens, len(tokens))


def _is_case(frames: Sequence[_Frame]) -> bool:
    """Whether an END is a CASE's, not a block's."""
    return len(frames) > 1 and frames[-1].clause in ("WHEN", "THEN", "ELSE")


def _close(frame: _Frame, tokens: Sequence[re.Match[str]], place: int) -> Iterator[SqlChange]:
    """A clause ends before the token at `place`."""
    if frame.clause == "ORDER" and place - frame.began > 2:
        start, end = tokens[frame.began].start(), tokens[place - 1].end()
        yield SqlChange("order removed", start, end, "")
        last = tokens[place - 1]
        if last[0] != "DESC":
            yield SqlChange("order", last.start(), end, f"{last[0]} DESC")
    if frame.first >= 0 and place > frame.first:
        parts = [*frame.parts, (frame.first, place)]
        for number, (first, after) in enumerate(parts):
            signs = frame.signs[max(0, number - 1) : number + 1]
            start, end = tokens[first].start(), tokens[after - 1].end()
            is_value = after == first + 1 and tokens[first].lastgroup != "name"
            if after > first and not is_value and tokens[first][0] != "SELECT":
                yield SqlChange(
                    "condition dropped", start, end, "true" if "AND" in signs or not signs else "false"
                )
    frame.clause, frame.first, frame.parts, frame.signs, frame.between = "", -1, [], [], False
