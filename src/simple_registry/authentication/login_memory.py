"""The tables about logins that all workers share. The parent makes them before it forks; no password is in them.

    verified, wrong       the cache of results: credentials that were right, and those of a network that were wrong
    pairs, networks, …    failures, and attempts under way, by user and network; see `login_throttle`
    known                 users that logged in from a network, and the last day on which they did

Keys are HMACs under a key that only these processes have. Only `known` is also on disk.
"""

import hmac
import secrets
from collections.abc import Iterable
from dataclasses import dataclass

from simple_registry.authentication.shared_table import KEY, SharedTable

PLACES_OF_PAIR = 4
PLACES_OF_NETWORK = 32

_USERS = 16_384
_GUESSES = 65_536
_TALLY = 2
"""Numbers of a row of counts beside its places."""

_FIELD = 8
"""Bytes of the length of a field."""


@dataclass(frozen=True, slots=True)
class KnownLogin:
    """A login of a user from a network, last on a day (days since the Unix epoch)."""

    user: str
    network: str
    day: int


class LoginMemory:
    """The tables, and the key of their keys."""

    def __init__(self, known: Iterable[KnownLogin] = ()) -> None:
        self._key = secrets.token_bytes(32)
        self.verified = SharedTable(rows=_USERS, width=1)
        self.wrong = SharedTable(rows=_GUESSES, width=1)
        self.pairs = SharedTable(rows=_GUESSES, width=_TALLY + PLACES_OF_PAIR)
        self.networks = SharedTable(rows=_USERS, width=_TALLY + PLACES_OF_NETWORK)
        self.wide_networks = SharedTable(rows=_USERS, width=_TALLY)
        self.known = SharedTable(rows=_GUESSES, width=1)
        self._said = SharedTable(rows=64, width=1)
        for login in known:
            self.known.take(self.mark(login.user, login.network))[0] = login.day

    def mark(self, *fields: str) -> bytes:
        """Return the key for some texts. It has a fixed size, whatever a client sends."""
        encoded = (text.encode("utf-8", "surrogatepass") for text in fields)
        message = b"".join(len(field).to_bytes(_FIELD, "big") + field for field in encoded)
        return hmac.digest(self._key, message, "sha256")[:KEY]

    def first(self, what: str) -> bool:
        """Return whether this is the first call for a text, over all workers; for warnings that are given once."""
        said = self._said.take(self.mark(what))
        first, said[0] = not said[0], 1.0
        return first
