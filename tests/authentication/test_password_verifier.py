"""Passwords are hashed no more than needed; right ones get through whatever others do, wrong ones cost who sends them.

All of it runs on a virtual clock: a hash takes a quarter of a second, on two threads, as at the default cost.
"""

import asyncio
from dataclasses import dataclass, field
from itertools import count, cycle

import pytest
from hypothesis import HealthCheck, given, settings as how, strategies as st

from simple_registry.authentication import login_queue
from simple_registry.authentication.credentials import BasicCredentials
from simple_registry.authentication.login_memory import KnownLogin, LoginMemory
from simple_registry.authentication.login_queue import MAX_WAIT, MAX_WAITING
from simple_registry.authentication.login_throttle import DAY, FREE_FAILURES, MAX_DELAY, LoginThrottle
from simple_registry.authentication.password_verifier import TICK, VERIFIED_LIFE, PasswordVerifier
from simple_registry.oci.errors import TooManyRequests
from support.time import SettableClock
from support.virtual_time import Executor, run

COST = 12
SECONDS = 0.25
THREADS = 2
CLIENT = "192.0.2.1"
RIGHT = "right"
HOME = "198.51.100.9"
"""An address of which nothing is known."""
FRESH = "2a00:{:x}::1"
FRESH_64 = "2001:db8:1:{:x}::1"
"""Each time an address of another wide network, or of another network of the same one."""


@dataclass
class World:
    """The workers of a server, their clients, and what they were answered."""

    loop: asyncio.AbstractEventLoop
    clock: SettableClock
    memory: LoginMemory = field(default_factory=LoginMemory)
    hashed: list = field(default_factory=list)
    kept: list = field(default_factory=list)
    out_of_memory: bool = False

    def __post_init__(self):
        self.workers = [self._worker()]
        self.answers = {}
        self.senders = count()

    def _worker(self):
        self.executor = Executor(self.loop, threads=THREADS, seconds=SECONDS)
        return PasswordVerifier(
            verify=self._hash,
            executor=self.executor,
            threads=THREADS,
            clock=self.clock,
            memory=self.memory,
            throttle=LoginThrottle(self.memory, self.clock, self.kept.append),
        )

    def add_worker(self):
        self.workers.append(self._worker())

    def _hash(self, password, stored, *, cost):
        """Stand for bcrypt: a password fits the hash `<password>#`."""
        assert cost == COST
        if self.out_of_memory:
            raise MemoryError
        self.hashed.append(password)
        return stored == f"{password}#"

    async def log_in(self, user="ada", password=RIGHT, client=CLIENT, *, stored="right#", worker=0):
        """Return what the answer is (`True`, `False` or 429), and how long it took."""
        began, verifier = self.clock.monotonic(), self.workers[worker]
        try:
            answer = await verifier.verify(BasicCredentials(user, password), stored, cost=COST, client=client)
        except TooManyRequests:
            answer = 429
        return answer, round(self.clock.monotonic() - began, 2)

    async def guess(self, client, user="ada", *, name="", repeated=False):
        """Guess as long as the test runs, almost without a pause, each time another password.

        With `{}` in `user` or `client`, each time another one of these too.
        """
        for number in range(10**9):
            password = "stale" if repeated else f"guess {name} {number}"
            made, sender = user.format(number), client.format(next(self.senders))
            answer, _ = await self.log_in(made, password, sender, stored="right#" if made == user else None)
            self.answers.setdefault(client, []).append(answer)
            await asyncio.sleep(1 if repeated or answer == 429 else 0.01)

    def attack(self, client, *, at_once=1, **how):
        for number in range(at_once):
            task = asyncio.ensure_future(self.guess(client, name=number, **how))
            task.add_done_callback(lambda done: done.cancelled() or done.result())


@pytest.fixture
def play(clock):
    """Run a scenario on a world of its own."""

    def play(scenario):
        return run(clock, lambda loop: scenario(World(loop, clock)))

    return play


# ---------------------------------------------------------------- what is remembered


def test_a_right_password_is_cached_for_a_while(play):
    async def scenario(world):
        assert await world.log_in() == (True, SECONDS)
        await asyncio.sleep(VERIFIED_LIFE - 1)
        assert await world.log_in() == (True, 0)
        await asyncio.sleep(1)
        assert await world.log_in() == (True, SECONDS)

    play(scenario)


