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
from typing import Any, Self
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

from domain.accounts.passwords import hash_password
from domain.coupons.wording import WORDING
from domain.errors import CATALOGUE
from domain.throttling import limits
from local import leash, openapi, postgres, seed
from local.configuration import as_roles
from local.stripe_double import StripeDouble
from tests.support.world import FORM, form

EXAMPLES = int(os.environ.get("API_CONTRACT_EXAMPLES", "4"))
SLUG = "mathematiques-secondaire"
TRAINING = "ccvm-volume-1"
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
PROMISES = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
# The codes that have more than one sentence: the reason is in it.
REASONS = {
    "COUPON_INVALID": {sentence for wording in WORDING.values() for sentence in wording.values()},
    "TOO_SOON": {"Le nouveau créneau doit commencer dans au moins 24 heures"},
    "TOO_FAR": {"Le nouveau créneau doit commencer dans au plus 30 jours"},
    "NOT_RESCHEDULABLE": {"Ce rendez-vous est annulé et ne peut pas être reprogrammé"},
}
FIELD_REASONS = {
    "Ce champ est obligatoire.",
    "Cette valeur est invalide.",
    "Ce numéro de téléphone est invalide.",
    "Connectez-vous pour utiliser vos crédits.",
    "La fin doit venir après le début.",
}
CALLERS = ("stranger", "guest", "student", "administrator")
ROLES = [None, None, "student", "admin"]
SIGNED_IN = {"student": "student", "administrator": "admin"}
DESCRIPTION: dict[str, Any] = json.loads(openapi.DOCUMENT.read_text(encoding="utf-8"))
# HEAD has no body to be held to a description: test_head.py holds it to GET.
schema = schemathesis.openapi.from_dict(DESCRIPTION).exclude(method="HEAD")


@dataclass
class Shop:
    """The API over the demonstration data.

    A guest has begun to pay and gone on shopping, a student has booked, an administrator has sent something again.
    """

    url: str
    ids: dict[str, str]
    session: dict[str, Any]
    cookies: dict[str, dict[str, str]]

    def browser(self, caller: str) -> requests.Session:
        """A browser of theirs, as it was when they came in: no answer to another call has changed it."""
        browser = requests.Session()
        browser.cookies.update(self.cookies[caller])
        return browser


class Known(dict[str, str]):
    """What takes the place of a path's parameters; of those nobody knows an id of nothing."""

    def __missing__(self, name: str) -> str:
        return str(uuid4())


