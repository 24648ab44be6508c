"""Lists: newest first, a page at a time. Source: https://docs.stripe.com/api/pagination."""

import operator
from collections.abc import Callable, Sequence

from local.stripe_double.errors import InvalidParameterError
from local.stripe_double.forms import Params
from local.stripe_double.sandbox import Resource, Sandbox

_COMPARISONS = {"gt": operator.gt, "gte": operator.ge, "lt": operator.lt, "lte": operator.le}
_DEFAULT_LIMIT, _MOST = 10, 100


def page(
    sandbox: Sandbox,
    kind: str,
    params: Params,
    url: str,
    *,
    filters: Sequence[str] = (),
    matches: Callable[[Resource], bool] = lambda _: True,
) -> Resource:
    """The page that `params` ask for, among the objects of `kind` equal in `filters` and that match."""
    newest_first = [
        found
        for found in reversed(sandbox.all(kind))
        if _created_within(found, params.get("created"))
        and all(found[name] == params[name] for name in filters if name in params)
        and matches(found)
    ]
    limit = _limit(params)
    if before := params.get("ending_before"):
        cursor = sandbox.get(kind, before, param="ending_before")
        newer = _beyond(newest_first[::-1], cursor)
        return _list(newer[:limit][::-1], url, has_more=len(newer) > limit)
    rest = newest_first
    if after := params.get("starting_after"):
        rest = _beyond(rest, sandbox.get(kind, after, param="starting_after"))
    return _list(rest[:limit], url, has_more=len(rest) > limit)


def _beyond(ordered: list[Resource], cursor: Resource) -> list[Resource]:
    identifiers = [found["id"] for found in ordered]
    return ordered[identifiers.index(cursor["id"]) + 1 :] if cursor["id"] in identifiers else []


def _list(data: list[Resource], url: str, *, has_more: bool) -> Resource:
    return {"object": "list", "data": data, "has_more": has_more, "url": url}


def _limit(params: Params) -> int:
    limit = int(params.get("limit", _DEFAULT_LIMIT))
    if limit < 1:
        raise InvalidParameterError("This value must be greater than or equal to 1.", "limit")
    if limit > _MOST:
        raise InvalidParameterError(
            f"This value must be less than or equal to {_MOST} (it currently is '{limit}').", "limit"
        )
    return limit


def _created_within(found: Resource, wanted: dict[str, int] | int | None) -> bool:
    if wanted is None:
        return True
    if isinstance(wanted, int):
        return bool(found["created"] == wanted)
    return all(_COMPARISONS[name](found["created"], bound) for name, bound in wanted.items())