def test_a_cached_password_makes_its_user_known_in_each_network_once_a_day(play):
    async def scenario(world):
        today = int(world.clock.now()) // DAY
        for client in (CLIENT, HOME, HOME):
            await world.log_in(client=client)
        assert world.hashed == ["right"]
        assert world.kept == [KnownLogin("ada", CLIENT, today), KnownLogin("ada", HOME, today)]
        assert await world.log_in(password="wrong", client="192.0.2.2") == (False, SECONDS)
        assert len(world.kept) == 2
        world.clock.jump(DAY)  # midnight passed while the password is remembered
        await world.log_in(client=HOME)
        assert world.hashed == ["right", "wrong"]
        assert world.kept[2:] == [KnownLogin("ada", HOME, today + 1)]

    play(scenario)


def test_a_login_that_waited_while_another_worker_verified_makes_its_user_known(play):
    async def scenario(world):
        world.add_worker()
        first = asyncio.ensure_future(world.log_in(worker=0))
        await asyncio.sleep(SECONDS / 2)
        busy = (world.log_in(f"user{number}", worker=1) for number in range(THREADS))
        await asyncio.gather(first, *busy, world.log_in(client=HOME, worker=1))
        assert world.hashed.count(RIGHT) == THREADS + 1
        assert ("ada", HOME) in {(login.user, login.network) for login in world.kept}

    play(scenario)


def test_a_result_of_one_worker_counts_in_all(play):
    async def scenario(world):
        world.add_worker()
        await world.log_in(worker=0)
        await world.log_in(password="wrong", worker=0)
        assert await world.log_in(worker=1) == (True, 0)
        assert await world.log_in(password="wrong", worker=1) == (False, 0)

    play(scenario)


def test_a_changed_or_removed_hash_counts_at_once(play):
    async def scenario(world):
        await world.log_in()
        assert (await world.log_in(stored="changed#"))[0] is False
        assert (await world.log_in(stored=None))[0] is False
        assert await world.log_in() == (True, 0)
        assert (await world.log_in(password="next", stored="right#"))[0] is False
        assert (await world.log_in(password="next", stored="next#"))[0] is True

    play(scenario)


def test_a_wrong_password_is_hashed_once_for_each_network(play):
    async def scenario(world):
        for client in (CLIENT, CLIENT, "2001:db8::1", "2001:db8::2"):
            assert (await world.log_in(password="wrong", client=client))[0] is False
        assert world.hashed == ["wrong"] * 2

    play(scenario)


def test_an_unknown_user_costs_a_hash_too(play):
    async def scenario(world):
        assert await world.log_in("nobody", "x", stored=None) == (False, SECONDS)

    play(scenario)


def test_equal_questions_that_come_together_are_hashed_once(play):
    async def scenario(world):
        answers = await asyncio.gather(*(world.log_in() for _ in range(50)))
        assert set(answers) == {(True, SECONDS)}
        assert world.hashed == ["right"]

    play(scenario)


def test_a_client_that_leaves_does_not_cancel_the_answer_of_others(play):
    async def scenario(world):
        first, second = (asyncio.ensure_future(world.log_in()) for _ in range(2))
        await asyncio.sleep(0)
        first.cancel()
        assert (await second)[0] is True

    play(scenario)


def test_a_failing_hash_is_not_a_login_and_no_guess(play):
    async def scenario(world):
        world.out_of_memory = True
        for _ in range(FREE_FAILURES + 5):
            with pytest.raises(MemoryError):
                await world.log_in()
        world.out_of_memory = False
        assert await world.log_in(password="wrong") == (False, SECONDS)
        assert await world.log_in() == (True, SECONDS)

    play(scenario)


# ---------------------------------------------------------------- what guessing costs


def test_guesses_one_by_one_are_answered_later_and_later(play):
    async def scenario(world):
        waits = [(await world.log_in(password=f"guess {n}"))[1] - SECONDS for n in range(10)]
        assert waits == pytest.approx([0] * 4 + [1, 2, 4, 8, 8, 8], abs=2 * TICK)
        assert await world.log_in() == (True, SECONDS)

    play(scenario)


def test_concurrent_guesses_do_not_evade_the_throttle(play):
    async def scenario(world):
        await asyncio.gather(*(world.log_in(password=f"guess {number}") for number in range(200)))
        assert len(world.hashed) < 20

    play(scenario)


def test_a_guess_counts_although_its_client_leaves_before_the_answer(play):
    async def scenario(world):
        for number in range(200):
            guess = asyncio.ensure_future(world.log_in(password=f"guess {number}"))
            await asyncio.sleep(0.3)
            guess.cancel()
        assert len(world.hashed) < FREE_FAILURES + 4 + 60 * 4 / MAX_DELAY

    play(scenario)


