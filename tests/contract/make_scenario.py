"""Plays a blueprint as Make's documentation says that Make does: the few modules, functions and operators ours uses.

It is our reading of Make and proves nothing of Make itself; it shows that the scenario does what the guide says.
"""

import base64
import hashlib
import hmac
import json
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

type Module = Mapping[str, Any]
type Outputs = dict[str, Any]
"""What each module gave, by its number."""


class Scenario:
    """A scenario switched on at one instant. `store` is its data store, `lines` what its routes wrote last."""

    def __init__(self, blueprint: Mapping[str, Any], secret: str, placeholder: str, now: datetime) -> None:
        filled = json.dumps(blueprint, ensure_ascii=False).replace(placeholder, secret.removeprefix("whsec_"))
        self._flow: list[Module] = json.loads(filled)["flow"]
        self._now = now
        self.store: dict[str, Any] = {}
        self.lines: list[str] = []

    def receive(self, body: str, headers: Mapping[str, str]) -> list[str]:
        """Run once on a call, as a custom webhook with both of its settings gives it; answers the lines."""
        call = {"value": body, "__IMTHEADERS__": [{"name": name, "value": headers[name]} for name in headers]}
        return self.run_once({"1": call})

    def run_once(self, outputs: Outputs | None = None) -> list[str]:
        """Run once on what its modules hold; answers the lines."""
        self.lines = []
        self._run(self._flow, outputs or {})
        return self.lines

    def _run(self, flow: list[Module], outputs: Outputs) -> None:
        for place, module in enumerate(flow):
            if not self._passes(module.get("filter"), outputs):
                return
            mapped = self._mapped(module["mapper"], outputs)
            number = str(module["id"])
            match module["module"]:
                case "util:SetVariables":
                    outputs[number] = {one["name"]: one["value"] for one in mapped["variables"]}
                case "util:SetVariable2":
                    outputs[number] = {mapped["name"]: mapped["value"]}
                case "json:ParseJSON":
                    outputs[number] = json.loads(mapped["json"])
                case "datastore:ExistRecord":
                    outputs[number] = {"exist": mapped["key"] in self.store}
                case "datastore:GetRecord":
                    outputs[number] = self.store.get(mapped["key"], {})
                case "datastore:AddRecord":
                    assert mapped["overwrite"] or mapped["key"] not in self.store
                    self.store[mapped["key"]] = mapped["data"]
                case "builtin:BasicRouter":
                    for route in module["routes"]:
                        self._run(route["flow"], dict(outputs))
                case "builtin:BasicFeeder":
                    for element in mapped["array"]:
                        self._run(flow[place + 1 :], outputs | {number: element})
                    return
                case "util:ComposeTransformer":
                    self.lines.append(mapped["value"])

    def _passes(self, only: Mapping[str, Any] | None, outputs: Outputs) -> bool:
        """Whether a filter lets them pass. Every condition is worked out, as Make may: none may fail."""
        if only is None:
            return True
        found = [
            [
                COMPARED[one["o"]](self._mapped(one["a"], outputs), self._mapped(one["b"], outputs))
                for one in together
            ]
            for together in only["conditions"]
        ]
        return any(all(together) for together in found)

    def _mapped(self, node: Any, outputs: Outputs) -> Any:
        """A formula alone keeps the type of its value; among other words it is text."""
        match node:
            case list():
                return [self._mapped(element, outputs) for element in node]
            case dict():
                return {key: self._mapped(value, outputs) for key, value in node.items()}
            case str() if alone := re.fullmatch(r"\{\{((?:(?!\}\}).)*)\}\}", node):
                return self._value(alone[1], outputs)
            case str():
                return re.sub(r"\{\{(.*?)\}\}", lambda one: _text(self._value(one[1], outputs)), node)
        return node

    def _value(self, formula: str, outputs: Outputs) -> Any:
        if call := re.fullmatch(r"(\w+)\((.*)\)", formula):
            return CALLED[call[1]](*(self._value(each, outputs) for each in _arguments(call[2])))
        if formula.startswith('"'):
            return formula.strip('"')
        if formula.isdecimal():
            return int(formula)
        if formula == "now":
            return self._now
        if earlier := re.fullmatch(r"timestamp - (\d+)", formula):
            return int(self._now.timestamp()) - int(earlier[1])
        value: Any = outputs
        for key in formula.split("."):
            value = value.get(key) if value else None
        return value


def _arguments(text: str) -> list[str]:
    """Split at the semicolons that are neither quoted nor within a nested call."""
    parts = re.findall(r'(?:"[^"]*"|\w+\((?:[^()]|\([^()]*\))*\)|[^;])+', text)
    return [part.strip() for part in parts]


def _text(value: Any) -> str:
    return "" if value is None else str(value)


def _hmac_sha256(text: str, encoding: str, key: str, key_encoding: str) -> str:
    assert (encoding, key_encoding) == ("base64", "base64")
    lenient = base64.b64decode(key + "==")  # as JavaScript reads what is not quite base64
    digest = hmac.new(lenient, text.encode(), hashlib.sha256).digest()
    return base64.b64encode(digest).decode()


def _parse_date(text: str, form: str) -> datetime:
    assert form == "YYYY-MM-DDTHH:mm:ss.SSSZ"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", text)
    return datetime.fromisoformat(text)


CALLED: Mapping[str, Callable[..., Any]] = {
    "first": lambda array: next(iter(array), None),
    "map": lambda array, key, by, wanted: [one[key] for one in array if one[by] == wanted],
    "sha256": _hmac_sha256,
    "parseDate": _parse_date,
    "ifempty": lambda value, instead: instead if value in (None, "") else value,
}
COMPARED: Mapping[str, Callable[[Any, Any], bool]] = {
    "text:contain": lambda left, right: right in _text(left),
    "text:equal": lambda left, right: left == right,
    "text:notequal": lambda left, right: left != right,
    "boolean:equal": lambda left, right: left == (right == "true"),
    "number:greater": lambda left, right: float(left) > float(right),
    "number:greaterorequal": lambda left, right: float(left) >= float(right),
    "date:greater": lambda left, right: left > right,
}
