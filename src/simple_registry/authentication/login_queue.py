"""The queue of logins to verify: which is next, which gives way when there are too many, which waited too long."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Generic, TypeVar

from simple_registry.authentication.login_memory import PLACES_OF_PAIR
from simple_registry.authentication.login_throttle import WEIGHT_OF_WIDE_NETWORK, Attempt, LoginThrottle, Rank

MAX_WAITING = 256
"""Attempts in the queue."""

MAX_WAIT = 10.0
"""Seconds that an attempt waits."""

_T = TypeVar("_T")


@dataclass(eq=False, slots=True)
class Waiting(Generic[_T]):
    """An attempt in the queue, and what its owner attached to it."""

    attempt: Attempt
    attached: _T
    since: float = field(default=0.0, init=False)
    number: int = field(default=0, init=False)
    rank: Rank = field(default=(0, 0, 0, 0, 0), init=False)
    """As of its arrival: computing all of them again at each arrival would cost too much."""


class LoginQueue(Generic[_T]):
    """Waiting attempts, in the order of arrival."""

    def __init__(self, throttle: LoginThrottle) -> None:
        self._throttle = throttle
        self._waiting: list[Waiting[_T]] = []
        self._numbers = count()

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, waiting: Waiting[_T], now: float) -> Waiting[_T] | None:
        """Add an attempt; return the one that gives way to it, which may be itself."""
        waiting.since, waiting.number, waiting.rank = now, next(self._numbers), self._throttle.rank(waiting.attempt)
        self._waiting.append(waiting)
        return self._remove(self._least()) if len(self._waiting) > MAX_WAITING else None

    def take(self) -> Waiting[_T] | None:
        """Remove and return the next attempt that may begin."""
        full: set[bytes] = set()
        ready = [each for each in self._waiting if self._throttle.may_begin(each.attempt, full)]
        return self._remove(min(ready, key=self._order)) if ready else None

    def expire(self, now: float) -> Sequence[Waiting[_T]]:
        """Remove and return the attempts that waited too long."""
        late = [each for each in self._waiting if now - each.since >= MAX_WAIT]
        self._waiting = [each for each in self._waiting if now - each.since < MAX_WAIT]
        return late

    def _order(self, waiting: Waiting[_T]) -> tuple[Rank, int]:
        """Return the order of an attempt: its rank, then the first of equal ones, or the last where some failed.

        A guesser has many attempts waiting, and sends the next when one was answered: the last to arrive is not one of
        those.
        """
        attempt = waiting.attempt
        return self._throttle.rank(attempt), -waiting.number if self._throttle.failed(attempt) else waiting.number

    def _least(self) -> Waiting[_T]:
        """Return the newest of the least useful attempts.

        These are of a user and network with more waiting attempts than places, known there or not: such are guesses.
        Without any, they are of the network, or wide network, with most failed and waiting attempts.
        """
        pairs = Counter(each.attempt.of_pair for each in self._waiting)
        networks = Counter(each.attempt.of_network for each in self._waiting)
        wide = Counter(each.attempt.of_wide_network for each in self._waiting)

        def weight(each: Waiting[_T]) -> tuple[bool, float, float, float, float]:
            kind, _, failed_wide, failed, _ = each.rank
            attempt = each.attempt
            crowded = kind > 0 and pairs[attempt.of_pair] > PLACES_OF_PAIR
            of_wide = failed_wide + wide[attempt.of_wide_network]
            of_network = failed + networks[attempt.of_network]
            return crowded, kind, max(of_network, of_wide * WEIGHT_OF_WIDE_NETWORK), of_wide, of_network

        # Of those with equal weights, `max` returns the first.
        return max(reversed(self._waiting), key=weight)

    def _remove(self, waiting: Waiting[_T]) -> Waiting[_T]:
        self._waiting.remove(waiting)
        return waiting
