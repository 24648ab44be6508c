"""One's own profile and password (OP-S02 to OP-S04, X-33)."""

from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from domain.access.models import ProfileChange
from domain.access.profile import change_profile
from domain.accounts.callers import Person
from tests.conftest import Database
from tests.support.browser import Answer, Browser
from tests.support.people import EMAIL, PASSWORD, account, sign_in, signed_in
from tests.support.race import at_once, while_locked
from tests.support.tables import nothing_written
from tests.support.world import World

NEW = "Autre-phrase-de-passe-34"


@pytest.fixture
def zoe(world: World) -> Browser:
    account(world)
    return signed_in(world)


# --- looking --------------------------------------------------------------------------------------------------


def test_a_student_sees_who_they_are_and_no_secret(world: World, zoe: Browser) -> None:
    [row] = world.rows("SELECT id FROM users")

    answer = zoe.get("/v1/me")

    body = dict(answer.body)
    assert body.pop("created_at")
    assert (answer.status, body) == (
        200,
        {
            "id": str(row["id"]),
            "email": EMAIL,
            "first_name": "Zoé",
            "last_name": "Tremblay",
            "phone": None,
            "role": "student",
            "status": "active",
            "tutor": None,
        },
    )


def test_a_tutor_sees_what_everybody_may_read_of_them_and_no_pay(world: World) -> None:
    tutor = world.school.tutor(name="Mme Roy", rate="31.37")
    world.connection.execute("UPDATE users SET email = 'roy@exemple.ca' WHERE id = %s", (tutor,))
    world.connection.execute("UPDATE tutors SET bio_fr = 'Patiente et précise.'")
    lea = account(world, "lea@exemple.ca")
    world.connection.execute(
        "UPDATE users SET password_hash = (SELECT password_hash FROM users WHERE id = %s)", (lea,)
    )

    answer = signed_in(world, "roy@exemple.ca").get("/v1/me")

    assert answer.body["tutor"] == {"display_name": "Mme Roy", "bio_fr": "Patiente et précise."}
    assert "31.37" not in answer.text


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/v1/me"), ("PATCH", "/v1/me"), ("POST", "/v1/me/password")]
)
@pytest.mark.parametrize("authorization", [None, "Bearer nobody"])
def test_nobody_is_not_somebody(world: World, method: str, path: str, authorization: str | None) -> None:
    account(world)
    headers = {"authorization": authorization} if authorization else {}
    body = {
        "GET": None,
        "PATCH": {"first_name": "Léa"},
        "POST": {"current_password": PASSWORD, "password": NEW, "password_confirmation": NEW},
    }[method]

    with nothing_written(world.connection):
        answer = world.browser().request(method, path, body, headers=headers)

    assert (answer.status, answer.code, answer.body["detail"]) == (401, "UNAUTHENTICATED", "Non autorisé")


# --- changing -------------------------------------------------------------------------------------------------


def test_names_and_phone_can_be_changed(zoe: Browser) -> None:
    changes = {"first_name": " Léa ", "last_name": "Fortin", "phone": "438 555-0142"}

    answer = zoe.patch("/v1/me", changes)

    assert answer.status == 200
    assert {name: answer.body[name] for name in changes} == {
        "first_name": "Léa",
        "last_name": "Fortin",
        "phone": "+14385550142",
    }
    assert zoe.get("/v1/me").body == answer.body


@pytest.mark.parametrize("name", ["first_name", "last_name", "phone"])
def test_what_is_not_named_stays(zoe: Browser, name: str) -> None:
    before = zoe.patch("/v1/me", {"phone": "438 555-0142"}).body
    value = {"first_name": "Léa", "last_name": "Fortin", "phone": "+15145550123"}[name]

    assert zoe.patch("/v1/me", {name: value}).body == before | {name: value}


@pytest.mark.parametrize("nothing", ["", "  ", None])
def test_an_empty_phone_is_none(zoe: Browser, nothing: str | None) -> None:
    zoe.patch("/v1/me", {"phone": "438 555-0142"})

    assert zoe.patch("/v1/me", {"phone": nothing}).body["phone"] is None


