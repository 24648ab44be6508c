"""Form encoding as Stripe reads it: `metadata[order]=7`, `expand[]=charge`, `types[0]=card`."""

import re
from collections.abc import Iterable
from typing import Any

from local.stripe_double.errors import InvalidParameterError

Params = dict[str, Any]

_NAME = re.compile(r"[^\[\]]+")
_STEPS = re.compile(r"\[([^\[\]]*)\]")


def decode(pairs: Iterable[tuple[str, str]]) -> Params:
    """Nest the pairs. A list stays a dictionary keyed by position: only the schema knows it is a list."""
    params: Params = {}
    for key, value in pairs:
        name = _NAME.match(key)
        steps = _STEPS.findall(key)
        if not name or key != name[0] + "".join(f"[{step}]" for step in steps):
            raise InvalidParameterError(f"Invalid parameter name: {key}", key)
        _put(params, [name[0], *steps], value, key)
    return params


def _put(params: Params, path: list[str], value: str, key: str) -> None:
    node = params
    for step in path[:-1]:
        node = node.setdefault(step or str(len(node)), {})
        if not isinstance(node, dict):
            raise InvalidParameterError(f"Invalid object: {key} is given twice, once as a value", key)
    node[path[-1] or str(len(node))] = value
