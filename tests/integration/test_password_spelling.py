"""A password is the same however its accents were typed, wherever one is typed (decision 24)."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.support.browser import Answer, Browser
from tests.support.guest import Guest
from tests.support.people import EMAIL, account, sign_in, signed_in
from tests.support.tables import nothing_written
from tests.support.world import FORM, World, toronto, wanted

COMPOSED = "\u00e9t\u00e9 \u00e0 No\u00ebl"
APART = "e\u0301te\u0301 a\u0300 Noe\u0308l"
SPELLINGS = [(COMPOSED, APART), (APART, COMPOSED), (APART, APART)]
MOST = 1024


def twice(password: str, confirmation: str | None = None) -> dict[str, str]:
    return {"password": password, "password_confirmation": confirmation or password}


def at_checkout(world: World, first: str, confirmation: str) -> Answer:
    course = world.school.course()
    world.school.tutor(course)
    guest = Guest(world, EMAIL).chooses(wanted(course, toronto(20, 10)))
    answer = guest.sends_form(account=FORM["account"] | twice(first, confirmation))
    if answer.status == 201:
        world.pay(answer.body["payment_intent_id"])
        world.webhooks()
    return answer


def by_reset(world: World, first: str, confirmation: str) -> Answer:
    account(world)
    browser = world.browser()
    browser.post("/v1/auth/password-reset", {"email": EMAIL})
    [row] = world.rows(
        "SELECT convert_from(body, 'UTF8')::json->'payload'->>'reset_token' AS token FROM outbox"
    )
    return browser.post("/v1/auth/password-reset/confirm", row | twice(first, confirmation))


def by_change(world: World, first: str, confirmation: str) -> Answer:
    account(world)
    return change(signed_in(world), "Phrase-de-passe-12", first, confirmation)


def change(browser: Browser, current: str, first: str, confirmation: str) -> Answer:
    return browser.post("/v1/me/password", {"current_password": current} | twice(first, confirmation))


WAYS = [at_checkout, by_reset, by_change]
type Way = Callable[[World, str, str], Answer]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("typed", "typed_later"), SPELLINGS)
def test_a_password_set_with_one_keyboard_opens_with_another(
    world: World, way: Way, typed: str, typed_later: str
) -> None:
    assert way(world, typed, typed_later).status in (
        200,
        201,
        204,
    )  # the confirmation on another keyboard, too

    assert sign_in(world.browser(), EMAIL, typed_later).status == 200
    assert sign_in(world.browser(), EMAIL, typed).status == 200
    assert sign_in(world.browser(), EMAIL, "ete a Noel").code == "INVALID_CREDENTIALS"


@pytest.mark.parametrize(("typed", "typed_later"), SPELLINGS)
def test_the_current_password_is_known_by_either_spelling(world: World, typed: str, typed_later: str) -> None:
    by_change(world, typed, typed)
    zoe = signed_in(world, EMAIL, typed)

    assert change(zoe, typed_later, "une autre phrase", "une autre phrase").status == 200
    assert sign_in(world.browser(), EMAIL, "une autre phrase").status == 200


@pytest.mark.parametrize("way", WAYS)
def test_the_longest_password_is_counted_in_letters_not_in_what_they_were_typed_with(
    world: World, way: Way
) -> None:
    assert way(world, "e\u0301" * MOST, "\u00e9" * MOST).status in (200, 201, 204)

    assert sign_in(world.browser(), EMAIL, "e\u0301" * MOST).status == 200
    too_long = sign_in(world.browser(), EMAIL, "e\u0301" * (MOST + 1))
    assert (too_long.status, too_long.code) == (422, "VALIDATION_FAILED")


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/auth/password-reset/confirm", {"token": "aucun"}),
        ("/v1/me/password", {"current_password": "e\u0301" * MOST}),
    ],
)
def test_the_shortest_password_too(world: World, path: str, body: dict[str, Any]) -> None:
    account(world)
    zoe = signed_in(world)

    with nothing_written(world.connection):
        assert zoe.post(path, body | twice("e\u0301" * 5)).code == "PASSWORD_TOO_SHORT"
        assert zoe.post(path, body | twice("e\u0301" * (MOST + 1))).code == "VALIDATION_FAILED"


def test_at_checkout_five_letters_are_too_short_however_typed(world: World) -> None:
    assert at_checkout(world, "e\u0301" * 5, "\u00e9" * 5).code == "PASSWORD_TOO_SHORT"
    assert world.count("checkouts") == 0


@pytest.mark.parametrize("around", [" ", "\u00a0", "\u200b"])
def test_nothing_is_taken_off_a_password(world: World, around: str) -> None:
    """What somebody chose is what opens; a space at the end is part of it."""
    by_change(world, f"{COMPOSED}{around}", f"{COMPOSED}{around}")

    assert sign_in(world.browser(), EMAIL, COMPOSED).code == "INVALID_CREDENTIALS"
    assert sign_in(world.browser(), EMAIL, f"{APART}{around}").status == 200
