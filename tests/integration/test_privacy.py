"""What nobody may read: a buyer's secrets in logs, errors and events; a tutor's pay and priority in any answer.

The values planted here are found nowhere else, so one search of the raw text tells (X-14, X-29, UR-05).
"""

import io
import json
import logging
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

import pytest
import stripe

from adapters import database, http, jobs, stripe_payments
from domain.throttling.limits import (
    CART_ADDS,
    CHECKOUTS,
    COUPON_REFUSALS,
    EMAIL_CHECKS,
    RESETS_OF_EMAIL,
    SIGN_IN_FAILURES,
)
from tests.support.browser import ADDRESS, Answer, Browser
from tests.support.guest import Guest
from tests.support.people import account, sign_in
from tests.support.world import World, toronto, wanted

SLUG = "francais-secondaire"
TEN, ELEVEN = toronto(20, 10), toronto(20, 11)

EMAIL = "zulma.quessy@exemple.ca"
PASSWORD = "Xylophone-Cramoisi-91"
NEW_PASSWORD = "Contrebasse-Turquoise-47"
DATABASE_PASSWORD = "Motdepasse-De-La-Base"
ACCOUNT = {
    "email": EMAIL,
    "first_name": "Zulmanette",
    "last_name": "Quessyville",
    "phone": "438 555-0187",
    "password": PASSWORD,
    "password_confirmation": PASSWORD,
}
BILLING = {"address": "8172, rue des Hirondelles", "city": "Chibougamau", "province": "QC", "country": "CA"}
CONTACT = {EMAIL, "Zulmanette", "Quessyville", "+14385550187", "438 555-0187"}
"""What an event may say of a buyer, in the fields that are for it."""
CONTACT_FIELDS = {"email", "first_name", "last_name", "phone"}
CARD_WORDS = {
    "pm_card",
    "visa",
    "42424242",
    "last4",
    "cvc",
    "card_number",
}  # four digits alone may be a port's

RESETS = "SELECT body FROM outbox WHERE type = 'password.reset_requested'"

TUTOR_NAME = "Mme Ornithorynque"
TUTOR_EMAIL = "paie.secrete@exemple.ca"
RATE, PRIORITY = "31.37", 731_373_137
EARNED = {"31.37", "47.05", "47.06", "62.74"}  # in 60, 90 and 120 minutes
PRIVATE_KEY = re.compile(
    r"pay(?!ment)|base_rate|tutor_rate|hourly|earning|commission|margin|priority|e?mail|phone|hash"
)


@dataclass
class Eavesdropper(Browser):
    """A visitor whose every answer is kept."""

    heard: list[Answer] = field(default_factory=list)

    def request(self, *arguments: Any, **named: Any) -> Answer:
        answer = super().request(*arguments, **named)
        self.heard.append(answer)
        return answer


@dataclass
class OverheardWorld(World):
    """A world in which every answer to anybody is kept."""

    heard: list[Answer] = field(default_factory=list)

    def browser(self) -> Browser:
        return Eavesdropper(self.clock, {}, self.heard)


@dataclass
class Scene:
    """A course, its tutor with unmistakable secrets, and whoever comes to buy."""

    world: OverheardWorld
    course: UUID
    tutor: UUID
    handed_out: set[str] = field(default_factory=set)
    """Cookies that a buyer had and has no more."""

    def guest(self) -> Guest:
        return Guest(self.world, EMAIL)

    def starts(self, guest: Guest, **changes: Any) -> Answer:
        answer = guest.browser.post("/v1/checkout", {"account": ACCOUNT | changes, "billing": BILLING})
        if answer.status == 201:
            guest.started = answer.body
        return answer

    def buys(self) -> Guest:
        """The whole way, to the first settled answer, which signs the buyer in."""
        guest = self.guest().chooses(wanted(self.course, TEN))
        assert self.starts(guest).status == 201
        guest.pays()
        assert [answer.status for answer in self.world.webhooks()] == [200]
        self.handed_out.update(guest.browser.cookies.values())
        assert guest.asks().body["status"] == "settled"
        return guest

    def secrets(self, guest: Guest) -> set[str]:
        """What opens something: nobody but the buyer's browser may have it."""
        opens = self.handed_out | set(guest.browser.cookies.values())
        keys = {self.world.stripe.secret_key, self.world.stripe.webhook_secret}
        spoken = {guest.started.get("client_secret")}
        return {PASSWORD, DATABASE_PASSWORD, *keys, *(text for text in opens | spoken if text)}


