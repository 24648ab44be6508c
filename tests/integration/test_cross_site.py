"""What a page of somebody else's can do with a visitor's cookies: nothing. And who may read our answers (spec 4.0)."""

import asyncio
import json
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from adapters.cross_site import SAFE_METHODS, is_forged
from local import openapi, template
from local.cloudformation import read_yaml
from local.gateway.app import Gateway
from tests.support.browser import CONTEXT, Answer, Browser
from tests.support.guest import Guest
from tests.support.people import EMAIL, PASSWORD, account, sign_in, signed_in
from tests.support.shop import Shop
from tests.support.tables import contents, nothing_written
from tests.support.world import World, form

API = "https://api.exemple.ca"
OURS, OTHER_OF_OURS = "https://www.exemple.ca", "https://essai.exemple.ca"
THEIRS = "https://mechant.example.com"
STRANGERS = [
    THEIRS,
    "null",
    "",
    "http://www.exemple.ca",
    "https://www.exemple.ca:8443",
    "https://www.exemple.ca.example.com",
    "https://exemple.ca",
    "https://faux.www.exemple.ca",
    f"{OURS},{OTHER_OF_OURS}",
]

TEMPLATE = Path(__file__).parents[2] / "template.yaml"
CORS = read_yaml(TEMPLATE)["Globals"]["HttpApi"]["CorsConfiguration"]
DESCRIPTION: dict[str, dict[str, Any]] = json.loads(openapi.DOCUMENT.read_text(encoding="utf-8"))["paths"]
UNSAFE = sorted(
    (method.upper(), path)
    for path, operations in DESCRIPTION.items()
    for method in operations
    if method.upper() not in SAFE_METHODS and path != "/v1/stripe/webhook"
)


@pytest.fixture
def shop(world: World, monkeypatch: pytest.MonkeyPatch) -> Shop:
    monkeypatch.setenv("ALLOWED_ORIGINS", f"{OURS},{OTHER_OF_OURS}")
    return Shop(world)


@pytest.fixture
def zoe(shop: Shop) -> Browser:
    """Somebody who is signed in and has a cart with a session in it."""
    account(shop.world)
    browser = signed_in(shop.world)
    shop.added(browser, shop.wanted(9))
    return browser


def sent_from(browser: Browser, origin: str | None, method: str, path: str, body: Any, **more: str) -> Answer:
    """A request as a browser makes it for a page of that origin."""
    said = {"host": urlsplit(API).netloc, "x-forwarded-proto": "https", **more}
    if origin is not None:
        said["origin"] = origin
    return browser.request(method, path, body, headers=said)


def add(shop: Shop, browser: Browser, origin: str | None, **more: str) -> Answer:
    return sent_from(browser, origin, "POST", "/v1/cart/items", {"items": [shop.wanted(10)]}, **more)


# --- Who is refused ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("origin", STRANGERS)
def test_a_page_of_another_site_adds_nothing_to_a_visitor_s_cart(
    shop: Shop, zoe: Browser, origin: str
) -> None:
    with nothing_written(shop.world.connection):
        answer = add(shop, zoe, origin)

    assert (answer.status, answer.code) == (403, "CROSS_SITE_REQUEST")
    assert answer.body["detail"] == "Cette demande vient d'un site qui n'y est pas autorisé."
    assert answer.cookies == []


def test_nor_to_the_cart_of_a_guest_or_of_nobody_yet(shop: Shop) -> None:
    guest = shop.guest()
    shop.cart(guest)

    with nothing_written(shop.world.connection):
        assert add(shop, guest, THEIRS).code == "CROSS_SITE_REQUEST"
        assert add(shop, shop.guest(), THEIRS).code == "CROSS_SITE_REQUEST"


