"""`make openapi`: one OpenAPI 3.1 document out of all handlers, kept beside the function that serves it."""

import importlib
import json
import sys
from pathlib import Path
from typing import Any

from aws_lambda_powertools.event_handler import APIGatewayHttpResolver

from adapters.cross_site import SAFE_METHODS

ROOT = Path(__file__).parent.parent
DOCUMENT = ROOT / "functions" / "system" / "openapi.json"
TITLE = "4AS – API de réservation"
VERSION = "0.1.0"


def describe() -> dict[str, Any]:
    """The whole API, from every functions/*/app.py that has a resolver named `app`."""
    document: dict[str, Any] = {"openapi": "3.1.0", "info": {"title": TITLE, "version": VERSION}, "paths": {}}
    schemas: dict[str, Any] = {}
    for folder in sorted(path.parent.name for path in (ROOT / "functions").glob("*/app.py")):
        resolver = getattr(importlib.import_module(f"functions.{folder}.app"), "app", None)
        if not isinstance(resolver, APIGatewayHttpResolver):
            continue
        part = json.loads(
            resolver.get_openapi_json_schema(title=TITLE, version=VERSION, openapi_version="3.1.0")
        )
        document["paths"] |= part["paths"]
        schemas |= part.get("components", {}).get("schemas", {})
    _forget_powertools_own_errors(document["paths"], schemas)
    _say_nothing_of_no_content(document["paths"])
    _say_that_other_sites_are_refused(document["paths"])
    _say_that_head_is_answered_wherever_get_is(document["paths"])
    document["paths"] = dict(sorted(document["paths"].items()))
    document["components"] = {"schemas": dict(sorted(schemas.items()))}
    return document


def _forget_powertools_own_errors(paths: dict[str, Any], schemas: dict[str, Any]) -> None:
    """Powertools describes a 422 of its own on every route; ours are problem+json and named by each route."""
    for operation in (operation for path in paths.values() for operation in path.values()):
        responses = operation["responses"]
        if "application/problem+json" not in responses.get("422", {}).get("content", {}):
            responses.pop("422", None)
        operation["responses"] = dict(sorted(responses.items()))
    for name in ("HTTPValidationError", "ResponseValidationError", "ValidationError"):
        schemas.pop(name, None)


def _say_nothing_of_no_content(paths: dict[str, Any]) -> None:
    """A 204 has no body; Powertools describes one of type null."""
    for operation in (operation for path in paths.values() for operation in path.values()):
        operation["responses"].get("204", {}).pop("content", None)


def _say_that_other_sites_are_refused(paths: dict[str, Any]) -> None:
    """The edge refuses forged requests (adapters/cross_site.py), whatever route they are for."""
    refusal = "CROSS_SITE_REQUEST"
    for path, operations in paths.items():
        for method, operation in operations.items():
            if method.upper() in SAFE_METHODS or path == "/v1/stripe/webhook":
                continue
            responses = operation["responses"]
            if "403" in responses:
                responses["403"]["description"] += f", {refusal}"
            else:
                responses["403"] = responses["500"] | {"description": refusal}
                operation["responses"] = dict(sorted(responses.items()))


def _say_that_head_is_answered_wherever_get_is(paths: dict[str, Any]) -> None:
    """By the edge (adapters/http.py): what GET answers, without the body."""
    for path, operations in paths.items():
        if get := operations.get("get"):
            responses = {
                status: {name: value for name, value in response.items() if name != "content"}
                for status, response in get["responses"].items()
            }
            name = get["operationId"].removesuffix("_get") + "_head"
            operations["head"] = get | {"operationId": name, "responses": responses}
            paths[path] = dict(sorted(operations.items()))


def written(document: dict[str, Any]) -> str:
    return json.dumps(document, ensure_ascii=False, indent=1) + "\n"


if __name__ == "__main__":
    fresh = written(describe())
    if "--check" in sys.argv:
        if DOCUMENT.read_text(encoding="utf-8") != fresh:
            sys.exit(f"{DOCUMENT.relative_to(ROOT)} is stale: run `make openapi` and commit it.")
    else:
        DOCUMENT.write_text(fresh, encoding="utf-8")
