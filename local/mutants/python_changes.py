"""Small changes of Python: found in the syntax tree, made in the text, so that nothing else of the file moves."""

import ast
import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import pairwise

from local.mutants.change import Change
from local.mutants.sql_changes import find_sql_changes

COMPARED: Mapping[type[ast.cmpop], tuple[str, str]] = {
    ast.Lt: (r"<", "<="),
    ast.LtE: (r"<=", "<"),
    ast.Gt: (r">", ">="),
    ast.GtE: (r">=", ">"),
    ast.Eq: (r"==", "!="),
    ast.NotEq: (r"!=", "=="),
    ast.Is: (r"is", "is not"),
    ast.IsNot: (r"is\s+not", "is"),
    ast.In: (r"in", "not in"),
    ast.NotIn: (r"not\s+in", "in"),
}
COMPUTED: Mapping[type[ast.operator], tuple[str, str]] = {
    ast.Add: (r"\+", "-"),
    ast.Sub: (r"-", "+"),
    ast.Mult: (r"\*", "+"),
    ast.Div: (r"/", "*"),
    ast.FloorDiv: (r"//", "*"),
    ast.Mod: (r"%", "*"),
    ast.BitAnd: (r"&", "|"),
    ast.BitOr: (r"\|", "&"),
    ast.LShift: (r"<<", ">>"),
    ast.RShift: (r">>", "<<"),
}
OTHER = {"min": "max", "max": "min", "any": "all", "all": "any"}
IS_SQL = re.compile(r"\s*(SELECT|INSERT|UPDATE|DELETE|WITH|LOCK|FROM|WHERE|JOIN|LEFT|AND|ORDER)\b")
SCOPES = (ast.FunctionDef, ast.ClassDef)


def find_python_changes(path: str, text: str, defaults: Iterable[str] = ()) -> Iterator[Change]:
    """Every small change of a file. `defaults` names the arguments, anywhere, that a caller may leave out."""
    tree = ast.parse(text)
    yield from _Finder(path, text, frozenset(defaults)).within(tree, "", at_top=True)