@contextmanager
def served(database_url: str, stripe: StripeDouble) -> Iterator[str]:
    """The address of `python -m local.gateway`. It sets no limits, or they would be most of what is answered."""
    environment = {
        **os.environ,
        "PYTHONPATH": f"layers/shared:{openapi.ROOT}",
        **as_roles(database_url),
        "ENVIRONMENT": "dev",
        "STRIPE_SECRET_KEY": stripe.secret_key,
        "STRIPE_PUBLISHABLE_KEY": stripe.publishable_key,
        "STRIPE_WEBHOOK_SECRET": stripe.webhook_secret,
        "STRIPE_API_BASE": stripe.url,
        **{limit.name: "0" for limit in vars(limits).values() if isinstance(limit, limits.Limit)},
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
    seed.apply(database_url, hash_password(seed.PASSWORD), datetime.now(UTC))
    with StripeDouble.running() as stripe, served(database_url, stripe) as url:
        shop = busy(url)
        yield shop
        assert roles(shop) == ROLES
    postgres.drop_database(name)


class Visitor:
    """Somebody on the way through the shop; each answer on it is the success that is described."""

    def __init__(self, url: str) -> None:
        self.url, self.browser = url, requests.Session()

    def ask(self, status: int, method: str, path: str, described_as: str = "", **request: Any) -> Any:
        answer = self.browser.request(method, self.url + path, timeout=10, **request)
        assert answer.status_code == status, answer.text
        schema[described_as or path][method].validate_response(answer)
        for cookie in self.browser.cookies:
            cookie.secure = False  # a browser trusts localhost, requests does not
        return answer.json() if "json" in answer.headers["content-type"] else answer.content

    def signs_in(self, account: dict[str, str]) -> Self:
        self.ask(200, "POST", "/v1/auth/sign-in", json=account)
        return self

    @property
    def cookies(self) -> dict[str, str]:
        return {cookie.name: cookie.value or "" for cookie in self.browser.cookies}


def busy(url: str) -> Shop:
    guest, student, administrator = (Visitor(url) for _ in range(3))
    course = guest.ask(200, "GET", f"/v1/courses/{SLUG}", "/v1/courses/{slug}")
    first, last = ((datetime.now(UTC) + timedelta(days=days)).date().isoformat() for days in (2, 20))
    days = guest.ask(
        200,
        "GET",
        f"/v1/courses/{SLUG}/availability",
        "/v1/courses/{slug}/availability",
        params={"from": first, "to": last, "duration": "60"},
    )["days"]
    free = next(day for day, has_time in days.items() if has_time)
    found = guest.ask(
        200, "GET", f"/v1/courses/{SLUG}/slots", "/v1/courses/{slug}/slots", params={"date": free}
    )
    starts = [slot["start"] for slot in found["slots"]]
    early, later, free_session = (
        {"course_id": course["id"], "start": start, "duration_min": 60}
        for start in (starts[0], starts[len(starts) // 2], starts[-1])
    )
    trainings = guest.ask(200, "GET", "/v1/trainings", params={"category": "professionnels", "sort": "price"})
    assert [training["slug"] for training in trainings["items"]] == [TRAINING]
    guest.ask(200, "GET", f"/v1/trainings/{TRAINING}", "/v1/trainings/{slug}")
    guest.ask(200, "GET", "/v1/trainings/categories")
    accounts = seed.accounts()
    ids = {
        "slug": SLUG,
        "name": "BOOKING",
        **is_about_to_pay(guest, early),
        **has_booked(student.signs_in(accounts["student"]), later),
        **sends_again(administrator.signs_in(accounts["admin"])),
    }
    cookies = {
        "stranger": {},
        "guest": guest.cookies,
        "student": student.cookies,
        "administrator": administrator.cookies,
    }
    return Shop(url, ids, free_session, cookies)


def is_about_to_pay(guest: Visitor, session: dict[str, Any]) -> dict[str, str]:
    guest.ask(201, "POST", "/v1/cart/items", json={"items": [session]})
    cart = guest.ask(200, "PUT", "/v1/cart/coupon", json={"code": "SAVE10"})
    assert cart["coupon"]["code"] == "SAVE10"
    started = guest.ask(201, "POST", "/v1/checkout", json=form("zoe@exemple.ca"))
    assert started["status"] == "requires_payment"
    followed = guest.ask(200, "GET", f"/v1/checkout/{started['checkout_id']}", "/v1/checkout/{checkout_id}")
    assert followed["status"] == "requires_payment"
    return {"item_id": cart["items"][0]["id"], "checkout_id": started["checkout_id"]}


def has_booked(student: Visitor, session: dict[str, Any]) -> dict[str, str]:
    """With a coupon that pays for all of it: booked at once. Everything of it can be seen."""
    student.ask(201, "POST", "/v1/cart/items", json={"items": [session]})
    student.ask(200, "PUT", "/v1/cart/coupon", json={"code": "GRATUIT100"})
    started = student.ask(201, "POST", "/v1/checkout", json={"billing": FORM["billing"]})
    assert started["status"] == "settled"
    (appointment,) = student.ask(200, "GET", "/v1/appointments")["items"]
    of_one, order = "/v1/appointments/{appointment_id}", f"/v1/orders/{started['order_id']}"
    student.ask(200, "GET", f"/v1/appointments/{appointment['id']}", of_one)
    student.ask(200, "GET", f"/v1/appointments/{appointment['id']}/calendar.ics", f"{of_one}/calendar.ics")
    student.ask(200, "GET", order, "/v1/orders/{order_id}")
    student.ask(200, "GET", f"{order}/receipt.pdf", "/v1/orders/{order_id}/receipt.pdf")
    student.ask(201, "POST", "/v1/me/calendar")
    return {"appointment_id": appointment["id"], "order_id": started["order_id"]}


def sends_again(administrator: Visitor) -> dict[str, str]:
    """The student's booking is what Make was to be told of."""
    (delivery,) = administrator.ask(200, "GET", "/v1/admin/webhooks/deliveries")["items"]
    period = {"from": "2020-01-01T00:00:00Z", "to": "2100-01-01T00:00:00Z", "dry_run": False}
    again = administrator.ask(202, "POST", "/v1/admin/webhooks/redeliveries", json=period)
    return {"event_id": delivery["event_id"], "redelivery_id": again["redelivery_id"]}


@pytest.mark.parametrize("caller", CALLERS)
@schema.given(real=st.booleans())
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
    case: schemathesis.Case[Any], shop: Shop, caller: str, *, real: bool
) -> None:
    if real:
        make_real(case, shop)
    signs_out = case.path == "/v1/auth/sign-out" and caller in SIGNED_IN

    with signed_in_anew(shop, caller) if signs_out else shop.browser(caller) as browser:
        answer = case.call_and_validate(base_url=shop.url, session=browser, checks=PROMISES, timeout=10)

    if answer.status_code >= 400:
        assert_refused_in_french(answer.status_code, answer.headers["content-type"][0], answer.json())


def make_real(case: schemathesis.Case[Any], shop: Shop) -> None:
    """Names in the place of noise: whoever asks knows the course, the training, the item, the payment, what is free."""
    case.path_parameters.update({name: shop.ids[name] for name in case.path_parameters if name in shop.ids})
    if case.path == "/v1/trainings/{slug}":
        case.path_parameters["slug"] = TRAINING
    if "file" in case.path_parameters:
        with shop.browser("student") as browser:
            url = browser.get(f"{shop.url}/v1/me/calendar", timeout=10).json()["url"]
        case.path_parameters["file"] = url.rpartition("/")[2]
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
    if case.path.endswith("/reschedule") and isinstance(case.body, dict):
        case.body["start"] = shop.session["start"]


def signed_in_anew(shop: Shop, caller: str) -> requests.Session:
    """A session of their own for the call that ends it: the others go on with theirs."""
    return Visitor(shop.url).signs_in(seed.accounts()[SIGNED_IN[caller]]).browser


def roles(shop: Shop) -> list[str | None]:
    """Who the API takes the callers for: without their sessions every answer would be the same refusal."""
    found = []
    for caller in CALLERS:
        with shop.browser(caller) as browser:
            found.append(browser.get(f"{shop.url}/v1/me", timeout=10).json().get("role"))
    return found


def assert_refused_in_french(status: int, content_type: str, body: Any) -> None:
    assert content_type == "application/problem+json"
    assert (body["status"], CATALOGUE[body["code"]].status) == (status, status)
    assert body["detail"] in {CATALOGUE[body["code"]].detail, *REASONS.get(body["code"], ())}
    assert {error["detail"] for error in body.get("errors", [])} <= FIELD_REASONS


@pytest.mark.parametrize("path", DESCRIPTION["paths"])
def test_a_method_that_is_not_described_is_refused_and_names_those_that_are(shop: Shop, path: str) -> None:
    address = path.format_map(Known(shop.ids))
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
