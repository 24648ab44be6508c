"""Signing in and out: who gets a session, what it is, and what nobody can tell from a refusal."""

import hashlib
import re
import statistics
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import psycopg
import pytest
from argon2 import PasswordHasher, Type
from argon2.low_level import hash_secret
from psycopg.errors import ForeignKeyViolation

from domain.accounts import passwords
from tests.support.browser import Answer, Browser
from tests.support.guest import Guest
from tests.support.people import EMAIL, PASSWORD, account, sign_in, signed_in
from tests.support.tables import contents, nothing_written
from tests.support.world import FORM, World, toronto, wanted

pytestmark = pytest.mark.usefixtures("todays_passwords")

WEAK = hash_secret(PASSWORD.encode(), b"0123456789abcdef", 1, 8, 1, 32, Type.ID).decode()
"""The password as parameters of long ago would have hashed it."""


@pytest.fixture
def verified(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The hashes that argon2 was asked to verify something against."""
    seen: list[str] = []
    verify = PasswordHasher.verify

    def watched(self: PasswordHasher, hash: str | bytes, password: str | bytes) -> bool:
        seen.append(str(hash))
        return verify(self, hash, password)

    monkeypatch.setattr(PasswordHasher, "verify", watched)
    return seen


def attributes(cookie: str) -> dict[str, str]:
    parts = (part.strip().partition("=") for part in cookie.split(";"))
    return {name: value for name, _, value in parts}


# --- who gets in ----------------------------------------------------------------------------------------------


def test_the_right_password_opens_a_session(world: World) -> None:
    user_id = account(world)

    answer = sign_in(world.browser())

    token = answer.body["session_token"]
    assert (answer.status, answer.body) == (
        200,
        {
            "user": {
                "id": str(user_id),
                "email": EMAIL,
                "first_name": "Zoé",
                "last_name": "Tremblay",
                "phone": None,
                "role": "student",
                "status": "active",
                "created_at": answer.body["user"]["created_at"],
                "tutor": None,
            },
            "session_token": token,
            "expires_at": "2027-02-17T12:00:00-05:00",
        },
    )
    assert re.fullmatch(r"[A-Za-z0-9_-]{43}", token)  # 256 random bits


def test_the_cookie_is_the_token_and_lives_as_long_as_the_session(world: World) -> None:
    account(world)

    answer = sign_in(world.browser())

    [cookie] = answer.cookies
    assert attributes(cookie) == {
        "__Host-session": answer.body["session_token"],
        "Path": "/",
        "Max-Age": "2592000",
        "HttpOnly": "",
        "Secure": "",
        "SameSite": "Lax",
    }
    [row] = world.rows("SELECT * FROM auth_sessions")
    assert row["expires_at"] == world.clock() + timedelta(seconds=2_592_000)


def test_the_database_knows_the_token_only_by_its_hash(world: World) -> None:
    account(world)

    token = sign_in(world.browser()).body["session_token"]

    [row] = world.rows("SELECT token_hash FROM auth_sessions")
    assert row["token_hash"] == hashlib.sha256(token.encode()).digest()
    assert token not in str(contents(world.connection))


@pytest.mark.parametrize("role", ["student", "tutor", "admin"])
def test_every_role_may_sign_in(world: World, role: str) -> None:
    account(world, role=role)

    assert sign_in(world.browser()).body["user"]["role"] == role


@pytest.mark.parametrize("typed", ["ZOE@Exemple.CA", "  zoe@exemple.ca "])
def test_the_e_mail_has_no_case(world: World, typed: str) -> None:
    account(world)

    assert sign_in(world.browser(), typed).status == 200


def test_the_session_opens_the_account_by_cookie_and_by_token(world: World) -> None:
    account(world)
    browser = signed_in(world)

    by_cookie = browser.get("/v1/me")
    by_token = world.browser().get("/v1/me", authorization=f"Bearer {browser.cookies['__Host-session']}")

    assert (by_cookie.status, by_cookie.body["email"]) == (200, EMAIL)
    assert by_token.body == by_cookie.body


def test_a_guest_whose_payment_opened_the_account_may_sign_in_with_the_chosen_password(world: World) -> None:
    """UR-15: closing the browser after paying loses nothing."""
    course = world.school.course()
    world.school.tutor(course)
    Guest(world).books(wanted(course, toronto(20, 9)))

    assert sign_in(world.browser(), EMAIL, FORM["account"]["password"]).status == 200


# --- who does not ---------------------------------------------------------------------------------------------

REFUSALS: dict[str, Callable[[Browser], Answer]] = {
    "a wrong password": lambda browser: sign_in(browser, password="Phrase-de-passe-13"),
    "a short one": lambda browser: sign_in(browser, password="x"),
    "none": lambda browser: sign_in(browser, password=""),
    "an unknown e-mail": lambda browser: sign_in(browser, "personne@exemple.ca"),
    "an account without password": lambda browser: sign_in(browser, "sans@exemple.ca"),
    "a suspended tutor": lambda browser: sign_in(browser, "suspendue@exemple.ca"),
}


@pytest.fixture
def town(world: World) -> World:
    account(world)
    account(world, "suspendue@exemple.ca", "tutor", status="suspended")
    world.school.user("sans@exemple.ca", "tutor")
    return world


@pytest.mark.parametrize("attempt", REFUSALS.values(), ids=REFUSALS)
def test_every_refusal_is_the_same_and_writes_nothing(
    town: World, attempt: Callable[[Browser], Answer]
) -> None:
    with nothing_written(town.connection):
        answer = attempt(town.browser())

    assert (answer.status, answer.code, answer.cookies) == (401, "INVALID_CREDENTIALS", [])
    assert answer.body["detail"] == "Courriel ou mot de passe invalide"
    assert set(answer.body) == {"type", "title", "status", "detail", "code", "instance"}


@pytest.mark.parametrize("attempt", REFUSALS.values(), ids=REFUSALS)
def test_every_refusal_costs_one_verification(
    town: World, verified: list[str], attempt: Callable[[Browser], Answer]
) -> None:
    attempt(town.browser())

    assert len(verified) == 1


def test_what_nobody_s_password_is_verified_against_costs_as_much_as_a_real_hash() -> None:
    assert not passwords.is_outdated(passwords.NOBODYS_HASH)
    assert not passwords.is_password(PASSWORD, None)
    assert not passwords.is_password(PASSWORD, passwords.NOBODYS_HASH)


def test_no_account_and_one_without_password_take_as_long_as_a_wrong_password(town: World) -> None:
    """By the processor's clock, which no neighbour disturbs; a refusal without argon2 takes a twentieth."""
    browser = town.browser()

    def cost(email: str) -> float:
        began = time.process_time()
        assert sign_in(browser, email, "Phrase-de-passe-13").code == "INVALID_CREDENTIALS"
        return time.process_time() - began

    rounds = [(cost(EMAIL), cost("personne@exemple.ca"), cost("sans@exemple.ca")) for _ in range(5)]

    known, unknown, without = (statistics.median(side) for side in zip(*rounds, strict=True))
    assert 0.6 < unknown / known < 1.67
    assert 0.6 < without / known < 1.67


def test_an_account_that_a_payment_opened_without_password_lets_nobody_in(world: World) -> None:
    """Such an account may exist: a payment opened it whose hash was gone, as it was once withdrawn (0010)."""
    course = world.school.course()
    world.school.tutor(course)
    guest = Guest(world).chooses(wanted(course, toronto(20, 9))).starts()
    world.rows("UPDATE checkouts SET buyer = buyer - 'password_hash' RETURNING id")
    guest.pays()
    world.webhooks()
    assert world.rows("SELECT password_hash FROM users WHERE email = %s", EMAIL) == [{"password_hash": None}]

    for password in (FORM["account"]["password"], "", "None", "null"):
        assert sign_in(world.browser(), EMAIL, password).code == "INVALID_CREDENTIALS"


@pytest.mark.parametrize("email", ["", "zoe", "zoe@", "@exemple.ca", "zoe@exemple", "zoe\x00@exemple.ca"])
def test_what_is_no_e_mail_is_said_to_be_none(town: World, verified: list[str], email: str) -> None:
    answer = sign_in(town.browser(), email)

    assert (answer.status, answer.code, verified) == (422, "EMAIL_INVALID", [])


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"email": EMAIL},
        {"password": PASSWORD},
        {"email": EMAIL, "password": None},
        {"email": EMAIL, "password": 123456},
        {"email": [EMAIL], "password": PASSWORD},
        {"email": EMAIL, "password": "x" * 1025},
        {"email": EMAIL, "password": "\ud800" + PASSWORD},
        {"email": EMAIL, "password": PASSWORD, "role": "admin"},
    ],
)
def test_a_body_of_another_form_is_refused(town: World, body: Any) -> None:
    with nothing_written(town.connection):
        answer = town.browser().post("/v1/auth/sign-in", body)

    assert (answer.status, answer.code) == (422, "VALIDATION_FAILED")
    assert PASSWORD not in answer.text


