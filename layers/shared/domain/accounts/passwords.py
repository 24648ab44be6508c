"""Passwords, as argon2id hashes and nothing else (decision 7)."""

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

MIN_LENGTH = 6
MAX_LENGTH = 1024

NOBODYS_HASH = (
    "$argon2id$v=19$m=65536,t=3,p=4$SIAJyXjif/rUUp7Yk4vruA$dXScEJq66L6DPcGHAhJ7veMS4guPdTZvEMuJN0CwU9Y"
)
"""Of a random text that was thrown away, with today's parameters: what is verified for who has no password."""

_hasher = PasswordHasher()


def hash_password(password: str) -> str:
    """The argon2id hash of a password, with RFC 9106's low-memory parameters."""
    return _hasher.hash(password)


def is_password(password: str, stored_hash: str | None) -> bool:
    """Whether the password is the one that was hashed; without a hash it is not, and that takes as long to say."""
    try:
        _hasher.verify(stored_hash or NOBODYS_HASH, password)
    except (VerificationError, InvalidHashError):
        return False
    return stored_hash is not None


def is_outdated(stored_hash: str) -> bool:
    """Whether a hash was made with other parameters than today's."""
    return _hasher.check_needs_rehash(stored_hash)