def test_no_change_is_no_harm(zoe: Browser) -> None:
    before = zoe.get("/v1/me").body

    assert zoe.patch("/v1/me", {}).body == before


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"email": "autre@exemple.ca"}, "email"),
        ({"role": "admin"}, "role"),
        ({"status": "active"}, "status"),
        ({"password": NEW}, "password"),
        ({"id": "00000000-0000-0000-0000-000000000000"}, "id"),
        ({"first_name": ""}, "first_name"),
        ({"first_name": "  "}, "first_name"),
        ({"first_name": None}, "first_name"),
        ({"last_name": None}, "last_name"),
        ({"last_name": "x" * 101}, "last_name"),
        ({"first_name": "Zoé\x00Tremblay"}, "first_name"),
        ({"first_name": 1}, "first_name"),
        ({"phone": "poste 3"}, "phone"),
        ({"phone": 4385550142}, "phone"),
    ],
)
def test_what_may_not_be_changed_is_refused_by_name(
    world: World, zoe: Browser, changes: dict[str, Any], field: str
) -> None:
    with nothing_written(world.connection):
        answer = zoe.patch("/v1/me", {"first_name": "Léa"} | changes)

    assert (answer.status, answer.code) == (422, "VALIDATION_FAILED")
    assert [error["field"] for error in answer.body["errors"]] == [field]


def test_a_change_is_of_one_person_only(world: World, zoe: Browser) -> None:
    account(world, "lea@exemple.ca")
    lea = signed_in(world, "lea@exemple.ca")
    before = lea.get("/v1/me").body

    zoe.patch("/v1/me", {"first_name": "Zoé-Anne"})

    assert lea.get("/v1/me").body == before


# --- the audit of changes (OP-S03) ------------------------------------------------------------------------------


def audited(world: World) -> list[dict[str, Any]]:
    return world.rows("SELECT actor_id, action, entity, entity_id, before, after FROM audit_log ORDER BY id")


def test_a_change_is_audited_with_what_it_was_and_what_it_is_and_nothing_else(
    world: World, zoe: Browser
) -> None:
    [user] = world.rows("SELECT id FROM users")

    zoe.patch("/v1/me", {"first_name": "Léa", "last_name": "Tremblay", "phone": "438 555-0142"})
    zoe.patch("/v1/me", {"phone": None})

    line = {
        "actor_id": user["id"],
        "action": "profile.change",
        "entity": "user",
        "entity_id": str(user["id"]),
    }
    assert audited(world) == [
        line
        | {
            "before": {"first_name": "Zoé", "phone": None},
            "after": {"first_name": "Léa", "phone": "+14385550142"},
        },
        line | {"before": {"phone": "+14385550142"}, "after": {"phone": None}},
    ]
    assert [row["at"] for row in world.rows("SELECT at FROM audit_log")] == [world.clock()] * 2


@pytest.mark.parametrize("nothing", [{}, {"first_name": "Zoé", "last_name": " Tremblay "}, {"phone": " "}])
def test_what_changes_nothing_writes_nothing(world: World, zoe: Browser, nothing: dict[str, Any]) -> None:
    with nothing_written(world.connection):
        assert zoe.patch("/v1/me", nothing).status == 200


def test_a_change_that_cannot_be_audited_is_not_made(world: World, zoe: Browser) -> None:
    world.connection.execute("ALTER TABLE audit_log ADD CHECK (action <> 'profile.change')")

    with nothing_written(world.connection):
        assert zoe.patch("/v1/me", {"first_name": "Léa"}).code == "INTERNAL_ERROR"


def test_of_two_changes_at_once_each_is_audited_as_it_happened(
    world: World, zoe: Browser, database: Database
) -> None:
    """One waits for the other, and finds what that one left."""
    [user] = world.rows("SELECT id FROM users")

    def becomes(name: str) -> Callable[[], object]:
        def change() -> object:
            with psycopg.connect(database.url, autocommit=True) as connection:
                person, form = Person(user["id"], "student"), ProfileChange(first_name=name)
                return change_profile(connection, person, form, world.clock())

        return change

    with while_locked(database.url, "SELECT FROM users FOR UPDATE", 2) as let_go:
        for future in at_once(becomes("Léa"), becomes("Anne"), let_go):
            future.result()

    first, second = ((line["before"]["first_name"], line["after"]["first_name"]) for line in audited(world))
    assert first[0] == "Zoé"
    assert first[1] == second[0]
    assert second[1] == zoe.get("/v1/me").body["first_name"]


