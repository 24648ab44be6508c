"""Identifiers and secrets made here."""

import hashlib
import secrets
import uuid
from datetime import datetime
from uuid import UUID

SECRET_BYTES = 32


def new_id() -> UUID:
    """A random primary key."""
    return uuid.uuid4()


def time_ordered_id(now: datetime) -> UUID:
    """A UUIDv7 (RFC 9562): 48 bits of Unix milliseconds, then randomness."""
    value = int(now.timestamp() * 1000) << 80 | secrets.randbits(80)
    value = value & ~(0xF << 76) | 0x7 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    return UUID(int=value)


def new_secret() -> str:
    """An unguessable token for a cookie or a link, 256 bits, URL-safe."""
    return secrets.token_urlsafe(SECRET_BYTES)


def fingerprint(secret: str) -> bytes:
    """What is stored instead of a secret: its SHA-256. Any text has one, even what is no valid Unicode."""
    return hashlib.sha256(secret.encode(errors="surrogatepass")).digest()
