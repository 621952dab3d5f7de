"""Verification of passwords in threads, in the order of the throttle, with a cache that all workers share.

    cached as right         ──► True             at once, on every worker
    being verified already  ──► the same answer
    cached as wrong         ──► False            at once: a robot with a stale password costs nothing
    otherwise               ──► queue ──► thread ──► True at once, False after the delay of the throttle

Cache keys contain the stored hash, so a changed or removed user is noticed at once. A wrong password is cached for the
network that sent it, so that a quick answer does not show another network what was tried.
"""

import asyncio
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from simple_registry.authentication.credentials import BasicCredentials
from simple_registry.authentication.login_memory import LoginMemory
from simple_registry.authentication.login_queue import LoginQueue, Waiting
from simple_registry.authentication.login_throttle import LoginThrottle
from simple_registry.clock import Clock
from simple_registry.networks import network_of
from simple_registry.oci.errors import TooManyRequests

VERIFIED_LIFE = 900.0
"""Seconds for which the result for a password is cached."""

TRUSTED_LIFE = 24 * 3600.0
"""Seconds for which credentials that were right go first."""

TICK = 0.05
"""Seconds between two checks of what is due, while anything waits."""

RETRY_AFTER = 5
"""Seconds after which a refused client should retry: other logins had their turns by then."""


class Verify(Protocol):
    """Verifies a password against a hash; without one it takes as long as a hash of `cost` would."""

    def __call__(self, password: str, password_hash: str | None, *, cost: int) -> bool:
        """Return whether the password has the hash."""


@dataclass(eq=False, slots=True)
class _Question:
    """A password to verify, and the answer that requests wait for; `right` and `wrong` are its cache keys."""

    credentials: BasicCredentials
    stored: str | None
    cost: int
    right: bytes
    wrong: bytes
    answer: "asyncio.Future[bool]"