# --- another password -----------------------------------------------------------------------------------------


def change(browser: Browser, current: str = PASSWORD, new: str = NEW, again: str | None = None) -> Answer:
    return browser.post(
        "/v1/me/password",
        {"current_password": current, "password": new, "password_confirmation": again or new},
    )


def test_the_new_password_opens_and_the_old_does_not(world: World, zoe: Browser) -> None:
    assert change(zoe).status == 200

    assert sign_in(world.browser(), password=PASSWORD).code == "INVALID_CREDENTIALS"
    assert sign_in(world.browser(), password=NEW).status == 200


def test_every_session_ends_and_this_one_gets_a_new_token(world: World, zoe: Browser) -> None:
    account(world, "lea@exemple.ca")
    elsewhere, lea = signed_in(world), signed_in(world, "lea@exemple.ca")
    before = Browser(world.clock, dict(zoe.cookies))
    world.clock.advance(hours=1)

    answer = change(zoe)

    token = answer.body["session_token"]
    assert answer.body == {"session_token": token, "expires_at": "2027-02-17T13:00:00-05:00"}
    assert answer.cookies == [
        f"__Host-session={token}; Path=/; Max-Age=2592000; HttpOnly; Secure; SameSite=Lax",
    ]
    assert [browser.get("/v1/me").status for browser in (zoe, before, elsewhere, lea)] == [200, 401, 401, 200]
    assert world.browser().get("/v1/me", authorization=f"Bearer {token}").status == 200
    assert sessions(world) == {"open": 2, "ended": 2}


def test_who_sends_the_token_in_a_header_gets_a_new_one_too(world: World, zoe: Browser) -> None:
    bearer = f"Bearer {zoe.cookies['__Host-session']}"
    passwords = {"current_password": PASSWORD, "password": NEW, "password_confirmation": NEW}

    token = world.browser().post("/v1/me/password", passwords, authorization=bearer).body["session_token"]

    assert world.browser().get("/v1/me", authorization=bearer).code == "UNAUTHENTICATED"
    assert world.browser().get("/v1/me", authorization=f"Bearer {token}").status == 200


def sessions(world: World) -> dict[str, int]:
    rows = world.rows(
        "SELECT CASE WHEN revoked_at IS NULL THEN 'open' ELSE 'ended' END AS state FROM auth_sessions"
    )
    states = [row["state"] for row in rows]
    return {state: states.count(state) for state in ("open", "ended")}


@pytest.mark.parametrize(
    ("current", "new", "again", "code", "detail"),
    [
        ("Phrase-de-passe-13", NEW, NEW, "CURRENT_PASSWORD_INVALID", "Mot de passe actuel invalide"),
        ("", NEW, NEW, "CURRENT_PASSWORD_INVALID", "Mot de passe actuel invalide"),
        (
            PASSWORD,
            "court",
            "court",
            "PASSWORD_TOO_SHORT",
            "Le mot de passe doit contenir au moins 6 caractères",
        ),
        (PASSWORD, NEW, NEW.lower(), "PASSWORD_MISMATCH", "Les mots de passe ne correspondent pas"),
    ],
)
def test_a_refused_change_changes_nothing(
    world: World, zoe: Browser, current: str, new: str, again: str, code: str, detail: str
) -> None:
    with nothing_written(world.connection):
        answer = change(zoe, current, new, again)

    assert (answer.status, answer.code, answer.body["detail"]) == (422, code, detail)


def test_six_characters_are_enough(zoe: Browser) -> None:
    assert change(zoe, new="abcdef").status == 200


@pytest.mark.parametrize("missing", ["current_password", "password", "password_confirmation"])
def test_nothing_may_be_left_out(world: World, zoe: Browser, missing: str) -> None:
    body = {"current_password": PASSWORD, "password": NEW, "password_confirmation": NEW}
    del body[missing]

    with nothing_written(world.connection):
        answer = zoe.post("/v1/me/password", body)

    assert answer.body["errors"] == [
        {"field": missing, "code": "MISSING", "detail": "Ce champ est obligatoire."}
    ]
