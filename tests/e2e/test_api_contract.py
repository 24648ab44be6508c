"""The API keeps the description it publishes, whatever it is sent (schemathesis, over the local gateway).

`API_CONTRACT_EXAMPLES=500` looks for longer than `make test` does.
"""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from domain.errors import CATALOGUE
from local import leash, openapi, postgres, seed
from local.stripe_double import StripeDouble
from tests.support.world import form

EXAMPLES = int(os.environ.get("API_CONTRACT_EXAMPLES", "10"))
SLUG = "mathematiques-secondaire"
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
PROMISES = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
# The one code that has more than one sentence: the reason is in it.
COUPON_REASONS = {
    "Ce code promo est inactif",
    "Ce code promo n'est pas encore valide",
    "Ce code promo est expiré",
    "Ce code promo a atteint sa limite d'utilisation",
}
DESCRIPTION: dict[str, Any] = json.loads(openapi.DOCUMENT.read_text(encoding="utf-8"))
schema = schemathesis.openapi.from_dict(DESCRIPTION)


@dataclass
class Shop:
    """The API over the demonstration data, and a guest who has begun to pay and gone on shopping."""

    url: str
    guest: requests.Session
    ids: dict[str, str]
    session: dict[str, Any]


@contextmanager
def served(database_url: str, stripe: StripeDouble) -> Iterator[str]:
    """The address of `python -m local.gateway`."""
    environment = {
        **os.environ,
        "PYTHONPATH": f"layers/shared:{openapi.ROOT}",
        "DATABASE_URL": database_url,
        "ENVIRONMENT": "dev",
        "STRIPE_SECRET_KEY": stripe.secret_key,
        "STRIPE_PUBLISHABLE_KEY": stripe.publishable_key,
        "STRIPE_WEBHOOK_SECRET": stripe.webhook_secret,
        "STRIPE_API_BASE": stripe.url,
    }
    command = leash.command(signal.SIGTERM, [sys.executable, "-m", "local.gateway"])
    with subprocess.Popen(  # noqa: S603
        command,
        cwd=openapi.ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        assert process.stdout
        try:
            yield process.stdout.readline().split()[0]
        finally:
            process.terminate()


@pytest.fixture(scope="module")
def shop(postgres: postgres.Server, migrated_template: str) -> Iterator[Shop]:
    name = f"contract_{uuid4().hex[:12]}"
    database_url = postgres.create_database(name, migrated_template)
    seed.apply(database_url, "no password opens this", datetime.now(UTC))
    with StripeDouble.running() as stripe, served(database_url, stripe) as url, requests.Session() as guest:
        yield busy(url, guest)
    postgres.drop_database(name)


def busy(url: str, guest: requests.Session) -> Shop:
    """A guest buys the first free session; each answer on the way is the success that is described."""

    def ask(status: int, method: str, path: str, described_as: str = "", **request: Any) -> Any:
        answer = guest.request(method, url + path, timeout=10, **request)
        assert answer.status_code == status, answer.text
        schema[described_as or path][method].validate_response(answer)
        for cookie in guest.cookies:
            cookie.secure = False  # a browser trusts localhost, requests does not
        return answer.json()

    course = ask(200, "GET", f"/v1/courses/{SLUG}", "/v1/courses/{slug}")
    first, last = ((datetime.now(UTC) + timedelta(days=days)).date().isoformat() for days in (2, 20))
    days = ask(
        200,
        "GET",
        f"/v1/courses/{SLUG}/availability",
        "/v1/courses/{slug}/availability",
        params={"from": first, "to": last, "duration": "60"},
    )["days"]
    free = next(day for day, has_time in days.items() if has_time)
    slots = ask(200, "GET", f"/v1/courses/{SLUG}/slots", "/v1/courses/{slug}/slots", params={"date": free})[
        "slots"
    ]
    session = {"course_id": course["id"], "start": slots[0]["start"], "duration_min": 60}
    ask(201, "POST", "/v1/cart/items", json={"items": [session]})
    cart = ask(200, "PUT", "/v1/cart/coupon", json={"code": "SAVE10"})
    assert cart["coupon"]["code"] == "SAVE10"
    started = ask(201, "POST", "/v1/checkout", json=form("zoe@exemple.ca"))
    assert started["status"] == "requires_payment"
    followed = ask(200, "GET", f"/v1/checkout/{started['checkout_id']}", "/v1/checkout/{checkout_id}")
    assert followed["status"] == "requires_payment"
    ids = {"slug": SLUG, "item_id": cart["items"][0]["id"], "checkout_id": started["checkout_id"]}
    return Shop(url, guest, ids, session | {"start": slots[-1]["start"]})


@schema.given(real=st.booleans(), known=st.booleans())
@schema.parametrize()
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[
        HealthCheck.function_scoped_fixture,
        HealthCheck.too_slow,
        HealthCheck.filter_too_much,
        HealthCheck.data_too_large,
    ],
)
def test_every_answer_is_one_that_is_described(
    case: schemathesis.Case[Any], shop: Shop, *, real: bool, known: bool
) -> None:
    if real:
        make_real(case, shop)

    answer = case.call_and_validate(
        base_url=shop.url, session=shop.guest if known else None, checks=PROMISES, timeout=10
    )

    if answer.status_code >= 400:
        assert_refused_in_french(answer.status_code, answer.headers["content-type"][0], answer.json())


