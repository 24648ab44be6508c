"""Passwords, as argon2id hashes and nothing else (decision 7)."""

from argon2 import PasswordHasher

MIN_LENGTH = 6
MAX_LENGTH = 1024

_hasher = PasswordHasher()


def hash_password(password: str) -> str:
    """The argon2id hash of a password, with RFC 9106's low-memory parameters."""
    return _hasher.hash(password)
