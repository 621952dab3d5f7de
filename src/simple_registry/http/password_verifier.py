"""Passwords, verified off the event loop and remembered for a while.

A remembered credential is kept under a key that depends on the stored hash, so a changed or removed user is noticed at
once. The slow hash runs in a small pool of threads, and equal questions that arrive together are asked once.
"""

import asyncio
import hmac
import secrets
from collections import OrderedDict
from concurrent.futures import Executor
from functools import partial
from typing import Protocol

from simple_registry.clock import Clock
from simple_registry.http.authorization import BasicCredentials
from simple_registry.oci.errors import TooManyRequests

VERIFIED_LIFE = 900.0
"""Seconds for which a verified password is not hashed again."""

VERIFIED_LIMIT = 10_000
PENDING_LIMIT = 256
"""Most passwords that wait for the pool; more are asked to come back."""


class Verify(Protocol):
    """Verifies a password against a hash; without one it takes as long as a hash of `cost` would."""

    def __call__(self, password: str, password_hash: str | None, *, cost: int) -> bool:
        """Tell whether the password has the hash."""
        ...


class PasswordVerifier:
    """Verifies passwords."""

    def __init__(self, *, verify: Verify, executor: Executor, clock: Clock) -> None:
        """Verify with this function, off the event loop."""
        self._verify = verify
        self._executor = executor
        self._clock = clock
        self._key = secrets.token_bytes(32)
        self._verified: OrderedDict[bytes, float] = OrderedDict()
        self._pending: dict[bytes, asyncio.Future[bool]] = {}

    def remembers(self, credentials: BasicCredentials, stored: str | None) -> bool:
        """Tell whether these credentials were right not long ago, against the same hash."""
        return self._verified.get(self._cache_key(credentials, stored), 0.0) > self._clock.monotonic()

    async def verify(self, credentials: BasicCredentials, stored: str | None, *, cost: int) -> bool:
        """Tell whether the password has the hash; `None` stands for a user without one, or none at all.

        That takes as long as a hash of `cost` does.

        Raises: TooManyRequests when too many wait already.
        """
        key = self._cache_key(credentials, stored)
        pending = self._pending.get(key)
        if pending is None:
            if len(self._pending) >= PENDING_LIMIT:
                raise TooManyRequests(reason="too many logins at once; try again in a moment", retryAfter=1)
            pending = asyncio.get_running_loop().run_in_executor(
                self._executor, partial(self._verify, credentials.password, stored, cost=cost)
            )
            self._pending[key] = pending
            pending.add_done_callback(lambda done: self._remember(key, done))
        return await asyncio.shield(pending)

    def _remember(self, key: bytes, done: asyncio.Future[bool]) -> None:
        del self._pending[key]
        if done.cancelled() or done.exception() is not None or not done.result():
            return
        self._verified[key] = self._clock.monotonic() + VERIFIED_LIFE
        if len(self._verified) > VERIFIED_LIMIT:
            self._verified.popitem(last=False)

    def _cache_key(self, credentials: BasicCredentials, stored: str | None) -> bytes:
        fields = (credentials.name, credentials.password, stored or "")
        message = b"".join(len(field).to_bytes(8, "big") + field for field in (text.encode() for text in fields))
        return hmac.digest(self._key, message, "sha256")
