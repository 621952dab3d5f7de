"""A brake on guessing passwords: failures of one client address for one user make both wait, and nobody else.

The first failures are free, since people mistype; then each doubles the wait, up to a minute. A password that this
process verified before does not ask the brake, so a robot that guesses does not lock out the one that knows.
"""

import logging
from collections import OrderedDict
from dataclasses import dataclass

from simple_registry.clock import Clock
from simple_registry.oci.errors import TooManyRequests

FREE_FAILURES = 5
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


class LoginBrake:
    """Counts failures per client address and user."""

    def __init__(self, clock: Clock) -> None:
        """Count with this clock."""
        self._clock = clock
        self._failures: OrderedDict[tuple[str, str], _Failures] = OrderedDict()

    def check(self, client: str, user: str) -> None:
        """Let a login be tried.

        Raises: TooManyRequests while the pair has to wait.
        """
        failures = self._failures.get((client, user))
        if failures is None:
            return
        wait = failures.blocked_until - self._clock.monotonic()
        if wait > 0:
            seconds = int(wait) + 1
            raise TooManyRequests(
                reason="too many failed logins; wait before the next",
                retryAfter=seconds,
                note=f"braked: {failures.count} failed logins of {user[:64]!r} from {client}",
            )

    def failed(self, client: str, user: str) -> None:
        """Note a failed login."""
        now = self._clock.monotonic()
        key = (client, user)
        failures = self._failures.pop(key, None)
        if failures is None or now - failures.last > FORGET_AFTER:
            failures = _Failures()
        failures.count += 1
        failures.last = now
        if failures.count >= FREE_FAILURES:
            failures.blocked_until = now + min(2.0 ** (failures.count - FREE_FAILURES), LONGEST_WAIT)
        self._failures[key] = failures
        if len(self._failures) > REMEMBERED:
            self._failures.popitem(last=False)
        if failures.count == FREE_FAILURES:
            fields = {"user": user[:64], "client": client, "failures": failures.count}
            logger.warning("logins are braked", extra={"fields": fields})

    def succeeded(self, client: str, user: str) -> None:
        """Forget the failures of a pair that knew the password after all."""
        self._failures.pop((client, user), None)
