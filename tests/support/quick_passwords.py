"""Hashing a password is slow on purpose, and hundreds of tests open accounts: here it costs next to nothing."""

from collections.abc import Iterator
from contextlib import contextmanager

from argon2 import PasswordHasher

from domain.accounts import passwords

TODAYS = passwords._hasher
QUICK = PasswordHasher(time_cost=1, memory_cost=16, parallelism=1)


@contextmanager
def hashing_with(hasher: PasswordHasher) -> Iterator[None]:
    """Whoever hashes meanwhile does so with these parameters; argon2id it stays."""
    before = passwords._hasher
    passwords._hasher = hasher
    try:
        yield
    finally:
        passwords._hasher = before