def make_real(case: schemathesis.Case[Any], shop: Shop) -> None:
    """Names in the place of noise: whoever asks knows the course, the item, the payment, what is free."""
    case.path_parameters.update({name: shop.ids[name] for name in case.path_parameters if name in shop.ids})
    if case.path == "/v1/cart/items" and isinstance(case.body, dict):
        wanted = case.body.get("items")
        if isinstance(wanted, list):
            case.body["items"] = [
                {**shop.session, **({"duration_min": 90} if number else {})} for number in range(len(wanted))
            ]
    if case.path == "/v1/checkout" and isinstance(case.body, dict):
        case.body = form("zoe@exemple.ca") | {
            name: value for name, value in case.body.items() if name == "billing"
        }


def assert_refused_in_french(status: int, content_type: str, body: Any) -> None:
    assert content_type == "application/problem+json"
    assert (body["status"], CATALOGUE[body["code"]].status) == (status, status)
    reasons = COUPON_REASONS if body["code"] == "COUPON_INVALID" else set[str]()
    assert body["detail"] in {CATALOGUE[body["code"]].detail, *reasons}
    assert all(
        error["detail"]
        in {"Ce champ est obligatoire.", "Cette valeur est invalide.", "Ce numéro de téléphone est invalide."}
        for error in body.get("errors", [])
    )


@pytest.mark.parametrize("path", DESCRIPTION["paths"])
def test_a_method_that_is_not_described_is_refused_and_names_those_that_are(shop: Shop, path: str) -> None:
    address = path.format_map(shop.ids)
    described = methods_at(address)

    for method in sorted(set(METHODS) - described):
        answer = requests.request(method, shop.url + address, json={}, timeout=10)

        assert_refused_in_french(answer.status_code, answer.headers["content-type"], answer.json())
        assert (answer.status_code, answer.json()["code"]) == (405, "METHOD_NOT_ALLOWED")
        assert set(answer.headers["allow"].split(", ")) == described


def methods_at(address: str) -> set[str]:
    """Of every path that fits: `/v1/checkout/email-check` is also a checkout of that id."""
    return {
        method.upper()
        for path, operations in DESCRIPTION["paths"].items()
        if re.fullmatch(re.sub(r"{[^}]+}", "[^/]+", path), address)
        for method in operations
    }


@pytest.mark.parametrize("path", ["/", "/v1", "/v1/course", "/v1/cart/", "/v2/cart", "/v1/checkout/a/b"])
def test_an_address_that_is_not_described_is_refused(shop: Shop, path: str) -> None:
    answer = requests.get(shop.url + path, timeout=10)

    assert_refused_in_french(answer.status_code, answer.headers["content-type"], answer.json())
    assert (answer.status_code, answer.json()["code"]) == (404, "NOT_FOUND")


def test_an_answer_that_is_not_described_is_noticed(shop: Shop) -> None:
    """The negative control: the same checks, and a description that promises too little."""
    poorer = json.loads(json.dumps(DESCRIPTION))
    del poorer["paths"]["/v1/courses/{slug}"]["get"]["responses"]["404"]
    operation = schemathesis.openapi.from_dict(poorer)["/v1/courses/{slug}"]["GET"]
    case = operation.Case(path_parameters={"slug": "aucun-cours"})

    with pytest.raises(FailureGroup, match="Undocumented status code"):
        case.call_and_validate(base_url=shop.url, checks=PROMISES)
