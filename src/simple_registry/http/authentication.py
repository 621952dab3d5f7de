"""Who is calling: from an `Authorization` header to an identity (RFC 7617).

A header that is there but wrong, in whatever way, is never taken for anonymous. Verified credentials are remembered
for a short time under a key that depends on the stored hash, so a changed or removed user is noticed at once; the
slow hash runs in a small pool of threads, and equal questions that arrive together are asked once.
"""

import asyncio
import base64
import binascii
import hmac
import secrets
from collections import OrderedDict
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass

from simple_registry.access.identity import Identity
from simple_registry.clock import Clock
from simple_registry.oci.errors import TooManyRequests, Unauthorized

REALM = "simple-registry"
CHALLENGE = f'Basic realm="{REALM}"'

VERIFIED_LIFE = 900.0
"""Seconds for which a verified password is not hashed again."""

VERIFIED_LIMIT = 10_000
PENDING_LIMIT = 256
"""Most passwords that wait for the pool; more are asked to come back."""


@dataclass(frozen=True, slots=True)
class BasicCredentials:
    """A name and a password that somebody claims."""

    name: str
    password: str


def parse_basic(header: str) -> BasicCredentials:
    """Return the credentials of an `Authorization` header.

    Raises: Unauthorized.
    """
    scheme, _, value = header.strip(" ").partition(" ")
    if scheme.lower() != "basic":
        raise Unauthorized(note="an authorization scheme other than Basic")
    try:
        name, colon, password = base64.b64decode(value.strip(" "), validate=True).decode("utf-8").partition(":")
    except (binascii.Error, UnicodeDecodeError, ValueError) as error:
        raise Unauthorized(note="unreadable Basic credentials") from error
    if not colon or not name:
        raise Unauthorized(note="Basic credentials without a name or a colon")
    return BasicCredentials(name, password)


class PasswordVerifier:
    """Verifies passwords off the event loop, and remembers those that were right."""

    def __init__(
        self,
        hashes: Mapping[str, str],
        *,
        verify: Callable[[str, str | None], bool],
        executor: Executor,
        clock: Clock,
    ) -> None:
        """Know users by their `hashes`; `verify(password, hash)` spends the same time when there is no hash."""
        self._hashes = hashes
        self._verify = verify
        self._executor = executor
        self._clock = clock
        self._key = secrets.token_bytes(32)
        self._verified: OrderedDict[bytes, float] = OrderedDict()
        self._pending: dict[bytes, asyncio.Future[bool]] = {}

    async def verify(self, credentials: BasicCredentials) -> bool:
        """Tell whether the password is that of the user.

        Raises: TooManyRequests when too many wait already.
        """
        stored = self._hashes.get(credentials.name)
        key = self._cache_key(credentials, stored)
        if self._verified.get(key, 0.0) > self._clock.monotonic():
            return True
        pending = self._pending.get(key)
        if pending is None:
            if len(self._pending) >= PENDING_LIMIT:
                raise TooManyRequests(reason="too many logins at once; try again in a moment")
            pending = asyncio.get_running_loop().run_in_executor(
                self._executor, self._verify, credentials.password, stored
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


class Authenticator:
    """Turns `Authorization` headers into identities."""

    def __init__(self, verifier: PasswordVerifier) -> None:
        """Trust what `verifier` says."""
        self._verifier = verifier

    async def authenticate(self, header: str | None) -> Identity:
        """Return who sends this header.

        Raises: Unauthorized, TooManyRequests.
        """
        if header is None:
            raise Unauthorized
        credentials = parse_basic(header)
        if not await self._verifier.verify(credentials):
            raise Unauthorized(note=f"wrong password or unknown user {credentials.name[:64]!r}")
        return Identity(credentials.name)
