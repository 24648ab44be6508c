"""Whether an event is as its published schema says (a.5): the part of JSON Schema that the schemas use, no more."""

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

type Schema = Mapping[str, Any]


class BrokenPromise(Exception):
    """A fact is not as its schema says; names the places, never what is there."""


TYPES: dict[str, type | tuple[type, ...]] = {
    "string": str,
    "integer": int,
    "number": (int, float),
    "boolean": bool,
    "null": type(None),
    "array": list,
    "object": dict,
}
FORMATS: dict[str, Callable[[str], object]] = {
    "uuid": UUID,
    "date-time": datetime.fromisoformat,
    "email": re.compile(r"[^@\s]+@[^@\s]+").fullmatch,
}
LIMITS: dict[str, Callable[[Any, Any], bool]] = {
    "const": lambda value, only: value == only,
    "enum": lambda value, words: value in words,
    "minimum": lambda value, least: value >= least,
    "maximum": lambda value, most: value <= most,
    "minLength": lambda value, least: len(value) >= least,
    "maxLength": lambda value, most: len(value) <= most,
    "minItems": lambda value, least: len(value) >= least,
    "pattern": lambda value, pattern: re.search(pattern, value) is not None,
    "format": lambda value, name: _parses(FORMATS[name], value),
    "required": lambda value, names: set(names) <= value.keys(),
}


def differences(value: Any, schema: Schema, parts: Mapping[str, Schema] | None = None) -> list[str]:
    """Where a value differs from a schema, as places and broken rules; never what is there."""
    return list(_differences(value, schema, schema.get("$defs", {}) if parts is None else parts, ""))


def _differences(value: Any, schema: Schema, parts: Mapping[str, Schema], place: str) -> Iterator[str]:
    if "$ref" in schema:
        yield from _differences(value, parts[schema["$ref"].rpartition("/")[2]], parts, place)
        return
    if "anyOf" in schema:
        if all(list(_differences(value, choice, parts, place)) for choice in schema["anyOf"]):
            yield f"{place}: anyOf"
        return
    if not _is_a(value, schema.get("type")):
        yield f"{place}: type"
        return
    yield from (
        f"{place}: {rule}"
        for rule, holds in LIMITS.items()
        if rule in schema and not holds(value, schema[rule])
    )
    if isinstance(value, dict):
        declared = schema.get("properties", {})
        if schema.get("additionalProperties") is False and value.keys() - declared.keys():
            yield f"{place}: additionalProperties"
        for name in value.keys() & declared.keys():
            yield from _differences(value[name], declared[name], parts, f"{place}/{name}")
    if isinstance(value, list):
        for index, element in enumerate(value):
            yield from _differences(element, schema.get("items", {}), parts, f"{place}/{index}")


def _is_a(value: Any, kind: str | None) -> bool:
    if kind is None:
        return True
    return isinstance(value, TYPES[kind]) and (kind == "boolean" or not isinstance(value, bool))


def _parses(parse: Callable[[str], object], text: str) -> bool:
    try:
        return parse(text) is not None
    except ValueError:
        return False
