"""Health, the API's own description, and the answer to whatever has no route."""

import json
import re
from functools import cache
from http import HTTPStatus
from pathlib import Path
from time import perf_counter
from typing import Any, Literal

from aws_lambda_powertools.event_handler import Request, Response
from aws_lambda_powertools.event_handler.exceptions import NotFoundError
from psycopg import Error
from pydantic import BaseModel

from adapters import database
from adapters.http import Visit, answers, create_resolver, logger, problem
from domain.errors import Refused

OPENAPI = Path(__file__).with_name("openapi.json")

app = create_resolver()


class Check(BaseModel):
    status: Literal["ok", "failing"]
    latency_ms: float


class Health(BaseModel):
    status: Literal["ok", "failing"]
    version: str
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
    check = check_database()
    status: Literal["ok", "failing"] = check.status
    body = Health(status=status, version=description()["info"]["version"], checks={"database": check})
    code = HTTPStatus.OK if status == "ok" else HTTPStatus.SERVICE_UNAVAILABLE
    return Visit(request).answer(body, code)


def check_database() -> Check:
    began = perf_counter()
    status: Literal["ok", "failing"] = "ok"
    try:
        database.connection().execute("SELECT 1")
    except Error as error:
        logger.error("database check failed", extra={"error": type(error).__name__})
        status = "failing"
    return Check(status=status, latency_ms=round((perf_counter() - began) * 1000, 1))


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
