"""People with an account and a password, and what they do at the door."""

from functools import cache
from uuid import UUID

from argon2 import PasswordHasher

from domain.accounts import passwords
from tests.support.browser import Answer, Browser
from tests.support.world import World

EMAIL = "zoe@exemple.ca"
PASSWORD = "Phrase-de-passe-12"


def hashed(password: str) -> str:
    """A test's people may share a hash: making one is slow on purpose."""
    return _hashed(password, passwords._hasher)


@cache
def _hashed(password: str, hasher: PasswordHasher) -> str:
    return hasher.hash(password)


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
