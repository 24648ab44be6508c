"""Whether an answer is one that the API's description promises, and came in time."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from jsonschema_rs import Draft202012Validator

from domain.errors import CATALOGUE
from local import openapi

MOST_SECONDS = 9.5
"""PostgreSQL ends a request's transaction after 8 s (0034_roles.sql), and API Gateway's clients wait for 10."""

PROBLEM = "application/problem+json"
UNAVAILABLE = ("TEMPORARILY_UNAVAILABLE", "PAYMENT_UNAVAILABLE")
NO_ANSWER = 0


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request and what came of it. `path` is the described one; `sent` and `answered` are seconds since 1970.

    A status of NO_ANSWER says that the connection ended instead; `text` says how.
    """

    client: str
    method: str
    path: str
    status: int
    headers: Mapping[str, str]
    text: str
    sent: float
    answered: float

    @property
    def seconds(self) -> float:
        return self.answered - self.sent

    @property
    def body(self) -> Any:
        return json.loads(self.text) if self.text else None

    @property
    def code(self) -> str:
        """The refusal's code; what is none has its status."""
        try:
            return str(self.body["code"])
        except (ValueError, TypeError, KeyError):
            return str(self.status)

    def __str__(self) -> str:
        return f"{self.client}: {self.method} {self.path} answered {self.status} after {self.seconds:.1f} s"


def faults(exchange: Exchange, slack: float = 0.0) -> list[str]:
    """What is wrong with an answer, each as a sentence. `slack`: seconds that the machine took of it for others."""
    return [f"{exchange}: {fault}" for fault in (*_late(exchange, slack), *_undescribed(exchange))]


def _late(exchange: Exchange, slack: float) -> Iterator[str]:
    if exchange.seconds > MOST_SECONDS + slack:
        yield f"later than {MOST_SECONDS} s, and {slack:.1f} s for the machine"


def _undescribed(exchange: Exchange) -> Iterator[str]:
    if exchange.status == NO_ANSWER:
        yield exchange.text
        return
    answers = description()["paths"][exchange.path][exchange.method.lower()]["responses"]
    described = answers.get(str(exchange.status))
    if described is None:
        yield "a status that is not described"
        return
    kinds = described.get("content", {})
    kind = exchange.headers.get("content-type", "")
    if exchange.status == 204:
        return
    if kind not in kinds:
        yield f"{kind or 'no media type'} instead of {', '.join(kinds)}: {exchange.text[:200]}"
        return
    try:
        body = json.loads(exchange.text)
    except ValueError:
        yield "not JSON"
        return
    if error := next(
        _validator(exchange.method, exchange.path, exchange.status, kind).iter_errors(body), None
    ):
        yield f"not as described: {'/'.join(map(str, error.instance_path))}: {error.message[:200]}"
    elif kind == PROBLEM:
        yield from _unknown(exchange, body, described["description"].split(", "))


def _unknown(exchange: Exchange, problem: Mapping[str, Any], codes: list[str]) -> Iterator[str]:
    code = problem["code"]
    if code not in CATALOGUE or code not in codes:
        yield f"the code {code} is not described"
        return
    if (problem["status"], CATALOGUE[code].status) != (exchange.status, exchange.status):
        yield f"{code} with the status {exchange.status}"
    if exchange.status < 500:
        return
    if code not in UNAVAILABLE:
        yield f"a fault of ours: {code}"
    elif problem["detail"] != CATALOGUE[code].detail:
        yield f"the sentence is not the catalogue's: {problem['detail']}"
    if not exchange.headers.get("retry-after", "").isdecimal():
        yield "does not say when to try again"


@cache
def description() -> dict[str, Any]:
    document: dict[str, Any] = json.loads(openapi.DOCUMENT.read_text(encoding="utf-8"))
    return document


@cache
def _validator(method: str, path: str, status: int, kind: str) -> Draft202012Validator:
    described = description()["paths"][path][method.lower()]["responses"][str(status)]
    schema = described["content"][kind]["schema"]
    return Draft202012Validator({**schema, "components": description()["components"]})