def test_nobody_can_sign_up(world: World) -> None:
    """UR-15, X-32: no such route exists."""
    for path in ("/v1/auth/sign-up", "/v1/auth/register", "/v1/users", "/v1/auth/callback"):
        answer = world.browser().post(path, {"email": EMAIL, "password": PASSWORD})
        assert (answer.status, answer.code) == (404, "NOT_FOUND")


# --- suspended students (B.14) --------------------------------------------------------------------------------


def test_a_suspended_student_signs_in_and_does_not_book(world: World) -> None:
    account(world, status="suspended")
    browser = signed_in(world)

    assert browser.get("/v1/me").body["status"] == "suspended"
    assert browser.get("/v1/cart").code == "BOOKING_NOT_ALLOWED"


# --- an identity without a row (UR-09) ------------------------------------------------------------------------


def test_a_session_without_a_person_cannot_exist(world: World) -> None:
    user_id = account(world)
    browser = signed_in(world)

    with pytest.raises(ForeignKeyViolation):
        world.connection.execute("UPDATE auth_sessions SET user_id = gen_random_uuid()")
    world.connection.execute("DELETE FROM users WHERE id = %s", (user_id,))

    assert world.count("auth_sessions") == 0
    assert browser.get("/v1/me").code == "UNAUTHENTICATED"


