"""People with an account and a password, and what they do at the door."""

from functools import cache
from uuid import UUID

from domain.accounts.passwords import hash_password
from tests.support.browser import Answer, Browser
from tests.support.world import World

EMAIL = "zoe@exemple.ca"
PASSWORD = "Phrase-de-passe-12"

hashed = cache(hash_password)
"""Hashing is slow on purpose; a test's people may share a hash."""


def account(
    world: World, email: str = EMAIL, role: str = "student", password: str = PASSWORD, status: str = "active"
) -> UUID:
    """Somebody who can sign in."""
    user_id = world.school.user(email, role)
    world.connection.execute(
        "UPDATE users SET password_hash = %s, status = %s WHERE id = %s", (hashed(password), status, user_id)
    )
    return user_id


def sign_in(browser: Browser, email: str = EMAIL, password: str = PASSWORD) -> Answer:
    return browser.post("/v1/auth/sign-in", {"email": email, "password": password})


def signed_in(world: World, email: str = EMAIL, password: str = PASSWORD) -> Browser:
    """Another browser in which that person is signed in."""
    browser = world.browser()
    answer = sign_in(browser, email, password)
    assert answer.status == 200, answer.text
    return browser
