"""Health, the API's own description, and the answer to whatever has no route."""

import json
import re
from dataclasses import asdict
from functools import cache
from http import HTTPStatus
from pathlib import Path
from time import perf_counter
from typing import Any, Literal

from aws_lambda_powertools.event_handler import Request, Response
from aws_lambda_powertools.event_handler.exceptions import NotFoundError
from psycopg import Error, ProgrammingError
from pydantic import BaseModel

from adapters import database, schema
from adapters.http import Visit, answers, create_resolver, logger, problem
from domain.errors import Refused

OPENAPI = Path(__file__).with_name("openapi.json")

app = create_resolver()


type Status = Literal["ok", "failing"]


class Check(BaseModel):
    """`reason` says what fails, for a program."""

    status: Status
    latency_ms: float
    reason: (
        Literal["unreachable", "credentials", "read_only", "behind", "tables_missing", "guards_missing"]
        | None
    ) = None


class Health(BaseModel):
    """`commit` is what runs; a check that another one's failure leaves no answer to is not there."""

    status: Status
    version: str
    commit: str | None
    checks: dict[str, Check]


@app.get(
    "/v1/health",
    summary="Savoir si le service répond",
    tags=["Système"],
    responses={
        200: {"description": "Tout répond", "content": {"application/json": {"model": Health}}},
        503: {"description": "Une vérification échoue", "content": {"application/json": {"model": Health}}},
    },
)
def health(request: Request) -> Response[Health]:
    checks = check_database()
    status: Status = "ok" if all(check.status == "ok" for check in checks.values()) else "failing"
    body = Health(status=status, version=description()["info"]["version"], commit=commit(), checks=checks)
    code = HTTPStatus.OK if status == "ok" else HTTPStatus.SERVICE_UNAVAILABLE
    return Visit(request).answer(body, code)


def check_database() -> dict[str, Check]:
    """Whether it can be reached and written to, its schema is not behind this code, what guards the books is there."""
    began = perf_counter()
    try:
        connection = database.connection()
        read_only = database.is_read_only(connection)
    except Error as error:
        logger.error("database check failed", extra={"error": type(error).__name__})
        return {"database": _check(began, "credentials" if database.is_refusal(error) else "unreachable")}
    checks = {"database": _check(began, "read_only" if read_only else None)}
    began = perf_counter()
    try:
        found = schema.look_at(connection)
    except ProgrammingError:  # not even the books of the migrations
        return checks | {"schema": _check(began, "behind")}
    except Error as error:
        logger.error("schema check failed", extra={"error": type(error).__name__})
        return checks | {"schema": _check(began, "unreachable")}
    if found.fault:
        logger.error("schema check failed", extra=asdict(found))
    behind = None if found.is_migrated else "behind"
    missing = "tables_missing" if found.missing_tables else None
    unguarded = found.missing_guards or found.missing_triggers or found.disabled_triggers
    return checks | {
        "schema": _check(began, behind or missing),
        "integrity": _check(began, "guards_missing" if unguarded else None),
    }


def _check(began: float, reason: Any = None) -> Check:
    latency_ms = round((perf_counter() - began) * 1000, 1)
    return Check(status="failing" if reason else "ok", latency_ms=latency_ms, reason=reason)


@cache
def commit() -> str | None:
    """The commit that was built into the layer; None where nothing was built."""
    file = Path(schema.__file__).parents[1] / "COMMIT"
    return file.read_text(encoding="utf-8").strip() if file.exists() else None


@app.get("/v1/openapi.json", summary="Lire la description de l'API", tags=["Système"], responses=answers())
def openapi(request: Request) -> Response[dict[str, Any]]:
    return Visit(request).answer(description())


@cache
def description() -> dict[str, Any]:
    """The OpenAPI document that `make openapi` generated from the handlers."""
    document: dict[str, Any] = json.loads(OPENAPI.read_text(encoding="utf-8"))
    return document


@app.not_found
def no_route(_: NotFoundError) -> Response[str]:
    """404 for an unknown path, 405 for a known path with another method."""
    methods = methods_of(app.current_event.path)
    if not methods:
        return problem(app, Refused("NOT_FOUND"))
    answer = problem(app, Refused("METHOD_NOT_ALLOWED"))
    answer.headers["Allow"] = ", ".join(methods)
    return answer


def methods_of(path: str) -> list[str]:
    """The methods the API has for a path."""
    return [
        method.upper()
        for template, operations in description()["paths"].items()
        if re.fullmatch(re.sub(r"\{[^}]+\}", "[^/]+", template), path)
        for method in operations
    ]


def lambda_handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    return app.resolve(event, context)