@pytest.mark.parametrize(("method", "path"), UNSAFE)
def test_no_route_changes_anything_for_another_site(shop: Shop, zoe: Browser, method: str, path: str) -> None:
    """Bodies are read first: what is no request at all is 422, whoever sends it."""
    item = shop.cart(zoe)["items"][0]["id"]
    address = "/".join(item if part.startswith("{") else part for part in path.split("/"))
    bodies = [None, {}, *BODIES.get((method, path), [])]

    with nothing_written(shop.world.connection):
        answers = [sent_from(zoe, THEIRS, method, address, body) for body in bodies]

    assert {answer.code for answer in answers} <= {
        "CROSS_SITE_REQUEST",
        "VALIDATION_FAILED",
        "MALFORMED_JSON",
    }
    if (method, path) in BODIES or "requestBody" not in DESCRIPTION[path][method.lower()]:
        assert answers[-1].code == "CROSS_SITE_REQUEST"


BODIES: dict[tuple[str, str], list[Any]] = {
    ("PUT", "/v1/cart/coupon"): [{"code": "SAVE10"}],
    ("POST", "/v1/checkout"): [form("autre@exemple.ca")],
    ("POST", "/v1/checkout/email-check"): [{"email": EMAIL}],
    ("POST", "/v1/auth/sign-in"): [{"email": EMAIL, "password": PASSWORD}],
    ("POST", "/v1/auth/password-reset"): [{"email": EMAIL}],
    ("PATCH", "/v1/me"): [{"first_name": "Autre"}],
}


def test_each_route_that_changes_something_says_that_it_refuses_other_sites() -> None:
    silent = [
        (method, path)
        for method, path in UNSAFE
        if "CROSS_SITE_REQUEST" not in DESCRIPTION[path][method.lower()]["responses"]["403"]["description"]
    ]

    assert UNSAFE
    assert silent == []


def test_a_browser_that_says_only_that_it_is_another_site_is_believed(shop: Shop, zoe: Browser) -> None:
    with nothing_written(shop.world.connection):
        assert add(shop, zoe, None, sec_fetch_site="cross-site").code == "CROSS_SITE_REQUEST"


def test_a_key_of_idempotency_opens_no_way_around(shop: Shop, zoe: Browser) -> None:
    zoe.post("/v1/cart/items", {"items": [shop.wanted(10)]}, idempotency_key="k")

    assert add(shop, zoe, THEIRS, idempotency_key="k").code == "CROSS_SITE_REQUEST"


def test_an_empty_authorization_leaves_the_cookie_to_speak(shop: Shop, zoe: Browser) -> None:
    assert add(shop, zoe, THEIRS, authorization="").code == "CROSS_SITE_REQUEST"


# --- Who is not -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("origin", "fetched_from"),
    [
        (OURS, "same-site"),
        (OTHER_OF_OURS, "cross-site"),
        (API, "same-origin"),
        (None, "same-origin"),
        (None, "none"),
        (None, ""),
    ],
)
def test_our_own_pages_and_who_is_no_browser_may(
    shop: Shop, zoe: Browser, origin: str | None, fetched_from: str
) -> None:
    more = {"sec_fetch_site": fetched_from} if fetched_from else {}

    assert add(shop, zoe, origin, **more).status == 201


def test_a_bearer_token_is_no_cookie(shop: Shop, zoe: Browser) -> None:
    """Only who knows the token can send it, and a page of another site only after a preflight."""
    elsewhere = shop.world.browser()

    assert add(shop, elsewhere, THEIRS, authorization=f"Bearer {zoe.cookies['__Host-session']}").status == 201


def test_a_header_that_proves_nothing_does_not_let_the_cookie_in(shop: Shop, zoe: Browser) -> None:
    with nothing_written(shop.world.connection):
        assert add(shop, zoe, THEIRS, authorization="Bearer faux").code == "UNAUTHENTICATED"
        assert add(shop, zoe, THEIRS, authorization="Basic faux").code == "UNAUTHENTICATED"


def test_stripe_is_known_by_its_signature(shop: Shop) -> None:
    guest = Guest(shop.world).chooses(shop.wanted(9)).starts().pays()
    [message] = shop.world.stripe.webhooks.take("payment_intent.succeeded")

    answer = sent_from(
        shop.world.browser(),
        THEIRS,
        "POST",
        "/v1/stripe/webhook",
        message.body.decode(),
        stripe_signature=message.headers["Stripe-Signature"],
    )

    assert (answer.status, answer.body) == (200, {"received": True})
    assert guest.asks().body["status"] == "settled"


