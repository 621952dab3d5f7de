"""Recognising a whole `Authorization` header that proved a password a moment ago.

A push or a pull is dozens of requests with the same header; this spares all but the first of a minute the parsing, the
look for tokens and the comparison of passwords. What is known is known under one set of rules: a reload forgets it all.
Headers are kept as keyed hashes (BLAKE2b, with a key of this process), never as they are.
"""

import hashlib
import secrets
from collections.abc import Mapping

from simple_registry.access.caller import Caller, Source
from simple_registry.access.rules import AccessRules
from simple_registry.clock import Clock

LIFE = 60.0
"""Seconds for which a header is recognised."""

LIMIT = 10_000
"""Most headers that are known; beyond, all are forgotten and learnt anew."""


CONNECTION_LIFE = 1.0
"""Seconds for which a connection keeps its caller: a revocation takes effect within one."""

_BY_RULES = frozenset({Source.ANONYMOUS, Source.PASSWORD, Source.STATIC_TOKEN})
"""Proofs that the rules alone decide about."""


class ConnectionLogin:
    """The caller of the last request of one connection, as long as header lines and rules stay the same."""

    __slots__ = ("_caller", "_headers", "_rules", "_until")

    def __init__(self) -> None:
        """Begin without a caller."""
        self._headers: Mapping[str, str] | None = None
        self._rules: AccessRules | None = None
        self._until = 0.0
        self._caller: Caller

    def find(self, headers: Mapping[str, str], rules: AccessRules, now: float) -> Caller | None:
        """Return the caller that sends these headers; `now` is monotonic."""
        return self._caller if headers is self._headers and rules is self._rules and now < self._until else None

    def keep(self, headers: Mapping[str, str], rules: AccessRules, caller: Caller, now: float) -> None:
        """Keep a caller, unless it may end by anything but a change of the rules."""
        if caller.proof.source in _BY_RULES and not caller.expired and (caller.expires is None or caller.derived):
            self._headers, self._rules, self._caller, self._until = headers, rules, caller, now + CONNECTION_LIFE


class RecentLogins:
    """Callers by the headers that proved them."""

    def __init__(self, clock: Clock) -> None:
        """Know nobody yet."""
        self._clock = clock
        self._key = secrets.token_bytes(32)
        self._rules: AccessRules | None = None
        self._known: dict[bytes, tuple[Caller, float]] = {}
        self.hits = 0
        self.misses = 0

    def find(self, header: str, rules: AccessRules) -> Caller | None:
        """Return who sent this header a moment ago, while these rules were in force."""
        if rules is self._rules:
            caller, until = self._known.get(self._mark(header), (None, 0.0))
            if until > self._clock.monotonic():
                self.hits += 1
                return caller
        self.misses += 1
        return None

    def keep(self, header: str, rules: AccessRules, caller: Caller) -> None:
        """Remember who a header proved under these rules."""
        if rules is not self._rules or len(self._known) >= LIMIT:
            self._rules, self._known = rules, {}
        self._known[self._mark(header)] = (caller, self._clock.monotonic() + LIFE)

    def _mark(self, header: str) -> bytes:
        return hashlib.blake2b(header.encode("utf-8", "surrogatepass"), key=self._key, digest_size=32).digest()
