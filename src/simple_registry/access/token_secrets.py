"""Secrets of static and issued tokens, which clients may also send in place of a password.

Only the SHA-256 of a token is ever kept. That is enough for what is random and long, where a slow hash would only slow
every request; the grammar of `new_token` gives 32 random bytes.
"""

import hashlib
import secrets
from dataclasses import dataclass, field

from simple_registry.access.limits import Limit

ISSUED_PREFIX = "srt_"
"""The prefix of every issued token, by which scanners for leaked secrets recognise one."""


@dataclass(frozen=True, slots=True)
class StaticToken:
    """A `Token` document. `expires_at` is in seconds since the epoch."""

    name: str
    username: str
    value_hash: bytes = field(repr=False)
    expires_at: float | None = None
    limit: Limit | None = None


def new_token() -> str:
    """Return a fresh random token."""
    return ISSUED_PREFIX + secrets.token_urlsafe(32)


def token_hash(value: str) -> bytes:
    """Return the hash of a token, which is all that is stored."""
    return hashlib.sha256(value.encode("utf-8", "surrogatepass")).digest()
