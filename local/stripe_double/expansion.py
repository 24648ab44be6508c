"""Replace identifiers by the objects they name: `expand[]=latest_charge.customer`.

Source: https://docs.stripe.com/expand.
"""

import copy
from collections.abc import Iterable
from typing import Any

from local.stripe_double.errors import InvalidParameterError
from local.stripe_double.sandbox import Resource, Sandbox

_EXPANDABLE: dict[str, dict[str, str]] = {
    **{f"list of {kind}": {"data": kind} for kind in ("charge", "event", "payment_intent", "refund")},
    "payment_intent": {
        "customer": "customer",
        "latest_charge": "charge",
        "payment_method": "payment_method",
    },
    "charge": {"customer": "customer", "payment_intent": "payment_intent", "refunds": "list of refund"},
    "refund": {
        "charge": "charge",
        "customer": "customer",
        "payment_intent": "payment_intent",
        "payment_method": "payment_method",
    },
}


def check(kind: str, paths: Iterable[str]) -> None:
    """Refuse, before anything is done, a path that leads nowhere from an object of this kind."""
    for path in paths:
        here = kind
        for step in path.split("."):
            if step not in _EXPANDABLE.get(here, {}):
                raise InvalidParameterError(f"This property cannot be expanded ({path}).", "expand")
            here = _EXPANDABLE[here][step]


def expanded(sandbox: Sandbox, resource: Resource, paths: Iterable[str]) -> Resource:
    """A copy of the object, or of the list, with these paths expanded."""
    answer = copy.deepcopy(resource)
    for path in paths:
        _expand(sandbox, answer, path)
    return answer


def _expand(sandbox: Sandbox, node: Any, path: str) -> None:
    head, _, rest = path.partition(".")
    if node["object"] == "list":
        for item in node["data"] if rest else ():
            _expand(sandbox, item, rest)
        return
    if node["object"] == "charge" and head == "refunds":
        node.setdefault(head, _refunds(sandbox, node))
    elif isinstance(node[head], str):
        node[head] = copy.deepcopy(sandbox.get(_EXPANDABLE[node["object"]][head], node[head]))
    if rest and node[head]:
        _expand(sandbox, node[head], rest)


def _refunds(sandbox: Sandbox, charge: Resource) -> Resource:
    data = [refund for refund in reversed(sandbox.all("refund")) if refund["charge"] == charge["id"]]
    url = f"/v1/charges/{charge['id']}/refunds"
    return {"object": "list", "data": copy.deepcopy(data), "has_more": False, "url": url}
