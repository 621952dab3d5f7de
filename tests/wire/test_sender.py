"""Writing to a socket of which the test reads the other end; `test_connection` does so through a server."""

import asyncio
import os
import socket
from types import SimpleNamespace

import pytest

from simple_registry.content import FileContent, Span
from simple_registry.wire.answers import FileSpan, Parts
from simple_registry.wire.budget import Budget
from simple_registry.wire.exchange import CannotSend, ClientGone
from simple_registry.wire.limits import WireLimits
from simple_registry.wire.sender import Sender

MIB = 1024 * 1024


@pytest.fixture
def pair():
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    theirs.setblocking(False)
    with ours, theirs:
        yield ours, theirs


def sender(pair, total=10 * MIB, may_open=True):
    loop = asyncio.get_running_loop()
    shared = SimpleNamespace(
        loop=loop,
        limits=WireLimits(),
        budget=Budget(total, total),
        open_files=0,
        may_open=lambda: may_open,
        run=lambda call, *args: loop.run_in_executor(None, call, *args),
    )
    lost = []
    made = Sender(shared, pair[0], lambda: lost.append(True), secure=False)
    return made, shared, lost


async def receive(sock, size):
    data = b""
    while len(data) < size:
        data += await asyncio.get_running_loop().sock_recv(sock, MIB)
    return data


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(os.urandom(3 * MIB))
    return path


def part(path, start, stop):
    return FileSpan(FileContent(str(path), path.stat().st_size if path.exists() else stop), Span(start, stop))


@pytest.mark.parametrize("size", [0, 10, 100_000, 3 * MIB])
def test_content_from_memory_follows_its_head(pair, size):
    async def scenario():
        made, shared, _ = sender(pair)
        content = os.urandom(size)
        sending = asyncio.ensure_future(made.send(b"head", content, "a"))
        assert await receive(pair[1], 4 + size) == b"head" + content
        await sending
        assert shared.budget.held == 0

    asyncio.run(scenario())


@pytest.mark.parametrize(("start", "stop"), [(0, 3 * MIB), (5, 6), (100, 200_100)])
def test_a_part_of_a_file_follows_its_head(pair, file, start, stop):
    async def scenario():
        made, shared, _ = sender(pair)
        sending = asyncio.ensure_future(made.send(b"head", part(file, start, stop), "a"))
        assert await receive(pair[1], 4 + stop - start) == b"head" + file.read_bytes()[start:stop]
        await sending
        assert (shared.open_files, shared.budget.held) == (0, 0)

    asyncio.run(scenario())


def test_a_file_that_cannot_be_sent_by_the_kernel_is_copied(pair, file, monkeypatch):
    def refuse(*_):
        raise OSError(22, "Invalid argument")

    monkeypatch.setattr(os, "sendfile", refuse)

    async def scenario():
        made, _, _ = sender(pair)
        sending = asyncio.ensure_future(made.send(b"head", part(file, 0, 3 * MIB), "a"))
        assert await receive(pair[1], 4 + 3 * MIB) == b"head" + file.read_bytes()
        await sending

    asyncio.run(scenario())


def test_nothing_is_sent_of_an_answer_whose_file_cannot_be_opened(pair, tmp_path, file):
    async def scenario():
        made, shared, lost = sender(pair)
        with pytest.raises(CannotSend):
            await made.send(b"head", Parts([b"a", part(file, 0, 5), part(tmp_path / "absent", 0, 5)], 11), "a")
        made, shared, lost = sender(pair, may_open=False)
        with pytest.raises(CannotSend, match="too many files"):
            await made.send(b"head", part(file, 0, 5), "a")
        with pytest.raises(BlockingIOError):
            pair[1].recv(1)
        assert (shared.open_files, lost) == (0, [])

    asyncio.run(scenario())


def test_nothing_is_sent_of_content_for_which_there_is_no_room(pair):
    async def scenario():
        made, shared, lost = sender(pair, total=100_000)
        with pytest.raises(CannotSend):
            await made.send(b"head", bytes(200_000), "a")
        with pytest.raises(BlockingIOError):
            pair[1].recv(1)
        assert (shared.budget.held, lost) == (0, [])

    asyncio.run(scenario())


async def send_often(made):
    for _ in range(1000):
        await made.send(b"head", bytes(60_000), "a")


def test_a_client_that_reads_nothing_is_given_up_when_small_answers_find_no_room(pair):
    async def scenario():
        made, _, lost = sender(pair, total=1000)
        with pytest.raises(ClientGone, match="no room") as gone:
            await send_often(made)
        assert lost == [True]
        assert gone.value.begun

    asyncio.run(scenario())


def test_whoever_waits_for_a_client_learns_that_the_connection_closed(pair):
    async def scenario():
        made, shared, _ = sender(pair)
        sending = asyncio.ensure_future(made.send(b"head", bytes(5 * MIB), "a"))
        await asyncio.sleep(0.05)
        assert made.deadline < float("inf")
        made.close()
        with pytest.raises(ClientGone):
            await sending
        assert shared.budget.held == 0
        with pytest.raises(ClientGone):
            await made.send(b"head", b"", "a")

    asyncio.run(scenario())


def test_a_client_that_is_gone_is_noticed(pair):
    async def scenario():
        made, _, lost = sender(pair)
        pair[1].close()
        with pytest.raises(ClientGone):
            await made.send(b"head", b"content", "a")
        assert lost == [True]

    asyncio.run(scenario())