def find_defaults(text: str) -> Iterator[str]:
    """The arguments with a default of the functions of a file, as `function:argument`."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef):
            positional = node.args.posonlyargs + node.args.args
            for argument in positional[len(positional) - len(node.args.defaults) :]:
                yield f"{node.name}:{argument.arg}"
            for argument, default in zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True):
                if default is not None:
                    yield f"{node.name}:{argument.arg}"


class _Finder:
    def __init__(self, path: str, text: str, defaults: frozenset[str]) -> None:
        self.path, self.text, self.defaults = path, text, defaults
        self.lines = text.splitlines(keepends=True)
        self.starts = [0]
        for line in self.lines:
            self.starts.append(self.starts[-1] + len(line))

    def within(self, node: ast.AST, place: str, *, at_top: bool = False) -> Iterator[Change]:
        if isinstance(node, SCOPES):
            outer, place = place, place if place and not at_top else node.name
            place = f"{outer}.{node.name}" if outer and at_top else place
            at_top = isinstance(node, ast.ClassDef)
        elif not isinstance(node, ast.Module):
            at_top = False
        yield from self.of(node, place)
        for name, value in ast.iter_fields(node):
            if name in ("annotation", "returns", "decorator_list", "type_params", "bases"):
                continue
            for child in value if isinstance(value, list) else [value]:
                if isinstance(child, ast.AST) and not isinstance(
                    child, (ast.TypeAlias, ast.Import, ast.ImportFrom)
                ):
                    inner = isinstance(child, SCOPES) and (at_top or isinstance(node, ast.Module))
                    yield from self.within(child, place, at_top=inner)

    def of(self, node: ast.AST, place: str) -> Iterator[Change]:
        match node:
            case ast.Compare(left, [op], [right]):
                if isinstance(op, (ast.In, ast.NotIn)) and isinstance(right, (ast.Tuple, ast.List, ast.Set)):
                    yield from self._members(right, place)
                yield from self._operator("comparison", left, right, *COMPARED[type(op)], place)
            case ast.BinOp(left, op, right) if type(op) in COMPUTED and not isinstance(left, ast.JoinedStr):
                yield from self._operator("arithmetic", left, right, *COMPUTED[type(op)], place)
            case ast.AugAssign(target, op, value) if type(op) in COMPUTED:
                pattern, after = COMPUTED[type(op)]
                yield from self._operator("arithmetic", target, value, f"{pattern}=", f"{after}=", place)
            case ast.BoolOp(op, values):
                pattern, after = ("and", "or") if isinstance(op, ast.And) else ("or", "and")
                for left, right in pairwise(values):
                    yield from self._operator("logic", left, right, pattern, after, place)
            case ast.UnaryOp((ast.Not() | ast.USub()) as op, operand) if not isinstance(
                operand, ast.Constant
            ):
                kind, sign = ("logic", "not ") if isinstance(op, ast.Not) else ("arithmetic", "-")
                start = self._start(node)
                yield self._change(kind, start, start + len(sign), "", place)
            case ast.If(test) if not _names_something(test):
                yield self._swap("guard", test, "False", place)
                yield self._swap("guard", test, "True", place)
            case ast.IfExp(_, body, orelse):
                yield self._swap("choice", node, self._source(body), place)
                yield self._swap("choice", node, self._source(orelse), place)
            case ast.Expr(ast.Call()) | ast.Raise():
                yield self._swap("statement removed", node, "pass", place)
            case ast.Continue():
                yield self._swap("loop", node, "break", place)
            case ast.Break():
                yield self._swap("loop", node, "continue", place)
            case ast.withitem(ast.Call(ast.Attribute(_, "transaction")) as call):
                yield self._swap("transaction removed", call, '__import__("contextlib").nullcontext()', place)
            case ast.FunctionDef(_, _, _, decorators):
                for decorator in decorators:
                    if isinstance(decorator, ast.Name) and decorator.id == "retried_on_deadlock":
                        start = self._start(decorator) - 1
                        yield self._change("retry removed", start, self._end(decorator), "", place)
            case ast.Constant(bool() as value):
                yield self._swap("constant", node, str(not value), place)
            case ast.Constant(int() as value):
                yield self._swap("constant", node, str(value + 1), place)
                if value > 0:
                    yield self._swap("constant", node, str(value - 1), place)
            case ast.Constant(str() as value) if IS_SQL.match(value):
                yield from self._sql(node, place)
            case ast.Call():
                yield from self._call(node, place)

    def _call(self, node: ast.Call, place: str) -> Iterator[Change]:
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        if isinstance(node.func, ast.Name) and name in OTHER:
            yield self._swap("other function", node.func, OTHER[name], place)
        if isinstance(node.func, ast.Name) and name == "sorted":
            yield self._swap("order removed", node, f"list({self._source(node.args[0])})", place)
        for left, right in pairwise(node.args):
            if all(
                isinstance(one, (ast.Name, ast.Attribute)) and self._source(one) != "connection"
                for one in (left, right)
            ):
                start, end = self._start(left), self._end(right)
                between = self.text[self._end(left) : self._start(right)]
                after = f"{self._source(right)}{between}{self._source(left)}"
                yield self._change("arguments swapped", start, end, after, place)
        for keyword in node.keywords:
            if f"{name}:{keyword.arg}" in self.defaults:
                start, end = self._start(keyword), self._end(keyword)
                rest = re.compile(r"\s*,").match(self.text, end)
                yield self._change("argument dropped", start, rest.end() if rest else end, "", place)

    def _members(self, several: ast.Tuple | ast.List | ast.Set, place: str) -> Iterator[Change]:
        names = several.elts
        if len(names) > 1:
            for one, following in zip(names, [*names[1:], None], strict=True):
                end = self._start(following) if following else self._end(several) - 1
                yield self._change("member removed", self._start(one), end, "", place)

    def _sql(self, node: ast.Constant, place: str) -> Iterator[Change]:
        start, end = self._start(node), self._end(node)
        source = self.text[start:end]
        quotes = '"""' if source.startswith('"""') else '"'
        inside = source[len(quotes) : -len(quotes)]
        if not source.startswith('"') or quotes in inside or "\\" in inside:
            return
        first = start + len(quotes)
        for found in find_sql_changes(inside):
            at = first + found.start
            yield self._change(f"SQL: {found.kind}", at, first + found.end, found.after, place)

    def _operator(
        self, kind: str, left: ast.expr, right: ast.expr, pattern: str, after: str, place: str
    ) -> Iterator[Change]:
        start, end = self._end(left), self._start(right)
        found = re.search(pattern, re.sub(r"#.*", lambda note: " " * len(note[0]), self.text[start:end]))
        if found:
            yield self._change(kind, start + found.start(), start + found.end(), after, place)

    def _swap(self, kind: str, node: ast.AST, after: str, place: str) -> Change:
        return self._change(kind, self._start(node), self._end(node), after, place)

    def _change(self, kind: str, start: int, end: int, after: str, place: str) -> Change:
        line = self.text.count("\n", 0, start) + 1
        return Change(self.path, place, line, kind, start, end, self.text[start:end], after)

    def _source(self, node: ast.AST) -> str:
        return self.text[self._start(node) : self._end(node)]

    def _start(self, node: ast.AST) -> int:
        return self._at(node.lineno, node.col_offset)  # type: ignore[attr-defined]

    def _end(self, node: ast.AST) -> int:
        return self._at(node.end_lineno, node.end_col_offset)  # type: ignore[attr-defined]

    def _at(self, line: int, bytes_before: int) -> int:
        before = self.lines[line - 1].encode()[:bytes_before]
        return self.starts[line - 1] + len(before.decode())


def _names_something(test: ast.expr) -> bool:
    """Whether a condition also names its value: without it, what follows would not even run."""
    return any(isinstance(node, ast.NamedExpr) for node in ast.walk(test))