@pytest.fixture
def scene(world: World) -> Scene:
    course = world.school.course(SLUG)
    tutor = world.school.tutor(course, name=TUTOR_NAME, rate=RATE, priority=PRIORITY)
    world.connection.execute("UPDATE users SET email = %s WHERE id = %s", (TUTOR_EMAIL, tutor))
    return Scene(OverheardWorld(world.clock, world.connection, world.stripe, world.school), course, tutor)


@pytest.fixture
def logs(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], str]]:
    """Everything that is logged, by the product at its own level and by libraries from INFO."""
    written = io.StringIO()
    for logger in (http.logger, jobs.logger):
        for handler in logger.handlers:
            monkeypatch.setattr(handler, "stream", written)
    libraries = logging.StreamHandler(written)
    root = logging.getLogger()
    level = root.level
    root.addHandler(libraries)
    root.setLevel(logging.INFO)
    yield written.getvalue
    root.removeHandler(libraries)
    root.setLevel(level)


def found(text: str, *values: str) -> set[str]:
    """Those of the values that are in the text, whatever their case and however JSON spells them."""
    read = text.casefold() + text.encode().decode("unicode_escape", "replace").casefold()
    return {value for value in values if value.casefold() in read}


def refusals(heard: list[Answer]) -> str:
    return "\n".join(answer.text for answer in heard if answer.status >= 400)


# --- The buyer's secrets ------------------------------------------------------------------------------------


def test_a_purchase_leaves_nothing_of_the_buyer_in_the_logs(
    scene: Scene, logs: Callable[[], str], capfd: pytest.CaptureFixture[str]
) -> None:
    guest = scene.buys()
    scene.world.reconcile()

    assert found(everything(logs, capfd), *private(scene, guest)) == set()


def test_the_search_finds_what_is_logged(logs: Callable[[], str]) -> None:
    """The negative control of every search of the logs."""
    http.logger.error("refused", extra={"buyer": {"name": "Zulmanette", "place": "Québec"}})
    logging.getLogger("stripe").info("body=%s", EMAIL.upper())

    assert found(logs(), *CONTACT, "Québec") == {"Zulmanette", "Québec", EMAIL}