def test_many_workers_do_not_evade_the_throttle(play):
    async def scenario(world):
        for _ in range(7):
            world.add_worker()
        guesses = [(f"guess {worker} {number}", worker) for worker in range(8) for number in range(8)]
        await asyncio.gather(*(world.log_in(password=guess, worker=worker) for guess, worker in guesses))
        assert len(world.hashed) < 20

    play(scenario)


# ---------------------------------------------------------------- what others do


async def settled(world, seconds=60):
    """Let what is under way go on for a while."""
    await asyncio.sleep(seconds)


async def right(world, user="carol", client=CLIENT, **how):
    """Log in with the right password; it may wait, but is not refused."""
    answer, seconds = await world.log_in(user, client=client, **how)
    assert answer is True, f"{user} from {client}: {answer} after {seconds} s"
    assert seconds <= MAX_WAIT
    return seconds


def test_a_robot_with_a_stale_password_costs_one_hash_and_slows_no_one(play):
    async def scenario(world):
        world.attack(CLIENT, at_once=20, repeated=True)
        await settled(world, 100)
        assert world.hashed == ["stale"]
        assert await right(world, "ada") == SECONDS
        assert await right(world) == SECONDS

    play(scenario)


@pytest.mark.parametrize("at_once", [1, 3, 12])
def test_guesses_at_a_user_from_the_same_address_leave_room_for_the_right_password(play, at_once):
    async def scenario(world):
        world.attack(CLIENT, at_once=at_once)
        await settled(world)
        await right(world, "ada")
        assert await right(world) <= 1

    play(scenario)


@pytest.mark.parametrize("at_once", [1, 30, 80])
def test_a_scanner_of_invented_users_behind_the_same_proxy_leaves_room_for_others(play, at_once):
    async def scenario(world):
        world.attack(CLIENT, at_once=at_once, user="user{}")
        await settled(world)
        await right(world)
        await right(world, "dave")

    play(scenario)


def test_many_concurrent_guesses_from_an_address_do_not_refuse_users_known_there(play):
    async def scenario(world):
        await right(world)
        await right(world, "ada")
        world.attack(CLIENT, at_once=150, user="user{}")
        world.attack(CLIENT, at_once=150)
        await settled(world, 20)
        assert await right(world, password="changed", stored="changed#") <= 1  # a user that is known
        world.memory.verified.find(world.memory.mark("ada", RIGHT, "right#"))[0] -= VERIFIED_LIFE
        assert await right(world, "ada") <= 1  # credentials that were right, although others guess at this very user

    play(scenario)


@pytest.mark.parametrize("users", ["ada", "user{}"])
def test_forty_attackers_refuse_no_one_from_elsewhere(play, users):
    async def scenario(world):
        for number in range(40):
            world.attack(f"203.{number}.113.7", at_once=8, user=users)
        waits = []
        for number in range(6):
            await settled(world, 3)
            waits.append(await right(world, f"newcomer{number}", HOME))
        assert waits[0] <= 40 * SECONDS / THREADS  # each of the forty has one guess before it is known for that
        assert max(waits[1:]) <= 1

    play(scenario)


def test_hundreds_of_addresses_of_one_ipv6_network_are_one_attacker(play):
    async def scenario(world):
        for number in range(300):
            world.attack(f"2001:db8:1:2::{number:x}", user="user{}")
        await settled(world)
        assert await right(world, client="2001:db8:1:3::1") <= 1
        assert await right(world, "dave", HOME) <= 1

    play(scenario)


def test_guesses_from_hundreds_of_addresses_do_not_refuse_known_users(clock):
    today = int(clock.now()) // DAY
    memory = LoginMemory([KnownLogin("carol", HOME, today - 3), KnownLogin("dave", "2001:db8::/64", today - 3)])

    async def scenario(world):
        for number in range(400):
            world.attack(f"203.{number % 250}.{number // 250}.7", user="user{}")
        await settled(world, 10)
        assert await right(world, client=HOME) <= 1
        assert await right(world, "dave", "2001:db8::77") <= 1

    run(clock, lambda loop: scenario(World(loop, clock, memory)))


