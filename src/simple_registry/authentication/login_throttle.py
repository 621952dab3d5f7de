"""The throttle of logins: which attempts go first, how many at once, and how long a wrong answer takes.

    begin ──► right     answered at once; the user is known from this network from now on
      │  └──► wrong     counted; beyond the free failures the answer is delayed, up to 8 s, and keeps its place
      └─────► (none)    without a result, nothing is counted

A wrong password is counted for the pair of user and network, for the network, and for the wide network around it. A
pair has 4 places and a network 32: an attempt begins once it has one of each, and a wrong one keeps them until it is
answered. So guesses are few, and a right password among them waits for a place, but is not refused.

When more attempts wait than can be verified, `rank` orders them: credentials that were right within the day; then users
that logged in from this network within days; then by the failures and taken places of the network, or an eighth of the
failures of the wide network where that is more. All workers share the counts. docs/adr/0023-guessing-waits.md has the
reasons.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass

from simple_registry.authentication.login_memory import PLACES_OF_NETWORK, PLACES_OF_PAIR, KnownLogin, LoginMemory
from simple_registry.authentication.shared_table import SharedTable
from simple_registry.clock import Clock
from simple_registry.networks import network_of, wide_network_of

FREE_FAILURES = 5
"""The first wrong password of a pair whose answer is delayed; users mistype."""

FREE_FAILURES_OF_NETWORK = 50
"""The same of a network, over all users: many may share one."""

MAX_DELAY = 8.0
"""Seconds by which a wrong answer is delayed."""

FORGET_AFTER = 900.0
"""Seconds without a failure after which a count is 0 again."""

WEIGHT_OF_WIDE_NETWORK = 1 / 8
"""The weight of a failure of a wide network beside one of the network.

