"""A lost password: who may ask, what is sent, and how often a token works (OP-G16)."""

import hashlib
import io
import json
from typing import Any

import argon2
import psycopg
import pytest
from psycopg import Connection

from adapters import http
from domain.access.models import PasswordReset
from domain.access.password_reset import confirm_reset
from domain.errors import Refused
from tests.conftest import Database
from tests.support.booked_student import BookedStudent
from tests.support.browser import Answer, Browser
from tests.support.guest import Guest
from tests.support.people import EMAIL, PASSWORD, account, sign_in, signed_in
from tests.support.race import at_once
from tests.support.tables import contents, nothing_written
from tests.support.wire import counted
from tests.support.world import World, form, toronto, wanted

NEW = "Autre-phrase-de-passe-34"


def ask(browser: Browser, email: Any = EMAIL) -> Answer:
    return browser.post("/v1/auth/password-reset", {"email": email})


def confirm(browser: Browser, token: str, password: str = NEW, confirmation: str | None = None) -> Answer:
    body = {"token": token, "password": password, "password_confirmation": confirmation or password}
    return browser.post("/v1/auth/password-reset/confirm", body)


def events(world: World) -> list[dict[str, Any]]:
    rows = world.rows("SELECT body FROM outbox WHERE type = 'password.reset_requested'")
    return [json.loads(row["body"]) for row in rows]


def token_for(world: World, email: str = EMAIL) -> str:
    """The token that Make.com puts in its e-mail."""
    before = events(world)
    assert ask(world.browser(), email).status == 202
    [event] = [
        event for event in events(world) if event not in before
    ]  # of one instant: no order tells them apart
    return str(event["payload"]["reset_token"])


# --- asking ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("role", ["student", "tutor", "admin"])
def test_asking_tells_make_once_with_all_it_needs_to_write(world: World, role: str) -> None:
    user_id = account(world, role=role)

    assert ask(world.browser(), "  ZOE@exemple.ca").status == 202

    [event] = events(world)
    payload = event["payload"]
    assert len(payload.pop("reset_token")) == 43  # 256 bits
    assert payload.pop("request_id")
    assert payload == {
        "user_id": str(user_id),
        "email": EMAIL,
        "first_name": "Zoé",
        "last_name": "Tremblay",
        "requested_at": "2027-01-18T17:00:00.000Z",
        "expires_at": "2027-01-18T18:00:00.000Z",
        "expires_fr": "lundi 18 janvier 2027 à 13 h",
        "requested_fr": "lundi 18 janvier 2027 à 12 h",
    }


