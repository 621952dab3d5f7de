"""Passwords, verified off the event loop and remembered for a while.

A remembered credential is kept under a key that depends on the stored hash, so a changed or removed user is noticed at
once. The slow hash runs in a small pool of threads, and equal questions that arrive together are asked once. The pool
is shared, so no client address may have more than a few questions in it.
"""

import asyncio
import hmac
import secrets
from collections import Counter, OrderedDict
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

PENDING_LIMIT_OF_CLIENT = 8
"""Likewise of one client address, so that none of them fills the pool."""


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
        self._pending_of: Counter[str] = Counter()

    def remembers(self, credentials: BasicCredentials, stored: str | None) -> bool:
        """Tell whether these credentials were right not long ago, against the same hash."""
        return self._verified.get(self._cache_key(credentials, stored), 0.0) > self._clock.monotonic()

    def pending(self, credentials: BasicCredentials, stored: str | None) -> asyncio.Future[bool] | None:
        """Return the answer to the same question that is being worked out already; shield it to wait for it."""
        return self._pending.get(self._cache_key(credentials, stored))

    def start(
        self, credentials: BasicCredentials, stored: str | None, *, cost: int, client: str
    ) -> asyncio.Future[bool]:
        """Ask whether the password has the hash; `None` stands for a user without one, or none at all.

        That takes as long as a hash of `cost` does, and goes on when the client that asked goes away.

        Raises: TooManyRequests when too many wait already, in all or of this client address.
        """
        if len(self._pending) >= PENDING_LIMIT or self._pending_of[client] >= PENDING_LIMIT_OF_CLIENT:
            raise TooManyRequests(reason="too many logins at once; try again in a moment", retryAfter=1)
        key = self._cache_key(credentials, stored)
        pending = asyncio.get_running_loop().run_in_executor(
            self._executor, partial(self._verify, credentials.password, stored, cost=cost)
        )
        self._pending[key] = pending
        self._pending_of[client] += 1
        pending.add_done_callback(partial(self._settle, key, client))
        return pending

    def _settle(self, key: bytes, client: str, done: asyncio.Future[bool]) -> None:
        del self._pending[key]
        self._pending_of[client] -= 1
        if not self._pending_of[client]:
            del self._pending_of[client]
        if done.cancelled() or done.exception() is not None or not done.result():
            return
        self._verified[key] = self._clock.monotonic() + VERIFIED_LIFE
        if len(self._verified) > VERIFIED_LIMIT:
            self._verified.popitem(last=False)

    def _cache_key(self, credentials: BasicCredentials, stored: str | None) -> bytes:
        fields = (credentials.name, credentials.password, stored or "")
        message = b"".join(len(field).to_bytes(8, "big") + field for field in (text.encode() for text in fields))
        return hmac.digest(self._key, message, "sha256")
