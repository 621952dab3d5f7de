"""Tokens that stand in for a password: those that documents name and those that the registry issues.

Only the SHA-256 of a token is ever kept. That is enough for what is random and long, where a slow hash would only slow
every request; the grammar of `new_token` gives 32 random bytes.
"""

import hashlib
import secrets
from dataclasses import dataclass, field

from simple_registry.access.limits import Limit

ISSUED_PREFIX = "srt_"
"""Begins every token that the registry issues, so that scanners for leaked secrets can recognise one."""


@dataclass(frozen=True, slots=True)
class StaticToken:
    """A token that a `Token` document gives to a user. `expires_at` is in seconds since the epoch."""

    name: str
    username: str
    value_hash: bytes = field(repr=False)
    expires_at: float | None = None
    limit: Limit | None = None


def new_token() -> str:
    """Return a fresh random token."""
    return ISSUED_PREFIX + secrets.token_urlsafe(32)


def token_hash(value: str) -> bytes:
    """Return what is kept of a token."""
    return hashlib.sha256(value.encode("utf-8", "surrogatepass")).digest()