@pytest.mark.parametrize("others", [4, 20])
def test_guesses_at_a_user_that_is_known_there_refuse_no_first_login(clock, others):
    """More of them than may wait, from the guesser's own network; what else comes keeps the threads busy."""
    memory = LoginMemory([KnownLogin("ada", CLIENT, int(clock.now()) // DAY)])

    async def scenario(world):
        world.attack(CLIENT, at_once=MAX_WAITING + 20)
        world.attack(FRESH, at_once=others, user="user{}")
        await settled(world, 6)
        assert await right(world, "carol", HOME) <= 5

    run(clock, lambda loop: scenario(World(loop, clock, memory)))


@pytest.mark.parametrize("at_once", [20, MAX_WAITING + 20])
def test_an_attack_from_fresh_networks_refuses_no_user_after_a_typing_error_or_behind_a_shared_address(play, at_once):
    async def scenario(world):
        await world.log_in("carol", "mistyped", HOME)
        world.attack(FRESH_64, at_once=at_once, user="user{}")
        await settled(world, 20)
        assert await right(world, "carol", HOME) <= 1
        office = (right(world, f"user{number}", "198.51.100.77") for number in range(6))
        assert max(await asyncio.gather(*office)) <= 3
        assert await right(world, "dave", "203.0.113.5") <= 1

    play(scenario)


@pytest.mark.parametrize("attacker", [CLIENT, "192.0.2.{}"])
@pytest.mark.parametrize("at_once", [40, MAX_WAITING + 20])
def test_an_attacker_in_the_same_ipv4_wide_network_blocks_no_user(play, attacker, at_once):
    async def scenario(world):
        world.senders = cycle(range(1, 17))
        world.attack(attacker, at_once=at_once, user="user{}")
        await settled(world, 20)
        assert await right(world, "carol", "192.0.2.200") <= 1
        await world.log_in("dave", "mistyped", "192.0.2.201")
        assert await right(world, "dave", "192.0.2.201") <= 1

    play(scenario)


def test_an_office_that_logs_in_at_once_is_not_refused(play):
    async def scenario(world):
        logins = (right(world, f"user{number}") for number in range(60))
        assert max(await asyncio.gather(*logins)) <= 60 * SECONDS / THREADS

    play(scenario)


def test_a_login_that_waited_too_long_or_gave_way_is_asked_to_retry(play, monkeypatch):
    monkeypatch.setattr(login_queue, "MAX_WAITING", 100)

    async def scenario(world):
        logins = (world.log_in(f"user{number}", client=f"10.{number}.0.1") for number in range(200))
        answers = await asyncio.gather(*logins)
        refused = [seconds for answer, seconds in answers if answer == 429]
        assert sum(answer is True for answer, _ in answers) == pytest.approx(MAX_WAIT / SECONDS * THREADS, abs=4)
        assert set(map(round, refused)) == {0, MAX_WAIT}

    play(scenario)


def test_the_queue_is_bounded_and_empty_in_the_end(play):
    async def scenario(world):
        storm = [
            asyncio.ensure_future(world.log_in(f"user{n}", "x", f"10.0.{n % 256}.{n // 256}")) for n in range(1500)
        ]
        await asyncio.sleep(1)
        assert len(world.workers[0]._queue) <= MAX_WAITING
        await asyncio.gather(*storm)
        await asyncio.sleep(MAX_WAIT + MAX_DELAY)
        worker = world.workers[0]
        assert (len(worker._queue), worker._delayed, worker._pending, worker._timer) == (0, [], {}, None)
        assert worker._idle == THREADS

    play(scenario)


attackers = st.lists(
    st.tuples(
        st.sampled_from(["same", "neighbour", "elsewhere"]),
        st.integers(1, 40),
        st.sampled_from(["carol", "ada", "user{}"]),
        st.booleans(),
    ),
    max_size=6,
)


@how(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(attackers, st.integers(1, 40))
def test_no_mix_of_attackers_refuses_a_right_password_from_elsewhere(mix, seconds):
    """Attackers at its own address are bounded elsewhere; here they are at others, its neighbours among them."""
    clock = SettableClock()
    places = {"same": "203.0.113.7", "neighbour": "198.51.100.10", "elsewhere": "203.0.113.8"}

    async def scenario(world):
        for place, at_once, user, repeated in mix:
            world.attack(places[place], at_once=at_once, user=user, repeated=repeated)
        await settled(world, seconds)
        await right(world, client=HOME)
        await settled(world, 1)
        assert set().union(*world.answers.values()) <= {False, 429}

    run(clock, lambda loop: scenario(World(loop, clock)))


def test_a_thread_that_cannot_be_started_fails_one_login_and_costs_none_of_the_others(play, monkeypatch):
    async def scenario(world):
        def fails(*_):
            raise RuntimeError("can't start new thread")

        with monkeypatch.context() as patched:
            patched.setattr(world.executor, "submit", fails)
            for _ in range(2 * THREADS):
                with pytest.raises(RuntimeError, match="can't start"):
                    await world.log_in()
                await asyncio.sleep(0.01)
        assert await world.log_in() == (True, SECONDS)

    play(scenario)
