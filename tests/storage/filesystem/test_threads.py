"""A caller waits for the end of its call in a thread."""

import asyncio
import threading

import pytest

from simple_registry.storage.filesystem.threads import Threads
from storage.support import run


@pytest.fixture
def threads():
    threads = Threads(2)
    yield threads
    threads.close()


def test_a_call_returns_its_result_from_another_thread(threads):
    assert run(threads.run(threading.get_ident)) != threading.get_ident()


def test_an_exception_of_a_call_passes_through(threads):
    with pytest.raises(ZeroDivisionError):
        run(threads.run(lambda: 1 // 0))


@pytest.mark.parametrize("broken", [False, True])
def test_a_cancelled_caller_waits_for_its_thread(threads, broken):
    started, go_on, done = threading.Event(), threading.Event(), []

    def work():
        started.set()
        go_on.wait()
        done.append(True)
        if broken:
            raise OSError("broken")

    async def scenario():
        task = asyncio.create_task(threads.run(work))
        await asyncio.to_thread(started.wait)
        for _ in range(3):
            task.cancel()
            await asyncio.sleep(0.01)
        assert not task.done()
        go_on.set()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert done

    run(scenario())


def test_calls_share_as_many_threads_as_there_are_and_none_is_lost(threads):
    async def scenario():
        names = await asyncio.gather(*(threads.run(lambda: threading.current_thread().name) for _ in range(200)))
        assert set(names) <= {"files_0", "files_1"}

    run(scenario())
    run(scenario())


def test_an_idle_thread_is_used_before_another_is_started(threads):
    async def scenario():
        return {await threads.run(threading.get_ident) for _ in range(20)}

    assert len(run(scenario())) <= 2


def test_calls_run_concurrently(threads):
    barrier = threading.Barrier(2, timeout=10)

    async def scenario():
        await asyncio.gather(threads.run(barrier.wait), threads.run(barrier.wait))

    run(scenario())


def test_a_loop_closed_before_its_call_ends_has_no_effect(threads):
    go_on = threading.Event()

    async def leave():
        threads.start(go_on.wait)

    asyncio.run(leave())
    go_on.set()
    assert run(threads.run(lambda: "served")) == "served"


def test_calls_share_the_existing_threads_when_no_more_can_start(monkeypatch):
    pool = Threads(4)
    start, started = threading.Thread.start, []

    def refuse(thread):
        if thread.name.startswith("files_") and started:
            raise RuntimeError("can't start new thread")
        started.append(thread)
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", refuse)

    async def calls():
        return await asyncio.gather(*(pool.run(lambda number=number: number) for number in range(20)))

    assert asyncio.run(calls()) == list(range(20))
    pool.close()