class PasswordVerifier:
    """Verifies passwords."""

    def __init__(
        self,
        *,
        verify: Verify,
        executor: Executor,
        threads: int,
        clock: Clock,
        memory: LoginMemory,
        throttle: LoginThrottle,
    ) -> None:
        """Verify with this function on the `threads` of an executor."""
        self._verify = verify
        self._executor = executor
        self._idle = threads
        self._clock = clock
        self._memory = memory
        self._throttle = throttle
        self._queue: LoginQueue[_Question] = LoginQueue(throttle)
        self._pending: dict[bytes, asyncio.Future[bool]] = {}
        self._delayed: list[tuple[float, asyncio.Future[bool]]] = []
        self._timer: asyncio.TimerHandle | None = None
        self._closed = False

    async def verify(self, credentials: BasicCredentials, stored: str | None, *, cost: int, client: str) -> bool:
        """Return whether the password has the hash; `None` is an unknown user, or one without a password.

        That takes as long as a hash of `cost` does, and continues when the client leaves.

        Raises: TooManyRequests when it waited too long, or gave way to other logins.
        """
        right = self._memory.mark(credentials.name, credentials.password, stored or "")
        if self._age(right, verified=True) < VERIFIED_LIFE:
            self._throttle.know(client, credentials.name)  # verified from elsewhere, perhaps: known from here too
            return True
        wrong = self._memory.mark(credentials.name, credentials.password, stored or "", network_of(client))
        answer = self._pending.get(wrong)
        if answer is None:
            if self._age(wrong, verified=False) < VERIFIED_LIFE:
                return False
            answer = asyncio.get_running_loop().create_future()
            self._enqueue(_Question(credentials, stored, cost, right, wrong, answer), client)
        return await asyncio.shield(answer)

    def close(self) -> None:
        """Start no further verification: the executor is about to end, and no request waits for an answer."""
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()

    def _age(self, key: bytes, *, verified: bool) -> float:
        """Return the seconds since a password was found to be right, or wrong; infinity if it is not cached."""
        row = (self._memory.verified if verified else self._memory.wrong).find(key)
        return float("inf") if row is None or not row[0] else self._clock.monotonic() - row[0]

    def _enqueue(self, question: _Question, client: str) -> None:
        self._pending[question.wrong] = question.answer
        question.answer.add_done_callback(partial(self._answered, question.wrong))
        trusted = self._age(question.right, verified=True) < TRUSTED_LIFE
        attempt = self._throttle.attempt(client, question.credentials.name, trusted=trusted)
        waiting = Waiting(attempt, question)
        # Attempts that wait although a thread is idle lack a place; this one overtakes none that could begin.
        if self._idle and self._throttle.may_begin(attempt, set()):
            self._start(waiting)
            return
        refused = self._queue.add(waiting, self._clock.monotonic())
        if refused is not None:
            self._refuse(refused)
        self._schedule()

    def _answered(self, key: bytes, answer: "asyncio.Future[bool]") -> None:
        del self._pending[key]
        if not answer.cancelled():
            answer.exception()  # retrieved, since every request that waited may have been cancelled

    def _refuse(self, waiting: Waiting[_Question]) -> None:
        reason = "too many logins at once; try again in a moment"
        note = self._throttle.describe(waiting.attempt)
        waiting.attached.answer.set_exception(TooManyRequests(reason=reason, retryAfter=RETRY_AFTER, note=note))

    def _start_next(self) -> None:
        """Start the next attempts on idle threads."""
        if self._closed:
            return
        while self._idle and (waiting := self._queue.take()) is not None:
            self._start(waiting)
        self._schedule()

    def _schedule(self) -> None:
        """Schedule a check, if anything waits."""
        if self._timer is None and (len(self._queue) or self._delayed):
            self._timer = asyncio.get_running_loop().call_later(TICK, self._tick)

    def _tick(self) -> None:
        self._timer = None
        now = self._clock.monotonic()
        try:
            for late in self._queue.expire(now):
                self._refuse(late)
            due = [answer for moment, answer in self._delayed if moment <= now]
            self._delayed = [each for each in self._delayed if each[0] > now]
            for answer in due:
                answer.set_result(False)
        finally:  # an unexpected failure must not keep the others waiting
            self._start_next()

    def _start(self, waiting: Waiting[_Question]) -> None:
        question = waiting.attached
        if self._age(question.right, verified=True) < VERIFIED_LIFE:  # verified by another worker meanwhile
            self._throttle.know(waiting.attempt.client, waiting.attempt.user)
            question.answer.set_result(True)
            return
        started = self._throttle.begin(waiting.attempt)
        work = partial(self._verify, question.credentials.password, question.stored, cost=question.cost)
        try:
            done = asyncio.get_running_loop().run_in_executor(self._executor, work)
        except RuntimeError as error:  # the system cannot start a thread; the next login tries again
            self._throttle.end(waiting.attempt, started, right=None)
            question.answer.set_exception(error)
            return
        self._idle -= 1
        done.add_done_callback(partial(self._finish, waiting, started))

    def _finish(self, waiting: Waiting[_Question], started: float, done: "asyncio.Future[bool]") -> None:
        self._idle += 1
        answer = waiting.attached.answer
        if done.cancelled():
            answer.cancel()
            return
        failure = done.exception()
        if failure is None:
            self._judge(waiting, started, right=done.result())
        else:
            self._throttle.end(waiting.attempt, started, right=None)
            answer.set_exception(failure)
        self._start_next()

    def _judge(self, waiting: Waiting[_Question], started: float, *, right: bool) -> None:
        question, now = waiting.attached, self._clock.monotonic()
        if right:
            self._memory.verified.take(question.right)[0] = now
        else:
            self._memory.wrong.take(question.wrong)[0] = now
        delay = self._throttle.end(waiting.attempt, started, right=right)
        if delay:
            self._delayed.append((now + delay, question.answer))
        else:
            question.answer.set_result(right)
