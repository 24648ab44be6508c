"""The committed description of the API says what the handlers and the gateway do."""

import re

from local import openapi, template
from local.gateway.routes import Routes

APPLICATION = template.load(openapi.ROOT / "template.yaml")


def test_the_committed_document_is_what_the_handlers_describe() -> None:
    committed = openapi.DOCUMENT.read_text(encoding="utf-8")

    assert committed == openapi.written(openapi.describe())


def test_every_route_of_the_template_is_described_and_every_description_has_its_route() -> None:
    routes = {_shape(route.key) for function in APPLICATION.functions for route in function.routes} - {
        "$default"
    }
    described = {
        _shape(f"{method.upper()} {path}")
        for path, operations in openapi.describe()["paths"].items()
        for method in operations
    }

    assert described == routes


def test_every_route_that_takes_a_body_says_what_it_answers_to_one_that_is_none() -> None:
    lacking = {
        f"{method.upper()} {path}": missing
        for path, operations in openapi.describe()["paths"].items()
        for method, operation in operations.items()
        if "requestBody" in operation and (missing := {"400", "415", "422"} - operation["responses"].keys())
    }

    assert lacking == {}


def test_what_no_route_takes_reaches_the_function_that_answers_404_and_405() -> None:
    match = Routes(APPLICATION.functions).find("PATCH", "/v1/courses")

    assert match is not None
    assert (match.function.name, match.route_key) == ("system", "$default")


def _shape(route: str) -> str:
    """A route without the names of its parameters: `{id}` of the contract is `{item_id}` in the code."""
    return re.sub(r"{[^}]+}", "{}", route)
