"""The writing thread: group commit, order, cancellation, closing, and other processes."""

import asyncio
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from simple_registry.faults import StorageFault
from simple_registry.storage.sqlite.engine.commits import Commits
from simple_registry.storage.sqlite.engine.writer import MAX_BATCH, Writer
from storage.support import run

PROGRAM = Path(__file__).parent / "writing.py"


def insert(name):
    def apply(connection):
        connection.execute("INSERT INTO repositories (name) VALUES (?)", (name,))
        return name

    return apply


@pytest.fixture
def batches(monkeypatch):
    """The number of changes in each commit."""
    sizes = []
    commit = Commits.commit

    def recording(self, changes):
        sizes.append(len(changes))
        return commit(self, changes)

    monkeypatch.setattr(Commits, "commit", recording)
    return sizes


async def while_busy(writer, *writes):
    """Start `writes` (coroutines) while another write blocks the thread, and return their results."""
    started, go_on = threading.Event(), threading.Event()

    def block(_connection):
        started.set()
        go_on.wait()

    first = asyncio.create_task(writer.write(block))
    await asyncio.to_thread(started.wait)
    tasks = [asyncio.create_task(write) for write in writes]
    await asyncio.sleep(0.01)
    go_on.set()
    await first
    return await asyncio.gather(*tasks, return_exceptions=True)


def scenario(path, *make_writes):
    """Run writes of one writer that arrive while it is busy."""

    async def body():
        writer = Writer(path)
        try:
            return await while_busy(writer, *(make(writer) for make in make_writes))
        finally:
            await writer.close()

    return run(body())


def test_changes_that_arrive_during_a_commit_share_the_next_one(path, look, batches):
    results = scenario(path, *(lambda writer, n=n: writer.write(insert(str(n))) for n in range(50)))
    assert results == [str(number) for number in range(50)]
    assert batches == [1, 50]
    assert look("SELECT count(*) FROM repositories") == [(50,)]


def test_a_commit_is_bounded(path, batches):
    scenario(path, *(lambda writer, n=n: writer.write(insert(str(n))) for n in range(MAX_BATCH + 5)))
    assert batches == [1, MAX_BATCH, 5]


def test_a_failure_reaches_only_the_caller_of_its_change(path):
    def broken(_connection):
        raise ValueError("no")

    results = scenario(
        path,
        lambda writer: writer.write(insert("a")),
        lambda writer: writer.write(broken),
        lambda writer: writer.write(insert("a")),
        lambda writer: writer.write(insert("b")),
    )
    assert [type(result) for result in results] == [str, ValueError, StorageFault, str]


def test_a_cancelled_caller_does_not_disturb_the_others(path, look):
    async def impatient(writer):
        task = asyncio.create_task(writer.write(insert("cancelled")))
        await asyncio.sleep(0)
        task.cancel()
        await task

    results = scenario(path, impatient, lambda writer: writer.write(insert("a")))
    assert isinstance(results[0], asyncio.CancelledError)
    assert results[1] == "a"
    assert look("SELECT count(*) FROM repositories") == [(2,)]


def test_a_cancelled_caller_waits_for_the_end_of_its_change(path, look):
    """It may hold a session; the change must not overtake the next holder."""
    found = []

    async def impatient(writer):
        task = asyncio.create_task(writer.write(insert("cancelled")))
        await asyncio.sleep(0)
        for _ in range(3):
            task.cancel()
            await asyncio.sleep(0)
        assert not task.done()
        await asyncio.wait([task])
        found.append(look("SELECT name FROM repositories"))

    scenario(path, impatient)
    assert found == [[("cancelled",)]]


def test_closing_finishes_queued_changes_and_refuses_more(path, look):
    async def body():
        writer = Writer(path)
        tasks = [asyncio.create_task(writer.write(insert(str(number)))) for number in range(20)]
        await asyncio.sleep(0)
        await writer.close()
        await writer.close()
        assert await asyncio.gather(*tasks) == [str(number) for number in range(20)]
        with pytest.raises(StorageFault, match="the store is closed"):
            await writer.write(insert("late"))

    run(body())
    assert look("SELECT count(*) FROM repositories") == [(20,)]


def test_closing_an_unused_writer_succeeds(path):
    run(Writer(path).close())


def test_a_closed_event_loop_does_not_disturb_the_thread(path, look):
    writer = Writer(path)
    started, go_on = threading.Event(), threading.Event()

    def block(_connection):
        started.set()
        go_on.wait()

    loop = asyncio.new_event_loop()
    task = loop.create_task(writer.write(block))
    loop.run_until_complete(asyncio.sleep(0))
    started.wait()
    loop.close()
    go_on.set()
    assert run(writer.write(insert("a"))) == "a"
    run(writer.close())
    task._log_destroy_pending = False
    task.get_coro().close()


def test_a_database_that_cannot_be_opened_is_a_fault_each_time(tmp_path):
    async def body():
        writer = Writer(str(tmp_path / "none.db"))
        for _ in range(2):
            with pytest.raises(StorageFault):
                await writer.write(insert("a"))
        await writer.close()

    run(body())


def test_a_thread_that_cannot_be_started_fails_one_change_and_is_tried_again(path, monkeypatch):
    def fails(_):
        raise RuntimeError("can't start new thread")

    async def scenario():
        writer = Writer(path)
        with monkeypatch.context() as patched:
            patched.setattr(threading.Thread, "start", fails)
            with pytest.raises(RuntimeError, match="can't start"):
                await writer.write(insert("a"))
        assert await asyncio.wait_for(writer.write(insert("b")), 10) == "b"
        await writer.close()

    run(scenario())


def test_an_unexpected_exception_fails_its_changes_and_the_thread_continues(path, monkeypatch):
    def fails(*_):
        raise MemoryError

    async def scenario():
        writer = Writer(path)
        with monkeypatch.context() as patched:
            patched.setattr(Commits, "__init__", fails)
            with pytest.raises(MemoryError):
                await asyncio.wait_for(writer.write(insert("a")), 10)
        assert await asyncio.wait_for(writer.write(insert("b")), 10) == "b"
        await writer.close()

    run(scenario())


def test_two_processes_share_the_database_fairly(path, look):
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[3])}
    processes = [
        subprocess.Popen(
            [sys.executable, str(PROGRAM), path, name],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for name in ("one", "two")
    ]
    for process in processes:
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        process.stdin.write("go\n")
        process.stdin.flush()
    answers = [process.communicate()[0].split() for process in processes]
    written = [int(answer[0]) for answer in answers]
    assert max(float(answer[1]) for answer in answers) < 2.0  # neither waits for the end of the other
    assert min(written) > max(written) / 5
    assert look("SELECT count(*) FROM repository_blobs") == [(sum(written),)]