def test_the_token_is_in_the_event_and_nowhere_else(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    account(world)
    written = io.StringIO()
    for handler in http.logger.handlers:
        monkeypatch.setattr(handler, "stream", written)

    token = token_for(world)
    confirm(world.browser(), token, "court")

    for table, rows in contents(world.connection, besides=["outbox"]).items():
        assert token not in str(rows), table
    outside_the_body = world.rows("SELECT event_id, type, dedupe_key, ordering_key, last_error FROM outbox")
    assert token not in str(outside_the_body)
    assert token not in written.getvalue()
    [row] = world.rows("SELECT token_hash FROM password_reset_tokens")
    assert row["token_hash"] == hashlib.sha256(token.encode()).digest()


NOBODY = {
    "unknown": "personne@exemple.ca",
    "suspended": "suspendue@exemple.ca",
    "no e-mail": "zoe",
    "empty": "",
    "NUL": "zoe\x00@exemple.ca",
}


@pytest.fixture
def town(world: World) -> World:
    account(world)
    account(world, "suspendue@exemple.ca", status="suspended")
    return world


@pytest.mark.parametrize("email", NOBODY.values(), ids=NOBODY)
def test_asking_for_nobody_is_answered_alike_and_tells_nobody(town: World, email: str) -> None:
    known = ask(town.browser())
    told = events(town)

    unknown = ask(town.browser(), email)

    assert (unknown.status, unknown.body, unknown.headers, unknown.cookies) == (
        known.status,
        known.body,
        known.headers,
        known.cookies,
    )
    assert events(town) == told


def test_asking_for_nobody_goes_to_the_database_as_often(
    town: World, configured: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One time for both, whatever PostgreSQL's distance: a step that is left out for nobody would tell."""
    monkeypatch.setenv("DATABASE_PREPARED_STATEMENTS", "off")
    browser, costs = town.browser(), []
    with counted(configured) as wire:
        ask(browser)
        for email in (EMAIL, "personne@exemple.ca", "suspendue@exemple.ca"):
            wire.reset()
            ask(browser, email)
            costs.append(wire.round_trips)

    assert len(set(costs)) == 1


def test_asking_for_nobody_writes_a_token_that_opens_nothing(town: World) -> None:
    """As much is written, and flushed, as for somebody: the two take one time."""
    ask(town.browser(), "personne@exemple.ca")

    assert town.rows("SELECT user_id FROM password_reset_tokens") == [{"user_id": None}]
    ours = hashlib.sha256(b"known").digest()
    town.connection.execute("UPDATE password_reset_tokens SET token_hash = %s", (ours,))
    with nothing_written(town.connection):
        assert confirm(town.browser(), "known").code == "RESET_TOKEN_INVALID"


@pytest.mark.parametrize("body", [{}, {"email": None}, {"email": [EMAIL]}, {"email": EMAIL, "role": "admin"}])
def test_a_body_of_another_form_is_refused(town: World, body: Any) -> None:
    with nothing_written(town.connection):
        answer = town.browser().post("/v1/auth/password-reset", body)

    assert (answer.status, answer.code) == (422, "VALIDATION_FAILED")


def test_expired_tokens_do_not_pile_up(town: World) -> None:
    for email in (EMAIL, "personne@exemple.ca", "autre@exemple.ca"):
        ask(town.browser(), email)
    town.clock.advance(minutes=60)

    ask(town.browser(), "personne@exemple.ca")

    assert town.count("password_reset_tokens") == 1


# --- confirming -----------------------------------------------------------------------------------------------


def test_the_token_sets_the_password_and_ends_every_session(world: World) -> None:
    account(world)
    sessions = [signed_in(world), signed_in(world)]
    token = token_for(world)

    answer = confirm(world.browser(), token)

    assert (answer.status, answer.text, answer.cookies) == (204, "", [])
    assert [browser.get("/v1/me").status for browser in sessions] == [401, 401]
    assert sign_in(world.browser(), password=PASSWORD).code == "INVALID_CREDENTIALS"
    assert sign_in(world.browser(), password=NEW).status == 200


@pytest.mark.parametrize("how", ["reset", "change"])
def test_another_password_ends_the_right_to_be_signed_in_by_a_checkout(world: World, how: str) -> None:
    """Decision 22: who paid on a stranger's device must be able to shut it out."""
    course = world.school.course()
    world.school.tutor(course)
    guest = Guest(world).books(wanted(course, toronto(20, 10)))

    sets_another(world, how)

    assert guest.asks().code == "CHECKOUT_NOT_FOUND"
    assert guest.asks(x_client_secret=guest.client_secret).code == "CHECKOUT_NOT_FOUND"
    assert guest.browser.get("/v1/me").status == 401


@pytest.mark.parametrize("how", ["reset", "change"])
def test_another_password_ends_the_calendar_s_address(world: World, how: str) -> None:
    course = world.school.course()
    world.school.tutor(course)
    zoe = BookedStudent.of(world, wanted(course, toronto(20, 10)))
    path = zoe.gets("/v1/me/calendar").body["url"].removeprefix("https://api.exemple.ca")
    assert world.browser().get(path).status == 200

    sets_another(world, how)

    assert world.browser().get(path).status == 404


def sets_another(world: World, how: str) -> None:
    if how == "reset":
        assert confirm(world.browser(), token_for(world)).status == 204
        return
    password = form(EMAIL)["account"]["password"]
    change = {"current_password": password, "password": NEW, "password_confirmation": NEW}
    assert signed_in(world, password=password).post("/v1/me/password", change).status == 200


def test_an_account_that_never_had_a_password_gets_one(world: World) -> None:
    world.school.user(EMAIL, "tutor")

    confirm(world.browser(), token_for(world))

    assert sign_in(world.browser(), password=NEW).status == 200


def test_the_token_works_once(world: World) -> None:
    account(world)
    token = token_for(world)
    confirm(world.browser(), token)

    with nothing_written(world.connection):
        answer = confirm(world.browser(), token, "Encore-une-autre-56")

    assert (answer.status, answer.code) == (410, "RESET_TOKEN_INVALID")
    assert (
        answer.body["detail"]
        == "Ce lien de réinitialisation est invalide ou expiré. Veuillez en demander un nouveau."
    )


def test_the_token_works_until_just_before_an_hour_has_passed(world: World) -> None:
    account(world)
    token, late = token_for(world), None
    world.clock.advance(minutes=60)
    with nothing_written(world.connection):
        late = confirm(world.browser(), token)
    world.clock.advance(milliseconds=-1)

    assert late.code == "RESET_TOKEN_INVALID"
    assert confirm(world.browser(), token).status == 204


def test_a_newer_token_ends_the_older(world: World) -> None:
    account(world)
    older, newer = token_for(world), token_for(world)

    assert confirm(world.browser(), older).code == "RESET_TOKEN_INVALID"
    assert confirm(world.browser(), newer).status == 204


def test_another_person_s_request_ends_nothing(world: World) -> None:
    account(world)
    account(world, "lea@exemple.ca")
    token = token_for(world)
    token_for(world, "lea@exemple.ca")

    assert confirm(world.browser(), token).status == 204
    assert sign_in(world.browser(), "lea@exemple.ca").status == 200


def test_changing_the_password_ends_the_token(world: World) -> None:
    account(world)
    browser, token = signed_in(world), token_for(world)
    change = {"current_password": PASSWORD, "password": NEW, "password_confirmation": NEW}
    assert browser.post("/v1/me/password", change).status == 200

    assert confirm(world.browser(), token, "Encore-une-autre-56").code == "RESET_TOKEN_INVALID"
    assert sign_in(world.browser(), password=NEW).status == 200


@pytest.mark.parametrize(
    ("password", "confirmation", "code"),
    [("court", "court", "PASSWORD_TOO_SHORT"), (NEW, NEW + " ", "PASSWORD_MISMATCH")],
)
def test_a_password_that_will_not_do_leaves_the_token_good(
    world: World, password: str, confirmation: str, code: str
) -> None:
    account(world)
    token = token_for(world)

    with nothing_written(world.connection):
        answer = confirm(world.browser(), token, password, confirmation)

    assert (answer.status, answer.code) == (422, code)
    assert confirm(world.browser(), token).status == 204


@pytest.mark.parametrize("token", ["", "nobody", "x" * 200, "\x00", "é", "'; --"])
def test_what_is_no_token_opens_nothing(town: World, token: str) -> None:
    with nothing_written(town.connection):
        assert confirm(town.browser(), token).code == "RESET_TOKEN_INVALID"


# --- rivals ---------------------------------------------------------------------------------------------------


def test_who_has_no_token_has_nothing_hashed(town: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A hash costs a tenth of a second of processor, which a stranger could have without limit."""
    hashed: list[object] = []
    monkeypatch.setattr(argon2.PasswordHasher, "hash", lambda *_: hashed.append(1))

    assert confirm(town.browser(), "x" * 43).code == "RESET_TOKEN_INVALID"
    assert hashed == []


def test_of_confirmations_at_once_one_sets_the_password(world: World, database: Database) -> None:
    account(world)
    token = token_for(world)
    passwords = [f"Phrase-numero-{n}" for n in range(4)]

    def attempt(connection: Connection[Any], password: str) -> str:
        body = {"token": token, "password": password, "password_confirmation": password}
        try:
            confirm_reset(connection, PasswordReset.model_validate(body), world.clock())
        except Refused as refused:
            return refused.code
        return password

    connections = [psycopg.connect(database.url, autocommit=True) for _ in passwords]
    outcomes = at_once(
        *[
            lambda connection=connection, password=password: attempt(connection, password)
            for connection, password in zip(connections, passwords, strict=True)
        ]
    )
    for connection in connections:
        connection.close()

    results = [outcome.result() for outcome in outcomes]
    [winner] = [result for result in results if result != "RESET_TOKEN_INVALID"]
    assert [sign_in(world.browser(), password=one).status == 200 for one in passwords] == [
        one == winner for one in passwords
    ]