def test_no_refusal_repeats_what_was_sent(
    scene: Scene, logs: Callable[[], str], capfd: pytest.CaptureFixture[str]
) -> None:
    scene.buys()
    scene.world.heard.clear()
    rival, guest = scene.guest().chooses(wanted(scene.course, ELEVEN)), scene.guest()

    codes = [
        scene.starts(guest).code,
        scene.starts(rival).code,
        scene.starts(rival, email=f"{EMAIL} {EMAIL}").code,
        scene.starts(rival, password="Xylo!", password_confirmation="Xylo!").code,
        scene.starts(rival, email="autre@exemple.ca", password_confirmation=PASSWORD[:-1]).code,
        scene.starts(rival, email="autre@exemple.ca", phone="438 555-0187 poste 3").code,
        scene.starts(rival, first_name=["Zulmanette"]).code,
        scene.starts(rival, **{EMAIL: PASSWORD[::-1]}, password=[PASSWORD]).code,
        rival.browser.post("/v1/checkout", f'{{"email": "{EMAIL}", "password": "{PASSWORD}"').code,
        rival.browser.post("/v1/checkout/email-check", {"email": [EMAIL]}).code,
        rival.browser.get("/v1/cart", authorization=f"Bearer {PASSWORD}").code,
        rival.browser.get(f"/v1/checkout/{uuid4()}", x_client_secret=PASSWORD).code,
        rival.browser.get(f"/v1/checkout/{PASSWORD}").code,
        rival.browser.get(f"/v1/courses/{PASSWORD}").code,
        rival.browser.put("/v1/cart/coupon", {"code": PASSWORD}).code,
        rival.browser.post("/v1/stripe/webhook", f'{{"email": "{EMAIL}"}}', stripe_signature=PASSWORD).code,
    ]

    assert codes == [
        "CART_EMPTY",
        "USER_ALREADY_EXISTS",
        "EMAIL_INVALID",
        "PASSWORD_TOO_SHORT",
        "PASSWORD_MISMATCH",
        "VALIDATION_FAILED",
        "VALIDATION_FAILED",
        "VALIDATION_FAILED",
        "MALFORMED_JSON",
        "VALIDATION_FAILED",
        "UNAUTHENTICATED",
        "CHECKOUT_NOT_FOUND",
        "VALIDATION_FAILED",
        "COURSE_NOT_FOUND",
        "COUPON_INVALID",
        "INVALID_SIGNATURE",
    ]
    hidden = private(scene, rival) - {EMAIL}
    assert found(refusals(scene.world.heard), *hidden) == set()
    assert found(everything(logs, capfd), *private(scene, rival)) == set()


def test_a_database_that_refuses_the_row_is_not_quoted(
    scene: Scene, logs: Callable[[], str], capfd: pytest.CaptureFixture[str]
) -> None:
    """PostgreSQL's message has the whole row in it: `Failing row contains (…, zulma.quessy@exemple.ca, …)`."""
    guest = scene.guest().chooses(wanted(scene.course, TEN))
    scene.world.connection.execute("ALTER TABLE users ADD CONSTRAINT no_zulma CHECK (role <> 'student')")
    scene.world.connection.execute("ALTER TABLE checkouts ADD CONSTRAINT refuse CHECK (false) NOT VALID")

    assert scene.starts(guest).code == "INTERNAL_ERROR"
    scene.world.connection.execute("ALTER TABLE checkouts DROP CONSTRAINT refuse")
    assert scene.starts(guest).status == 201
    guest.pays()
    assert [answer.code for answer in scene.world.webhooks()] == ["INTERNAL_ERROR"]

    assert found(logs(), "no_zulma", "refuse") == {"no_zulma", "refuse"}
    assert found(refusals(scene.world.heard), *private(scene, guest)) == set()
    assert found(everything(logs, capfd), *private(scene, guest)) == set()


@pytest.mark.parametrize(
    ("setting", "value", "code"),
    [
        (
            "DATABASE_URL",
            f"postgresql://{EMAIL}:{DATABASE_PASSWORD}@127.0.0.1:1/base",
            "TEMPORARILY_UNAVAILABLE",
        ),
        ("DATABASE_URL", f"host=127.0.0.1 {DATABASE_PASSWORD}", "INTERNAL_ERROR"),
        ("DATABASE_URL", "", "INTERNAL_ERROR"),
        ("STRIPE_SECRET_KEY", f"sk_test_{DATABASE_PASSWORD}", "PAYMENT_UNAVAILABLE"),
        ("STRIPE_SECRET_KEY", f"sk_test_{DATABASE_PASSWORD}é\n", "PAYMENT_UNAVAILABLE"),
        ("STRIPE_SECRET_KEY", "", "INTERNAL_ERROR"),
        ("STRIPE_PUBLISHABLE_KEY", "", "INTERNAL_ERROR"),
    ],
)
def test_a_failure_in_the_middle_of_a_purchase_tells_nothing(
    scene: Scene,
    logs: Callable[[], str],
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    setting: str,
    value: str,
    code: str,
) -> None:
    guest = scene.guest().chooses(wanted(scene.course, TEN))
    monkeypatch.setenv(setting, value)
    database.disconnect()
    stripe_payments.stripe_payments.cache_clear()

    answer = scene.starts(guest)

    assert answer.code == code
    assert set(answer.body) == {"type", "title", "status", "detail", "code", "instance"}
    assert found(refusals(scene.world.heard), *private(scene, guest)) == set()
    assert found(everything(logs, capfd), *private(scene, guest)) == set()


