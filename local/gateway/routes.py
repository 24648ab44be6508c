"""Which function a request belongs to, chosen as API Gateway chooses: the most specific route wins."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from local.template import Function, Route


@dataclass(frozen=True)
class Match:
    """The function that answers, by which route, and the path's parameters."""

    function: Function
    route_key: str
    parameters: dict[str, str]


@dataclass
class _Segment:
    literals: dict[str, "_Segment"] = field(default_factory=dict)
    parameter: tuple[str, "_Segment"] | None = None
    greedy: tuple[str, dict[str, Match]] | None = None
    methods: dict[str, Match] = field(default_factory=dict)


class Routes:
    """The routes of every function.

    A literal segment is preferred to a `{parameter}`, that to a `{rest+}`, a method to `ANY`, and anything to
    `$default`.
    """

    def __init__(self, functions: Iterable[Function]) -> None:
        self._tree = _Segment()
        self._default: Match | None = None
        for function in functions:
            for route in function.routes:
                self._add(function, route)

    def find(self, method: str, path: str) -> Match | None:
        """The route of a request, `None` when there is none and no `$default`."""
        found = self._walk(self._tree, method, path.split("/")[1:], 0)
        if not found:
            return self._default
        match, values = found
        if not values:
            return match
        return Match(match.function, match.route_key, dict(zip(match.parameters, values, strict=True)))

    def _add(self, function: Function, route: Route) -> None:
        if route.path == "$default":
            self._default = Match(function, route.key, {})
            return
        place, names = self._tree, dict[str, str]()
        match = Match(function, route.key, names)
        for segment in route.path.split("/")[1:]:
            if segment.endswith("+}"):
                names[segment[1:-2]] = ""
                place.greedy = place.greedy or (segment, {})
                place.greedy[1][route.method] = match
                return
            if segment.startswith("{"):
                names[segment[1:-1]] = ""
                place.parameter = place.parameter or (segment, _Segment())
                place = place.parameter[1]
            else:
                place = place.literals.setdefault(segment, _Segment())
        place.methods[route.method] = match

    def _walk(
        self, place: _Segment, method: str, segments: list[str], at: int
    ) -> tuple[Match, list[str]] | None:
        if at == len(segments):
            match = place.methods.get(method) or place.methods.get("ANY")
            return (match, []) if match else None
        segment = segments[at]
        literal = place.literals.get(segment)
        if literal and (found := self._walk(literal, method, segments, at + 1)):
            return found
        if (
            place.parameter
            and segment
            and (found := self._walk(place.parameter[1], method, segments, at + 1))
        ):
            found[1].insert(0, segment)
            return found
        if place.greedy and (match := place.greedy[1].get(method) or place.greedy[1].get("ANY")):
            return match, ["/".join(segments[at:])]
        return None