# --- hashes of long ago ---------------------------------------------------------------------------------------


def stored_hash(connection: psycopg.Connection[Any]) -> str:
    row = connection.execute("SELECT password_hash FROM users").fetchone()
    return str(row[0]) if row else ""


def test_a_hash_with_other_parameters_is_renewed_by_the_next_sign_in(world: World) -> None:
    account(world)
    world.connection.execute("UPDATE users SET password_hash = %s", (WEAK,))

    assert sign_in(world.browser()).status == 200

    renewed = stored_hash(world.connection)
    assert renewed.startswith("$argon2id$v=19$m=65536,t=3,p=4$")
    assert passwords.is_password(PASSWORD, renewed)


def test_a_hash_with_today_s_parameters_stays(world: World) -> None:
    account(world)
    before = stored_hash(world.connection)

    sign_in(world.browser())

    assert stored_hash(world.connection) == before


def test_a_wrong_password_renews_nothing(world: World) -> None:
    account(world)
    world.connection.execute("UPDATE users SET password_hash = %s", (WEAK,))

    assert sign_in(world.browser(), password="Phrase-de-passe-13").status == 401

    assert stored_hash(world.connection) == WEAK


# --- signing out ----------------------------------------------------------------------------------------------


def sign_out(browser: Browser, **headers: str) -> Answer:
    return browser.request("POST", "/v1/auth/sign-out", headers=headers)


def test_signing_out_ends_the_session_and_clears_the_cookie(world: World) -> None:
    account(world)
    browser = signed_in(world)
    token = browser.cookies["__Host-session"]

    answer = sign_out(browser)

    assert (answer.status, answer.text) == (204, "")
    assert [attributes(cookie)["Max-Age"] for cookie in answer.cookies] == ["0"]
    assert "__Host-session" not in browser.cookies
    assert world.browser().get("/v1/me", authorization=f"Bearer {token}").code == "UNAUTHENTICATED"


def test_signing_out_ends_no_other_session(world: World) -> None:
    account(world)
    here, there = signed_in(world), signed_in(world)

    sign_out(here)

    assert there.get("/v1/me").status == 200


def test_signing_out_again_changes_nothing(world: World) -> None:
    account(world)
    browser = signed_in(world)
    token = browser.cookies["__Host-session"]
    sign_out(browser)
    world.clock.advance(minutes=1)

    with nothing_written(world.connection):
        answers = [
            sign_out(browser),
            sign_out(Browser(world.clock, {"__Host-session": token})),
            sign_out(world.browser(), authorization=f"Bearer {token}"),
            sign_out(world.browser(), authorization="Bearer nobody"),
            sign_out(world.browser(), authorization="Basic nobody"),
        ]

    assert [answer.status for answer in answers] == [204] * 5


def test_a_token_in_a_header_is_the_one_that_is_signed_out(world: World) -> None:
    account(world)
    by_cookie, by_header = signed_in(world), signed_in(world)

    sign_out(by_cookie, authorization=f"Bearer {by_header.cookies['__Host-session']}")

    assert Browser(world.clock, by_header.cookies).get("/v1/me").status == 401
    assert world.rows("SELECT count(*) AS open FROM auth_sessions WHERE revoked_at IS NULL") == [{"open": 1}]


def test_a_session_ends_after_thirty_days(world: World) -> None:
    account(world)
    browser = signed_in(world)
    ends: datetime = world.clock() + timedelta(days=30)

    world.clock.now = ends - timedelta(milliseconds=1)
    assert browser.get("/v1/me").status == 200

    world.clock.now = ends
    assert browser.get("/v1/me").code == "UNAUTHENTICATED"
