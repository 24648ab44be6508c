"""CloudFormation's YAML: its short tags, and its intrinsic functions as far as our templates need them."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import yaml

ACCOUNT = "123456789012"
REGION = "ca-central-1"


class TemplateError(Exception):
    """The template says something the local stack cannot do; the text says what and where."""


def read_yaml(path: Path) -> dict[str, Any]:
    """A template as it is written, `!Ref X` being `{"Ref": "X"}`."""
    with path.open("rb") as file:
        document: dict[str, Any] = yaml.load(file, Loader=_Loader)  # noqa: S506 - the loader below is a safe one
    return document


_NO_VALUE = object()


class Resolver:
    """Replaces intrinsic functions by what they give.

    Parameters
    ----------
    document
        The whole template: its parameters, conditions and mappings are consulted.
    parameters
        Values of parameters; one that is neither given nor has a default is empty.
    attribute
        What a resource's attribute is, given its logical id and `Ref` or the name of the attribute.
    """

    def __init__(
        self,
        document: Mapping[str, Any],
        parameters: Mapping[str, str],
        attribute: Callable[[str, str], str],
    ) -> None:
        self._values: dict[str, Any] = {
            "AWS::AccountId": ACCOUNT,
            "AWS::NoValue": _NO_VALUE,
            "AWS::Partition": "aws",
            "AWS::Region": REGION,
            "AWS::StackName": "local",
            "AWS::URLSuffix": "amazonaws.com",
        }
        for name, declared in document.get("Parameters", {}).items():
            text = as_text(parameters.get(name, declared.get("Default", "")))
            is_list = declared["Type"].startswith(("CommaDelimitedList", "List<"))
            self._values[name] = [part.strip() for part in text.split(",")] if is_list else text
        self._conditions: Mapping[str, Any] = document.get("Conditions", {})
        self._mappings: Mapping[str, Any] = document.get("Mappings", {})
        self._attribute = attribute

    def holds(self, condition: str | None) -> bool:
        """Whether a named condition is true; none at all is."""
        return condition is None or bool(self.resolve(self._conditions[condition]))

    def resolve(self, value: Any) -> Any:
        """The value with every intrinsic function inside it replaced by what it gives."""
        if isinstance(value, list):
            return [item for item in map(self.resolve, value) if item is not _NO_VALUE]
        if not isinstance(value, dict):
            return value
        if len(value) == 1:
            (name, argument), *_ = value.items()
            if name in ("Ref", "Condition") or name.startswith("Fn::"):
                return self._call(name, argument)
        resolved = {name: self.resolve(item) for name, item in value.items()}
        return {name: item for name, item in resolved.items() if item is not _NO_VALUE}

    def _call(self, name: str, argument: Any) -> Any:
        match name, argument:
            case "Ref", str(target):
                return self._reference(target)
            case "Condition", str(condition):
                return self.holds(condition)
            case "Fn::GetAtt", [target, attribute]:
                return self._attribute(target, attribute)
            case "Fn::Sub", str(text):
                return self._substitute(text, {})
            case "Fn::Sub", [str(text), dict(names)]:
                return self._substitute(text, self.resolve(names))
            case "Fn::If", [condition, yes, no]:
                return self.resolve(yes if self.holds(condition) else no)
        match name, self.resolve(argument):
            case "Fn::Equals", [one, other]:
                return one == other
            case "Fn::Not", [condition]:
                return not condition
            case "Fn::And", [*conditions]:
                return all(conditions)
            case "Fn::Or", [*conditions]:
                return any(conditions)
            case "Fn::Join", [separator, [*parts]]:
                return separator.join(map(as_text, parts))
            case "Fn::Split", [separator, text]:
                return text.split(separator)
            case "Fn::Select", [index, [*items]]:
                return items[int(index)]
            case "Fn::FindInMap", [mapping, first, second]:
                return self._mappings[mapping][first][second]
        raise TemplateError(f"{name} of {argument!r} is not understood by the local stack.")

    def _reference(self, target: str) -> Any:
        return self._values[target] if target in self._values else self._attribute(target, "Ref")

    def _substitute(self, text: str, names: Mapping[str, Any]) -> str:
        before, *rest = text.split("${")
        pieces = [before]
        for part in rest:
            name, _, after = part.partition("}")
            if name.startswith("!"):
                pieces.append(f"${{{name[1:]}}}")
            elif name in names:
                pieces.append(as_text(names[name]))
            elif "." in name:
                pieces.append(self._attribute(*name.split(".", 1)))
            else:
                pieces.append(as_text(self._reference(name)))
            pieces.append(after)
        return "".join(pieces)


def as_text(value: object) -> str:
    """A value as CloudFormation writes it into a string."""
    return str(value).lower() if isinstance(value, bool) else str(value)


# libyaml when it is there: the template is read at every start.
class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    pass


def _construct_intrinsic(loader: Any, suffix: str, node: yaml.Node) -> dict[str, Any]:
    if isinstance(node, yaml.ScalarNode):
        argument = loader.construct_scalar(node)
    elif isinstance(node, yaml.SequenceNode):
        argument = loader.construct_sequence(node, deep=True)
    else:
        argument = loader.construct_mapping(node, deep=True)
    if suffix == "GetAtt" and isinstance(argument, str):
        argument = argument.split(".", 1)
    return {suffix if suffix in ("Ref", "Condition") else f"Fn::{suffix}": argument}


_Loader.add_multi_constructor("!", _construct_intrinsic)