def test_a_stripe_that_fails_is_not_quoted(
    scene: Scene, logs: Callable[[], str], capfd: pytest.CaptureFixture[str]
) -> None:
    guest = scene.guest().chooses(wanted(scene.course, TEN))
    assert scene.starts(guest).status == 201
    scene.world.stripe.faults.add("connection_reset", times=9)

    assert guest.asks().status >= 500

    assert found(refusals(scene.world.heard), *private(scene, guest)) == set()
    assert found(everything(logs, capfd), *private(scene, guest)) == set()


def test_events_tell_of_the_buyer_only_what_the_contract_has_fields_for(scene: Scene) -> None:
    guest = scene.buys()

    events = [json.loads(bytes(row["body"])) for row in scene.world.rows("SELECT body FROM outbox")]

    assert sorted(event["type"] for event in events) == ["booking.created", "signup"]
    said = [(key, str(value)) for event in events for key, value in leaves(event)]
    beside_contact = "\n".join(value for key, value in said if key not in CONTACT_FIELDS)
    assert {key for key, value in said if found(value, *CONTACT)} == CONTACT_FIELDS
    assert found(beside_contact, *CONTACT) == set()
    never = scene.secrets(guest) | set(BILLING.values()) - {"QC", "CA"} | CARD_WORDS
    assert found(json.dumps(events, ensure_ascii=False), *never) == set()


def test_a_declined_card_is_not_spoken_of(
    scene: Scene, logs: Callable[[], str], capfd: pytest.CaptureFixture[str]
) -> None:
    guest = scene.guest().chooses(wanted(scene.course, TEN))
    assert scene.starts(guest).status == 201
    with pytest.raises(stripe.CardError):
        guest.pays("pm_card_chargeDeclined")

    assert guest.asks().body == {"status": "requires_payment", "order": None, "session_token": None}
    assert [answer.status for answer in scene.world.webhooks("payment_intent.payment_failed")] == [200]
    assert found(everything(logs, capfd), *private(scene, guest)) == set()


# --- The account's secrets ----------------------------------------------------------------------------------


def token_that_was_sent(scene: Scene) -> str:
    """What only Make.com's e-mail says."""
    [event] = scene.world.rows(RESETS)
    return str(json.loads(bytes(event["body"]))["payload"]["reset_token"])


def new_password(token: str) -> dict[str, str]:
    return {"token": token, "password": NEW_PASSWORD, "password_confirmation": NEW_PASSWORD}


def test_getting_into_an_account_leaves_nothing_in_the_logs(
    scene: Scene, logs: Callable[[], str], capfd: pytest.CaptureFixture[str]
) -> None:
    account(scene.world, EMAIL, password=PASSWORD)
    browser, guest = scene.world.browser(), scene.guest()
    guest.chooses(wanted(scene.course, TEN))
    cart_cookie = guest.browser.cookies["__Host-cart_session_id"]
    person = {name: ACCOUNT[name] for name in ("first_name", "last_name", "phone")}
    changed = {"current_password": PASSWORD, "password": NEW_PASSWORD, "password_confirmation": NEW_PASSWORD}

    session = sign_in(guest.browser, EMAIL, PASSWORD).body["session_token"]
    statuses = [
        guest.browser.patch("/v1/me", person).status,
        guest.browser.get("/v1/me", authorization=f"Bearer {session}").status,
        guest.browser.post("/v1/me/password", changed).status,
        guest.browser.post("/v1/auth/sign-out", None, idempotency_key=session).status,
        browser.post("/v1/auth/password-reset", {"email": EMAIL}).status,
    ]
    reset = token_that_was_sent(scene)
    confirmed = browser.post("/v1/auth/password-reset/confirm", new_password(reset))

    assert [*statuses, confirmed.status] == [200, 200, 200, 204, 202, 204]
    hidden = {*CONTACT, PASSWORD, NEW_PASSWORD, session, cart_cookie, reset, ADDRESS, DATABASE_PASSWORD}
    assert found(everything(logs, capfd), *hidden) == set()