def test_looking_is_not_changing(shop: Shop, zoe: Browser) -> None:
    """The answer is kept from the page by CORS."""
    answers = [sent_from(zoe, THEIRS, "GET", path, None) for path in ("/v1/cart", "/v1/me", "/v1/courses")]

    assert [answer.status for answer in answers] == [200] * 3
    assert [name for answer in answers for name in answer.headers if "Access-Control" in name] == []


def test_without_a_configuration_only_the_api_s_own_pages_may(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ALLOWED_ORIGINS", raising=False)
    said = {"host": "127.0.0.1:3000", "x-forwarded-proto": "http"}

    assert not is_forged("POST", {**said, "origin": "http://127.0.0.1:3000"})
    assert is_forged("POST", {**said, "origin": "https://127.0.0.1:3000"})
    assert is_forged("POST", {**said, "origin": OURS})
    assert is_forged("POST", {**said, "origin": ""})


# --- CORS: as the template has it, and as the local gateway answers ------------------------------------------------


@dataclass
class Api:
    """The local gateway with the template's routes and CORS, in front of the real handlers."""

    gateway: Gateway
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    set_cookies: list[str] = field(default_factory=list)
    body: bytes = b""

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> "Api":
        said = {"host": urlsplit(API).netloc, "content-type": "application/json"}
        said |= {name.replace("_", "-"): value for name, value in headers.items()}
        scope = {
            "type": "http",
            "http_version": "1.1",
            "scheme": "https",
            "method": method,
            "path": path,
            "query_string": b"",
            "headers": [(name.encode(), value.encode()) for name, value in said.items()],
            "client": ("203.0.113.7", 50_000),
            "server": ("203.0.113.1", 443),
        }

        async def receive() -> dict[str, Any]:
            return {"body": b"" if body is None else json.dumps(body).encode()}

        async def send(message: dict[str, Any]) -> None:
            if message["type"] == "http.response.start":
                named = [(name.decode(), value.decode()) for name, value in message["headers"]]
                self.status, self.headers = message["status"], dict(named)
                self.set_cookies = [value for name, value in named if name == "set-cookie"]
            else:
                self.body = message["body"]

        asyncio.run(self.gateway(scope, receive, send))
        return self

    @property
    def permissions(self) -> dict[str, str]:
        return {name: value for name, value in self.headers.items() if name.startswith("access-control")}


@pytest.fixture
def api(shop: Shop) -> Api:
    application = template.load(TEMPLATE, {"AllowedOrigins": f"{OURS},{OTHER_OF_OURS}"})
    modules = {function.name: function.module for function in application.functions}

    def invoke(name: str, event: dict[str, Any]) -> Any:
        event["requestContext"]["timeEpoch"] = round(shop.world.clock().timestamp() * 1000)
        return import_module(modules[name]).lambda_handler(event, CONTEXT)

    return Api(Gateway(application, invoke))


def test_the_template_names_the_origins_and_never_all_of_them() -> None:
    declared = read_yaml(TEMPLATE)["Parameters"]["AllowedOrigins"]
    variables = read_yaml(TEMPLATE)["Globals"]["Function"]["Environment"]["Variables"]

    assert CORS["AllowOrigins"] == {"Ref": "AllowedOrigins"}
    assert CORS["AllowCredentials"] is True
    assert "*" not in declared["Default"]
    assert declared["AllowedPattern"] == "https?://[^*/]+"
    assert variables["ALLOWED_ORIGINS"] == {"Fn::Join": [",", {"Ref": "AllowedOrigins"}]}


def test_the_template_permits_the_methods_and_headers_that_the_api_has() -> None:
    methods = {method.upper() for operations in DESCRIPTION.values() for method in operations}

    assert set(CORS["AllowMethods"]) == methods
    assert set(CORS["AllowHeaders"]) == {
        "Content-Type",
        "Authorization",
        "Idempotency-Key",
        "X-Client-Secret",
    }
    assert CORS["ExposeHeaders"] == ["Retry-After"]


@pytest.mark.parametrize("origin", [OURS, OTHER_OF_OURS])
def test_a_front_end_of_ours_gets_permission_with_cookies(api: Api, origin: str) -> None:
    preflight = api.ask(
        "OPTIONS", "/v1/cart/items", origin=origin, access_control_request_method="POST"
    ).permissions

    assert preflight == {
        "access-control-allow-origin": origin,
        "access-control-allow-credentials": "true",
        "access-control-allow-methods": ",".join(CORS["AllowMethods"]),
        "access-control-allow-headers": ",".join(CORS["AllowHeaders"]),
        "access-control-max-age": "600",
    }


def test_and_reads_the_answer_with_its_cookie(api: Api, shop: Shop) -> None:
    answer = api.ask("POST", "/v1/cart/items", {"items": [shop.wanted(9)]}, origin=OURS)

    assert answer.status == 201
    assert answer.permissions == {
        "access-control-allow-origin": OURS,
        "access-control-allow-credentials": "true",
        "access-control-expose-headers": "Retry-After",
    }
    assert len(answer.set_cookies) == 1


@pytest.mark.parametrize("origin", STRANGERS)
def test_anybody_else_gets_none(api: Api, shop: Shop, origin: str) -> None:
    preflight = api.ask(
        "OPTIONS", "/v1/cart/items", origin=origin, access_control_request_method="POST"
    ).permissions
    looked = api.ask("GET", "/v1/courses", origin=origin)
    assert (looked.status, looked.permissions) == (200, {})
    tried = api.ask("POST", "/v1/cart/items", {"items": [shop.wanted(9)]}, origin=origin)

    assert preflight == {}
    assert (tried.status, tried.permissions) == (403, {})
    assert contents(shop.world.connection)["time_claims"] == []


# --- What each answer carries -----------------------------------------------------------------------------------


def test_no_answer_may_be_taken_for_another_type(shop: Shop, zoe: Browser) -> None:
    guest = shop.guest()
    answers = [
        guest.get("/v1/courses"),
        guest.get("/v1/health"),
        guest.get("/v1/openapi.json"),
        guest.get("/v1/nothing"),
        guest.get("/v1/courses/inconnu"),
        guest.get("/v1/me"),
        guest.post("/v1/cart/items", "{"),
        guest.post("/v1/cart/items", {}),
        guest.post("/v1/cart/items", "x", content_type="text/plain"),
        add(shop, guest, THEIRS),
        zoe.post("/v1/auth/sign-out", None, idempotency_key="k"),
        zoe.post("/v1/auth/sign-out", None, idempotency_key="k"),
    ]

    assert sorted({answer.status for answer in answers}) == [200, 204, 400, 401, 403, 404, 415, 422]
    assert [answer.headers["X-Content-Type-Options"] for answer in answers] == ["nosniff"] * len(answers)


def test_every_cookie_is_for_our_site_alone_and_no_script_reads_it(shop: Shop) -> None:
    """Those that are set, and those that are taken away."""
    account(shop.world)
    visitor, guest = shop.guest(), Guest(shop.world, "autre@exemple.ca")
    shop.world.school.coupon("SAVE10")
    answers = [
        visitor.put("/v1/cart/coupon", {"code": "SAVE10"}),
        sign_in(visitor),
        visitor.post("/v1/auth/sign-out", None),
    ]
    guest.chooses(shop.wanted(9)).starts().pays()
    shop.world.webhooks()
    answers.append(guest.asks())

    cookies = [cookie for answer in answers for cookie in answer.cookies]
    named = [cookie.partition("=")[0] for cookie in cookies]
    assert sorted(named) == ["__Host-cart_session_id"] * 3 + ["__Host-session"] * 3
    for cookie in cookies:
        flags = {part.partition("=")[0]: part.partition("=")[2] for part in cookie.split("; ")[1:]}
        assert {**flags, "Max-Age": ""} == {
            "Path": "/",
            "Max-Age": "",
            "HttpOnly": "",
            "Secure": "",
            "SameSite": "Lax",
        }
