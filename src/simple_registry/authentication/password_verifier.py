"""Passwords, verified off the event loop, in the order that the throttle says, and remembered for a while.

    remembered as right ──► True            at once, on every worker
    asked already       ──► the same answer
    remembered as wrong ──► False           at once: a robot with a stale password learns nothing, and costs nothing
    otherwise           ──► queue ──► thread ──► True at once, False after the delay of the throttle

What is remembered depends on the stored hash, so a changed or removed user is noticed at once. That a password is wrong
is remembered for the network that sent it, so that no other learns from a quick answer what was tried there.
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
"""Seconds for which a password that was right, or wrong, is not hashed again."""

TRUSTED_LIFE = 24 * 3600.0
"""Seconds for which one that was right goes first."""

TICK = 0.05
"""Seconds between two looks at what became due, while anything waits."""

RETRY_AFTER = 5
"""Seconds after which what was refused should come back: others had their turns by then."""


class Verify(Protocol):
    """Verifies a password against a hash; without one it takes as long as a hash of `cost` would."""

    def __call__(self, password: str, password_hash: str | None, *, cost: int) -> bool:
        """Return whether the password has the hash."""
        ...


@dataclass(eq=False, slots=True)
class _Question:
    """Whether a password has a hash, and who waits for the answer; `right` and `wrong` are its keys in the memory."""

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
        self._asked: dict[bytes, asyncio.Future[bool]] = {}
        self._delayed: list[tuple[float, asyncio.Future[bool]]] = []
        self._timer: asyncio.TimerHandle | None = None
        self._closed = False

    async def verify(self, credentials: BasicCredentials, stored: str | None, *, cost: int, client: str) -> bool:
        """Return whether the password has the hash; `None` stands for a user without one, or none at all.

        That takes as long as a hash of `cost` does, and goes on when the client that asked goes away.

        Raises: TooManyRequests when it waited too long, or gave way to others.
        """
        right = self._memory.mark(credentials.name, credentials.password, stored or "")
        if self._age(right, verified=True) < VERIFIED_LIFE:
            self._throttle.know(client, credentials.name)  # who was verified elsewhere is known here too
            return True
        wrong = self._memory.mark(credentials.name, credentials.password, stored or "", network_of(client))
        answer = self._asked.get(wrong)
        if answer is None:
            if self._age(wrong, verified=False) < VERIFIED_LIFE:
                return False
            answer = asyncio.get_running_loop().create_future()
            self._ask(_Question(credentials, stored, cost, right, wrong, answer), client)
        return await asyncio.shield(answer)

    def close(self) -> None:
        """Begin nothing more: the executor is about to end, and no request waits for an answer."""
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()

    def _age(self, key: bytes, *, verified: bool) -> float:
        """Return how many seconds ago a password was found to be right, or wrong."""
        row = (self._memory.verified if verified else self._memory.wrong).find(key)
        return float("inf") if row is None or not row[0] else self._clock.monotonic() - row[0]

    def _ask(self, question: _Question, client: str) -> None:
        self._asked[question.wrong] = question.answer
        question.answer.add_done_callback(partial(self._answered, question.wrong))
        trusted = self._age(question.right, verified=True) < TRUSTED_LIFE
        attempt = self._throttle.attempt(client, question.credentials.name, trusted=trusted)
        waiting = Waiting(attempt, question)
        if self._idle and self._throttle.may_begin(attempt, set()):  # what waits beside an idle thread has no place
            self._start(waiting)
            return
        given_way = self._queue.add(waiting, self._clock.monotonic())
        if given_way is not None:
            self._refuse(given_way)
        self._look_again()

    def _answered(self, key: bytes, answer: "asyncio.Future[bool]") -> None:
        del self._asked[key]
        if not answer.cancelled():
            answer.exception()  # whoever asked may be gone

    def _refuse(self, waiting: Waiting[_Question]) -> None:
        reason = "too many logins at once; try again in a moment"
        note = self._throttle.describe(waiting.attempt)
        waiting.attached.answer.set_exception(TooManyRequests(reason=reason, retryAfter=RETRY_AFTER, note=note))

    def _go_on(self) -> None:
        """Give idle threads what is next."""
        if self._closed:
            return
        while self._idle and (waiting := self._queue.take()) is not None:
            self._start(waiting)
        self._look_again()

    def _look_again(self) -> None:
        """Look soon at what became due, if anything may."""
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
        finally:  # one that fails as none should must not keep the others waiting
            self._go_on()

    def _start(self, waiting: Waiting[_Question]) -> None:
        question = waiting.attached
        if self._age(question.right, verified=True) < VERIFIED_LIFE:  # another worker knows by now
            self._throttle.know(waiting.attempt.client, waiting.attempt.user)
            question.answer.set_result(True)
            return
        begun = self._throttle.begin(waiting.attempt)
        work = partial(self._verify, question.credentials.password, question.stored, cost=question.cost)
        try:
            done = asyncio.get_running_loop().run_in_executor(self._executor, work)
        except RuntimeError as error:  # the system has no room for a thread; the next login tries again
            self._throttle.end(waiting.attempt, begun, right=None)
            question.answer.set_exception(error)
            return
        self._idle -= 1
        done.add_done_callback(partial(self._settle, waiting, begun))

    def _settle(self, waiting: Waiting[_Question], begun: float, done: "asyncio.Future[bool]") -> None:
        self._idle += 1
        answer = waiting.attached.answer
        if done.cancelled():
            answer.cancel()
            return
        failure = done.exception()
        if failure is None:
            self._judge(waiting, begun, right=done.result())
        else:
            self._throttle.end(waiting.attempt, begun, right=None)
            answer.set_exception(failure)
        self._go_on()

    def _judge(self, waiting: Waiting[_Question], begun: float, *, right: bool) -> None:
        question, now = waiting.attached, self._clock.monotonic()
        if right:
            self._memory.verified.take(question.right)[0] = now
        else:
            self._memory.wrong.take(question.wrong)[0] = now
        delay = self._throttle.end(waiting.attempt, begun, right=right)
        if delay:
            self._delayed.append((now + delay, question.answer))
        else:
            question.answer.set_result(right)