def test_no_refusal_of_an_account_repeats_what_was_sent(
    scene: Scene, logs: Callable[[], str], capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    account(scene.world, EMAIL, password=PASSWORD)
    browser = scene.world.browser()
    session = sign_in(browser, EMAIL, PASSWORD).body["session_token"]
    scene.world.heard.clear()
    wrong = PASSWORD[::-1]
    mistyped = {"password": NEW_PASSWORD, "password_confirmation": PASSWORD}
    for limit in (SIGN_IN_FAILURES, RESETS_OF_EMAIL, EMAIL_CHECKS, CHECKOUTS, CART_ADDS, COUPON_REFUSALS):
        monkeypatch.setenv(limit.name, "3")

    codes = [
        sign_in(browser, EMAIL, wrong).code,
        sign_in(browser, f"{EMAIL} {EMAIL}", wrong).code,
        browser.post("/v1/auth/sign-in", {"email": EMAIL, "password": [wrong]}).code,
        browser.post("/v1/auth/sign-in", f'{{"email": "{EMAIL}", "password": "{wrong}"').code,
        browser.post("/v1/auth/sign-in", f"email={EMAIL}", content_type="text/plain").code,
        sign_in(browser, EMAIL, wrong).code,
        sign_in(browser, EMAIL, PASSWORD).code,
        browser.post("/v1/auth/password-reset/confirm", new_password(wrong)).code,
        browser.post("/v1/auth/password-reset/confirm", {**mistyped, "token": wrong}).code,
        browser.post("/v1/me/password", {**mistyped, "current_password": wrong}).code,
        browser.patch("/v1/me", {"phone": f"{EMAIL} poste 3"}).code,
        browser.patch("/v1/me", {"first_name": ["Zulmanette"]}).code,
        browser.patch("/v1/me", {"email": EMAIL}).code,
        browser.get("/v1/me", authorization=f"Bearer {wrong}").code,
        browser.post("/v1/checkout", {"billing": BILLING}, idempotency_key=EMAIL + "\x7f").code,
        browser.post("/v1/checkout", {"billing": BILLING}, origin=f"https://{EMAIL}").code,
        browser.post("/v1/checkout", {"billing": BILLING | {"country": BILLING["city"]}}).code,
        *(browser.post("/v1/checkout", {"billing": BILLING}).code for _ in range(4)),
        [browser.post("/v1/auth/password-reset", {"email": EMAIL}) for _ in range(4)][-1].code,
        [browser.post("/v1/checkout/email-check", {"email": EMAIL}) for _ in range(4)][-1].code,
        [browser.put("/v1/cart/coupon", {"code": PASSWORD}) for _ in range(4)][-1].code,
    ]

    assert codes == [
        "INVALID_CREDENTIALS",
        "EMAIL_INVALID",
        "VALIDATION_FAILED",
        "MALFORMED_JSON",
        "UNSUPPORTED_MEDIA_TYPE",
        "INVALID_CREDENTIALS",
        "RATE_LIMITED",
        "RESET_TOKEN_INVALID",
        "PASSWORD_MISMATCH",
        "RATE_LIMITED",
        "VALIDATION_FAILED",
        "VALIDATION_FAILED",
        "VALIDATION_FAILED",
        "UNAUTHENTICATED",
        "VALIDATION_FAILED",
        "CROSS_SITE_REQUEST",
        "VALIDATION_FAILED",
        *["CART_EMPTY"] * 3,
        "RATE_LIMITED",
        *["RATE_LIMITED"] * 3,
    ]
    reset = {json.loads(bytes(row["body"]))["payload"]["reset_token"] for row in scene.world.rows(RESETS)}
    hidden = {*CONTACT, *BILLING.values(), PASSWORD, wrong, NEW_PASSWORD, session, ADDRESS, *reset}
    hidden -= {"QC", "CA"}
    assert len(reset) == 3
    assert found(refusals(scene.world.heard), *hidden) == set()
    assert found(everything(logs, capfd), *hidden) == set()


def test_a_failure_at_the_door_quotes_nobody(
    scene: Scene, logs: Callable[[], str], capfd: pytest.CaptureFixture[str]
) -> None:
    """The database refuses the row, and says which: `Failing row contains (…)`."""
    account(scene.world, EMAIL, password=PASSWORD)
    browser = scene.world.browser()
    for table in ("auth_sessions", "password_reset_tokens"):
        scene.world.connection.execute(f"ALTER TABLE {table} ADD CONSTRAINT refuse CHECK (false) NOT VALID")

    codes = [
        sign_in(browser, EMAIL, PASSWORD).code,
        browser.post("/v1/auth/password-reset", {"email": EMAIL}).code,
    ]

    assert codes == ["INTERNAL_ERROR", "INTERNAL_ERROR"]
    hidden = {*CONTACT, PASSWORD, ADDRESS, DATABASE_PASSWORD}
    assert found(logs(), "refuse") == {"refuse"}
    assert found(refusals(scene.world.heard), *hidden) == set()
    assert found(everything(logs, capfd), *hidden) == set()


# --- The tutor's secrets ------------------------------------------------------------------------------------


def test_no_answer_tells_what_a_tutor_earns_nor_how_tutors_are_ranked(scene: Scene) -> None:
    """Every route, by a guest and a student, in every state a cart and a payment can be in."""
    guest, world = scene.guest(), scene.world
    world.school.coupon("SAVE10")
    asked_of_the_catalogue(scene, guest.browser)
    asked_of_the_catalogue(scene, guest.browser, tutor_id=str(scene.tutor))
    for session in (wanted(scene.course, TEN, 90, scene.tutor), wanted(scene.course, toronto(20, 13), 120)):
        guest.chooses(session)
        assert guest.browser.post("/v1/cart/items", {"items": [session]}).code == "ALREADY_IN_CART"
    guest.uses_coupon("SAVE10")
    assert world.add(world.browser(), scene.course, TEN).code == "SLOT_UNAVAILABLE"
    assert world.add(guest.browser, scene.course, toronto(20, 10, 30)).code == "OVERLAP"

    world.clock.advance(minutes=16)
    assert {item["hold_expired"] for item in guest.cart["items"]} == {True}
    rival = scene.guest().chooses(wanted(scene.course, TEN))
    assert {item["unavailable"] for item in guest.cart["items"]} == {True, False}
    assert scene.starts(guest).code == "SLOTS_UNAVAILABLE"
    guest.drops(item=0)

    assert scene.starts(guest).status == 201
    assert guest.asks().body["status"] == "requires_payment"
    guest.pays()
    world.clock.advance(seconds=3)
    assert guest.asks().body["status"] == "settled"
    world.webhooks()
    assert scene.starts(rival).code == "USER_ALREADY_EXISTS"
    student = guest.browser
    asked_of_the_catalogue(scene, student)
    assert world.add(student, scene.course, ELEVEN.replace(day=21)).status == 201
    assert student.post("/v1/checkout", {"billing": BILLING}).status == 201
    student.delete("/v1/cart/coupon")
    student.get("/v1/cart")
    student.get("/v1/health")

    assert len(world.heard) > 25
    assert_no_pay_and_no_rank(world.heard)


def test_a_new_price_a_payment_sent_back_and_an_account_to_sign_in_to_tell_no_more(scene: Scene) -> None:
    world = scene.world
    slow, quick, twin = scene.guest(), scene.guest(), scene.guest()
    slow.chooses(wanted(scene.course, TEN))
    world.connection.execute("UPDATE courses SET student_rate_cad = 46")
    assert scene.starts(slow, email="lente@exemple.ca").code == "PRICE_CHANGED"
    assert scene.starts(slow, email="lente@exemple.ca").status == 201
    world.clock.advance(minutes=16)
    quick.chooses(wanted(scene.course, TEN))
    twin.chooses(wanted(scene.course, ELEVEN))
    for buyer in (quick, twin):
        assert scene.starts(buyer).status == 201

    states = [buyer.pays().asks().body["status"] for buyer in (quick, twin, slow)]

    assert states == ["settled", "sign_in_required", "refunded"]
    assert_no_pay_and_no_rank(world.heard)


def test_a_free_time_of_any_tutor_does_not_tell_whose_it_is(scene: Scene) -> None:
    """UR-05: the name comes with the cart, never before, and never the tutor's id."""
    guest = scene.guest()
    asked_of_the_catalogue(scene, guest.browser, detail=False)

    assert len(scene.world.heard) == 5
    for answer in scene.world.heard:
        assert found(answer.text, TUTOR_NAME, str(scene.tutor)) == set(), answer.text

    guest.chooses(wanted(scene.course, TEN))

    assert found(scene.world.heard[-1].text, TUTOR_NAME, str(scene.tutor)) == {TUTOR_NAME}


def test_the_search_finds_what_a_named_tutor_s_times_tell(scene: Scene) -> None:
    """The negative control: an answer that does name the tutor is seen to."""
    asked_of_the_catalogue(scene, scene.guest().browser, tutor_id=str(scene.tutor))

    named = [answer for answer in scene.world.heard if found(answer.text, str(scene.tutor))]
    assert len(named) == 2  # the course's tutors, the tutor's free times


@pytest.mark.parametrize(
    "key", ["tutor_rate_cad", "hourly_base_rate_cad", "pay_cad", "tutor_email", "priority"]
)
def test_a_private_key_is_recognised(key: str) -> None:
    assert [name for name, _ in leaves({"items": [{"a": {key: None}}]}) if PRIVATE_KEY.search(name)] == [key]


def assert_no_pay_and_no_rank(heard: list[Answer]) -> None:
    for answer in heard:
        assert found(answer.text, *EARNED, str(PRIORITY), TUTOR_EMAIL) == set(), answer.text
        assert [key for key, _ in leaves(answer.body) if PRIVATE_KEY.search(key)] == [], answer.text


def asked_of_the_catalogue(scene: Scene, browser: Browser, *, detail: bool = True, **query: str) -> None:
    """Every question the catalogue answers."""
    path = f"/v1/courses/{SLUG}"
    browser.get("/v1/courses")
    browser.get("/v1/courses", {"search": "cours"})
    if detail:
        browser.get(path)
    browser.get(f"{path}/availability", {"from": "2027-01-18", "to": "2027-02-18", "duration": "60", **query})
    browser.get(f"{path}/slots", {"date": "2027-01-20", "duration": "120", **query})
    browser.get(f"{path}/slots", {"date": "2027-01-18", "duration": "45", **query})


def private(scene: Scene, guest: Guest) -> set[str]:
    """What no log and no refusal may hold of a purchase."""
    return scene.secrets(guest) | CONTACT | (set(BILLING.values()) - {"QC", "CA"}) | CARD_WORDS


def everything(logs: Callable[[], str], capfd: pytest.CaptureFixture[str]) -> str:
    """What was logged, and whatever else was written to the process's outputs."""
    printed = capfd.readouterr()
    return logs() + printed.out + printed.err


def leaves(value: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    """Each member of a document, however deep: its name, and its value unless that has members itself."""
    if isinstance(value, dict):
        yield key, None
        for name, member in value.items():
            yield from leaves(member, name)
    elif isinstance(value, list):
        yield key, None
        for element in value:
            yield from leaves(element, key)
    else:
        yield key, value
