"""Nobody goes on while a thread still works for him."""

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


def test_what_a_call_raises_passes_through(threads):
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