Without it, a party with a whole IPv6 /48 would have 65,536 networks. An IPv4 /24 has many parties, so it is small.
"""

KNOWN_DAYS = 30
"""Days for which a user is known from where a login succeeded."""

MAX_CHECK = 30.0
"""Seconds after which the place of an attempt is free, even if its worker has died."""

DAY = 24 * 3600

_LAST, _COUNT, _PLACES = 0, 1, 2
"""The numbers of a row: the time of the last failure, the count, and until when each place is taken."""

logger = logging.getLogger("simple_registry")

Rank = tuple[int, float, float, float, float]
"""The order of attempts, least first."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """A login to verify, and the keys of its counts; `trusted` if its credentials were right within the day."""

    client: str
    user: str
    network: str
    trusted: bool
    of_pair: bytes
    of_network: bytes
    of_wide_network: bytes


class _Tally:
    """Failures and places by key."""

    def __init__(self, table: SharedTable, *, free: int = 0, places: int = 0) -> None:
        self._table = table
        self._free = free
        self._places = range(_PLACES, _PLACES + places)

    def count(self, key: bytes, now: float) -> int:
        """Return the recent failures."""
        row = self._table.find(key)
        return 0 if row is None or now - row[_LAST] > FORGET_AFTER else int(row[_COUNT])

    def has_room(self, key: bytes, now: float) -> bool:
        """Return whether a place is free."""
        row = self._table.find(key)
        return row is None or any(row[at] <= now for at in self._places)

    def busy(self, key: bytes, now: float) -> int:
        """Return how many places are taken."""
        row = self._table.find(key)
        return 0 if row is None else sum(row[at] > now for at in self._places)

    def begin(self, key: bytes, now: float) -> None:
        """Take a place."""
        row = self._table.take(key)
        row[_LAST] = row[_LAST] or now  # the table reuses the row with the oldest time: not one with a place in use
        at = min(self._places, key=row.__getitem__)
        row[at] = now + MAX_CHECK

    def end(self, key: bytes, started: float, until: float) -> None:
        """Free the place of the attempt that started at `started`, from `until` on."""
        row = self._table.find(key)
        if row is None:
            return
        for at in self._places:
            if row[at] == started + MAX_CHECK:
                row[at] = until
                return

    def fail(self, key: bytes, now: float) -> int:
        """Count a failure; return the new count."""
        count = self.count(key, now) + 1
        row = self._table.take(key)
        row[_LAST], row[_COUNT] = now, count
        return count

    def forget(self, key: bytes) -> None:
        row = self._table.find(key)
        if row is not None:
            row[_COUNT] = 0

    def delay(self, count: int) -> float:
        """Return the seconds by which the answer to the failure of this number is delayed."""
        return 0.0 if count < self._free else min(2.0 ** min(count - self._free, 16), MAX_DELAY)


class LoginThrottle:
    """Ranks attempts, and counts those that fail."""

    def __init__(self, memory: LoginMemory, clock: Clock, keep: Callable[[KnownLogin], None]) -> None:
        """Count in `memory`; `keep` writes a login for the next start."""
        self._memory = memory
        self._clock = clock
        self._keep = keep
        self._pairs = _Tally(memory.pairs, free=FREE_FAILURES, places=PLACES_OF_PAIR)
        self._networks = _Tally(memory.networks, free=FREE_FAILURES_OF_NETWORK, places=PLACES_OF_NETWORK)
        self._wide_networks = _Tally(memory.wide_networks)

    def attempt(self, client: str, user: str, *, trusted: bool = False) -> Attempt:
        """Return the attempt of a user from an address."""
        network, mark = network_of(client), self._memory.mark
        wide = wide_network_of(client)
        return Attempt(client, user, network, trusted, mark(user, network), mark(network), mark(wide))

    def rank(self, attempt: Attempt) -> Rank:
        """Return the rank of an attempt among those that wait."""
        if attempt.trusted:
            return 0, 0, 0, 0, 0
        now = self._clock.monotonic()
        pair = self._pairs.count(attempt.of_pair, now)
        if self._is_known(attempt):
            return 1, pair, 0, 0, 0
        network = self._networks.count(attempt.of_network, now) + self._networks.busy(attempt.of_network, now)
        wide = self._wide_networks.count(attempt.of_wide_network, now)
        return 2, max(network, wide * WEIGHT_OF_WIDE_NETWORK), wide, network, pair

    def failed(self, attempt: Attempt) -> bool:
        """Return whether a login failed from the network of an attempt."""
        return self._networks.count(attempt.of_network, self._clock.monotonic()) > 0

    def may_begin(self, attempt: Attempt, full: set[bytes]) -> bool:
        """Return whether the places that an attempt needs are free; `full` caches keys that have none."""
        if attempt.trusted:
            return True
        if self._has_no_room(self._networks, attempt.of_network, full) and not self._is_known(attempt):
            return False
        return not self._has_no_room(self._pairs, attempt.of_pair, full)

    def _has_no_room(self, tally: _Tally, key: bytes, full: set[bytes]) -> bool:
        if key not in full and not tally.has_room(key, self._clock.monotonic()):
            full.add(key)
        return key in full

    def begin(self, attempt: Attempt) -> float:
        """Take the places of an attempt; return the moment, which `end` needs."""
        now = self._clock.monotonic()
        self._pairs.begin(attempt.of_pair, now)
        self._networks.begin(attempt.of_network, now)
        return now

    def end(self, attempt: Attempt, started: float, *, right: bool | None) -> float:
        """Count the result of an attempt, if there is one; return the seconds by which its answer is delayed."""
        now = self._clock.monotonic()
        delay = self._fail(attempt, now) if right is False else 0.0
        self._pairs.end(attempt.of_pair, started, now + delay)
        self._networks.end(attempt.of_network, started, now + delay)
        if right:
            self._pairs.forget(attempt.of_pair)
            self._know(attempt.user, attempt.network, attempt.of_pair)
        return delay

    def know(self, client: str, user: str) -> None:
        """Note that a user logged in from an address."""
        network = network_of(client)
        self._know(user, network, self._memory.mark(user, network))

    def is_throttled(self, client: str) -> bool:
        """Return whether all wrong answers to an address are delayed."""
        key = self._memory.mark(network_of(client))
        return self._networks.count(key, self._clock.monotonic()) >= FREE_FAILURES_OF_NETWORK

    def describe(self, attempt: Attempt) -> str:
        """Return the counts, for the log."""
        now = self._clock.monotonic()
        return (
            f"throttled: {self._pairs.count(attempt.of_pair, now)} failed logins of {attempt.user[:64]!r} "
            f"from {attempt.network}, {self._networks.count(attempt.of_network, now)} of all users"
        )

    def _fail(self, attempt: Attempt, now: float) -> float:
        self._wide_networks.fail(attempt.of_wide_network, now)
        pair, network = self._pairs.fail(attempt.of_pair, now), self._networks.fail(attempt.of_network, now)
        fields: dict[str, object] = {"client": attempt.client, "network": attempt.network}
        if pair == FREE_FAILURES:
            user = {"user": attempt.user[:64], "failures": pair}
            logger.warning("login attempts throttled", extra={"fields": fields | user})
        if network == FREE_FAILURES_OF_NETWORK:
            count = {"failures": network}
            logger.warning("all login attempts of an address throttled", extra={"fields": fields | count})
        return max(self._pairs.delay(pair), self._networks.delay(network))

    def _is_known(self, attempt: Attempt) -> bool:
        row = self._memory.known.find(attempt.of_pair)
        return row is not None and self._today() - row[0] <= KNOWN_DAYS

    def _know(self, user: str, network: str, of_pair: bytes) -> None:
        row, today = self._memory.known.take(of_pair), self._today()
        if row[0] != today:
            row[0] = today
            self._keep(KnownLogin(user, network, today))

    def _today(self) -> int:
        return int(self._clock.now()) // DAY
