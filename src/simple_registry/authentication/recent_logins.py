"""Caches of callers: by the `Authorization` header, and for each connection.

A push or a pull is dozens of requests with the same header. For all but the first of a minute, the cache saves the
parsing, the search for tokens and the comparison of passwords. It holds callers under one set of rules: a reload
empties it. Headers are kept as keyed hashes (BLAKE2b, with a key of this process), never as they are.
"""

import hashlib
import secrets
from collections.abc import Mapping

from simple_registry.access.caller import Caller, Source
from simple_registry.access.rules import AccessRules
from simple_registry.bounded_cache import BoundedCache
from simple_registry.clock import Clock

LIFE = 60.0
"""Seconds for which a header is cached."""

MAX_HEADERS = 10_000
"""Headers in the cache of a process."""

CONNECTION_LIFE = 1.0
"""Seconds for which a connection keeps its caller: a revocation takes effect within one."""

_BY_RULES = frozenset({Source.ANONYMOUS, Source.PASSWORD, Source.STATIC_TOKEN})
"""Proofs that depend on the rules alone."""


class ConnectionLogin:
    """The caller of the last request of one connection, while header lines and rules stay the same."""

    __slots__ = ("_caller", "_headers", "_rules", "_until")

    def __init__(self) -> None:
        self._headers: Mapping[str, str] | None = None
        self._rules: AccessRules | None = None
        self._until = 0.0
        self._caller: Caller

    def find(self, headers: Mapping[str, str], rules: AccessRules, now: float) -> Caller | None:
        """Return the caller that sends these headers; `now` is monotonic."""
        return self._caller if headers is self._headers and rules is self._rules and now < self._until else None

    def keep(self, headers: Mapping[str, str], rules: AccessRules, caller: Caller, now: float) -> None:
        """Keep a caller, unless it may end without a change of the rules."""
        if caller.proof.source in _BY_RULES and not caller.expired and (caller.expires is None or caller.derived):
            self._headers, self._rules, self._caller, self._until = headers, rules, caller, now + CONNECTION_LIFE


class RecentLogins:
    """Callers by the headers that proved them."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._key = secrets.token_bytes(32)
        self._rules: AccessRules | None = None
        self._callers: BoundedCache[bytes, tuple[Caller, float]] = BoundedCache(MAX_HEADERS)
        self.hits = 0
        self.misses = 0

    def find(self, header: str, rules: AccessRules) -> Caller | None:
        """Return the caller that sent this header within the last minute, under the same rules."""
        if rules is self._rules:
            caller, until = self._callers.find(self._mark(header)) or (None, 0.0)
            if until > self._clock.monotonic():
                self.hits += 1
                return caller
        self.misses += 1
        return None

    def keep(self, header: str, rules: AccessRules, caller: Caller) -> None:
        """Keep the caller that a header proved under these rules."""
        if rules is not self._rules:
            self._rules, self._callers = rules, BoundedCache(MAX_HEADERS)
        self._callers.keep(self._mark(header), (caller, self._clock.monotonic() + LIFE))

    def _mark(self, header: str) -> bytes:
        return hashlib.blake2b(header.encode("utf-8", "surrogatepass"), key=self._key, digest_size=32).digest()
