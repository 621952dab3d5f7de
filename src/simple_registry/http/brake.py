"""A brake on guessing passwords: failures of one client address for one user make both wait, and nobody else.

    begin ──► succeeded   all is forgotten
      │  └──► failed      counts; from the fifth of a pair on, each doubles the wait, up to a minute
      └─────► gave_up     nothing was learnt, nothing counts

An attempt counts from its beginning: those under way could all still fail, so many at once are no way around. An
address that fails with one user after the other waits too, only much later. A password that this process verified
before does not ask the brake, so a robot that guesses does not lock out the one that knows.
"""

import hashlib
import logging
from collections import Counter, OrderedDict
from dataclasses import dataclass

from simple_registry.clock import Clock
from simple_registry.oci.errors import TooManyRequests

FREE_FAILURES = 5
"""Failures of a pair of address and user that cost no wait, since people mistype."""

FREE_FAILURES_OF_ADDRESS = 50
"""Likewise of an address, over all users; many people may share one."""

LONGEST_WAIT = 60.0
FORGET_AFTER = 900.0
"""Seconds without a failure after which all is forgotten."""

REMEMBERED = 100_000

logger = logging.getLogger("simple_registry")


@dataclass(slots=True)
class _Failures:
    count: int = 0
    last: float = 0.0
    blocked_until: float = 0.0


class _Tally:
    """Failures, and attempts under way, by keys of a fixed size."""

    def __init__(self, clock: Clock, free: int) -> None:
        self._clock = clock
        self._free = free
        self._failures: OrderedDict[bytes, _Failures] = OrderedDict()
        self._under_way: Counter[bytes] = Counter()

    def __len__(self) -> int:
        return len(self._failures)

    def wait(self, key: bytes) -> int:
        """Return the whole seconds to wait before the next attempt."""
        failures = self._failures.get(key)
        left = failures.blocked_until - self._clock.monotonic() if failures else 0.0
        if left > 0:
            return int(left) + 1
        under_way = self._under_way[key]
        return 1 if under_way and under_way + self.count(key) >= self._free else 0

    def count(self, key: bytes) -> int:
        """Return the failures that are not forgotten."""
        failures = self._failures.get(key)
        if failures is None or self._clock.monotonic() - failures.last > FORGET_AFTER:
            return 0
        return failures.count

    def begin(self, key: bytes) -> None:
        self._under_way[key] += 1

    def end(self, key: bytes) -> None:
        self._under_way[key] -= 1
        if self._under_way[key] <= 0:
            del self._under_way[key]

    def fail(self, key: bytes) -> int:
        """Note a failure; return which it is."""
        now = self._clock.monotonic()
        failures = _Failures(self.count(key) + 1, now)
        if failures.count >= self._free:
            # The exponent is bounded too: a float holds no 2 ** 1024.
            doublings = min(failures.count - self._free, 16)
            failures.blocked_until = now + min(2.0**doublings, LONGEST_WAIT)
        self._failures.pop(key, None)
        self._failures[key] = failures
        if len(self._failures) > REMEMBERED:
            self._failures.popitem(last=False)
        return failures.count

    def forget(self, key: bytes) -> None:
        self._failures.pop(key, None)


class LoginBrake:
    """Counts attempts and failures per pair of client address and user, and per address."""

    def __init__(self, clock: Clock) -> None:
        """Count with this clock."""
        self._pairs = _Tally(clock, FREE_FAILURES)
        self._addresses = _Tally(clock, FREE_FAILURES_OF_ADDRESS)

    def begin(self, client: str, user: str) -> None:
        """Let a login be tried; `failed`, `succeeded` or `gave_up` ends it.

        Raises: TooManyRequests while the pair or the address has to wait; then there is nothing to end.
        """
        pair, address = _key(client, user), _key(client)
        seconds = max(self._pairs.wait(pair), self._addresses.wait(address))
        if seconds:
            raise TooManyRequests(
                reason="too many failed logins; wait before the next",
                retryAfter=seconds,
                note=(
                    f"braked: {self._pairs.count(pair)} failed logins of {user[:64]!r} from {client}, "
                    f"{self._addresses.count(address)} of anybody from there"
                ),
            )
        self._pairs.begin(pair)
        self._addresses.begin(address)

    def failed(self, client: str, user: str) -> None:
        """Note a failed login."""
        self.gave_up(client, user)
        count = self._pairs.fail(_key(client, user))
        if count == FREE_FAILURES:
            fields: dict[str, object] = {"user": user[:64], "client": client, "failures": count}
            logger.warning("logins are braked", extra={"fields": fields})
        count = self._addresses.fail(_key(client))
        if count == FREE_FAILURES_OF_ADDRESS:
            logger.warning(
                "all logins of an address are braked", extra={"fields": {"client": client, "failures": count}}
            )

    def succeeded(self, client: str, user: str) -> None:
        """Forget the failures of a pair that knew the password after all, and of its address."""
        self.gave_up(client, user)
        self._pairs.forget(_key(client, user))
        self._addresses.forget(_key(client))

    def gave_up(self, client: str, user: str) -> None:
        """End an attempt that proved nothing."""
        self._pairs.end(_key(client, user))
        self._addresses.end(_key(client))


def _key(*fields: str) -> bytes:
    """Return a key of a fixed size, whatever a client sends as a name."""
    digests = b"".join(hashlib.sha256(field.encode("utf-8", "surrogatepass")).digest() for field in fields)
    return hashlib.sha256(digests).digest()
