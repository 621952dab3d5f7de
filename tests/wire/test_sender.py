"""A sender on a socket pair; `test_connection` tests it through a server."""

import asyncio
import os
import socket
from types import SimpleNamespace

import pytest

from simple_registry.content import InMemory, LocalFile, Span
from simple_registry.faults import ContentGone, StorageFault
from simple_registry.wire.answers import Part, Parts
from simple_registry.wire.budget import Budget
from simple_registry.wire.exchange import CannotSend, ClientGone
from simple_registry.wire.limits import WireLimits
from simple_registry.wire.sender import Sender
from support.content import Streamed

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
    return Part(LocalFile(str(path), path.stat().st_size if path.exists() else stop), Span(start, stop))


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


def test_an_answer_whose_file_cannot_be_opened_is_not_sent(pair, tmp_path, file):
    async def scenario():
        made, shared, lost = sender(pair)
        with pytest.raises(ContentGone):
            await made.send(b"head", Parts([b"a", part(file, 0, 5), part(tmp_path / "absent", 0, 5)], 11), "a")
        made, shared, lost = sender(pair, may_open=False)
        with pytest.raises(CannotSend, match="too many open files"):
            await made.send(b"head", part(file, 0, 5), "a")
        with pytest.raises(BlockingIOError):
            pair[1].recv(1)
        assert (shared.open_files, lost) == (0, [])

    asyncio.run(scenario())


def whole(content):
    return Part(content, Span(0, content.size))


@pytest.mark.parametrize("content", [InMemory, Streamed])
@pytest.mark.parametrize("span", [(0, 3 * MIB), (5, 6), (100, 200_100), (7, 7)])
def test_a_part_of_any_content_follows_its_head(pair, content, span):
    async def scenario():
        made, shared, _ = sender(pair)
        data = os.urandom(3 * MIB)
        sending = asyncio.ensure_future(made.send(b"head", Part(content(data), Span(*span)), "a"))
        assert await receive(pair[1], 4 + span[1] - span[0]) == b"head" + data[slice(*span)]
        await sending
        assert shared.budget.held == 0

    asyncio.run(scenario())


def test_pieces_of_every_kind_follow_each_other(pair, file):
    async def scenario():
        made, _, _ = sender(pair)
        stream = Streamed(bytes(range(256)))
        pieces = [b"-", part(file, 3, 9), Part(stream, Span(1, 4)), Part(InMemory(b"memory"), Span(0, 3)), b"+"]
        await made.send(b"head", Parts(pieces, 14), "a")
        assert await receive(pair[1], 18) == b"head-" + file.read_bytes()[3:9] + b"\1\2\3mem+"
        assert stream.closed == 1

    asyncio.run(scenario())


FAULT = StorageFault("stream content", "the test says no")


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (Streamed(b"four", stop=0, fault=FAULT), StorageFault),
        (Streamed(b"four", stop=0), ContentGone),
        (Streamed(b"four", piece=100, stop=0, extra=b"fifth"), StorageFault),
    ],
)
def test_a_stream_that_fails_at_once_is_not_sent(pair, content, fault):
    async def scenario():
        made, shared, lost = sender(pair)
        with pytest.raises(fault):
            await made.send(b"head", Parts([b"a", whole(content)], 5), "a")
        with pytest.raises(BlockingIOError):
            pair[1].recv(1)
        assert (shared.budget.held, lost, content.closed) == (0, [], len(content.started))

    asyncio.run(scenario())


@pytest.mark.parametrize(
    "how", [{"stop": MIB, "fault": FAULT}, {"stop": MIB}, {"extra": b"more"}], ids=["fails", "short", "long"]
)
def test_a_stream_that_fails_after_its_first_bytes_ends_the_connection(pair, how):
    async def scenario():
        made, shared, lost = sender(pair)
        content = Streamed(bytes(2 * MIB), **how)
        sending = asyncio.ensure_future(made.send(b"head", whole(content), "a"))
        await receive(pair[1], 4 + MIB - 64 * 1024 if "stop" in how else 4 + 2 * MIB)
        with pytest.raises(ClientGone) as gone:
            await sending
        assert gone.value.started
        assert (shared.budget.held, lost, content.closed) == (0, [True], 1)

    asyncio.run(scenario())


def test_a_stream_is_not_read_ahead_of_a_slow_client_and_is_closed_when_it_leaves(pair):
    async def scenario():
        made, shared, _ = sender(pair)
        content = Streamed(bytes(20 * MIB), piece=MIB)
        sending = asyncio.ensure_future(made.send(b"head", whole(content), "a"))
        await asyncio.sleep(0)  # the sender writes until the socket is full
        assert made.deadline < float("inf")
        assert 0 < shared.budget.held <= MIB
        made.close()
        with pytest.raises(ClientGone):
            await sending
        assert (shared.budget.held, content.closed) == (0, 1)

    asyncio.run(scenario())


def test_a_stream_whose_unread_piece_exceeds_the_budget_is_aborted(pair):
    async def scenario():
        made, shared, lost = sender(pair, total=1000)
        content = Streamed(bytes(20 * MIB), piece=MIB)
        with pytest.raises(ClientGone, match="is used up"):
            await made.send(b"head", whole(content), "a")
        assert (shared.budget.held, lost, content.closed) == (0, [True], 1)

    asyncio.run(scenario())


def test_content_that_exceeds_the_budget_is_not_sent(pair):
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


def test_unread_small_answers_that_exceed_the_budget_end_the_connection(pair):
    async def scenario():
        made, _, lost = sender(pair, total=1000)
        with pytest.raises(ClientGone, match="is used up") as gone:
            await send_often(made)
        assert lost == [True]
        assert gone.value.started

    asyncio.run(scenario())


def test_a_wait_for_a_client_ends_when_the_connection_closes(pair):
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


def test_a_closed_connection_is_noticed(pair):
    async def scenario():
        made, _, lost = sender(pair)
        pair[1].close()
        with pytest.raises(ClientGone):
            await made.send(b"head", b"content", "a")
        assert lost == [True]

    asyncio.run(scenario())
