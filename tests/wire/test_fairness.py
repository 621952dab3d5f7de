"""One client cannot use up the event loop, the memory or the time of the others."""

import asyncio
import contextlib
import gc
import socket
import time
import tracemalloc
from types import SimpleNamespace

import pytest

from simple_registry.content import LocalFile, Span
from simple_registry.wire.answers import Part
from simple_registry.wire.budget import Budget
from simple_registry.wire.connection import MAX_PIPELINED, READ_SIZE
from simple_registry.wire.framing import Chunked
from simple_registry.wire.heads import MAX_LINES, HeadParser
from simple_registry.wire.limits import WireLimits
from simple_registry.wire.sender import Sender
from support.wire import Application, chunk, get, put, put_chunked, read_answer

KIB, MIB = 1024, 1024 * 1024


@contextlib.contextmanager
def traced():
    """Yield a function that returns the bytes of Python objects allocated since and still alive."""
    tracemalloc.start()
    try:
        gc.collect()
        before, _ = tracemalloc.get_traced_memory()
        yield lambda: gc.collect() * 0 + tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()


# --- time on the event loop -----------------------------------------------------------------------------------------

LONG_VALUES = {
    "leading blanks": b" " * 60_000 + b"a",
    "trailing blanks": b"a" + b" " * 60_000,
    "words": b"a " * 30_000,
    "commas": b"," * 60_000,
    "nothing but blanks": b"\t" * 60_000,
}


@pytest.mark.parametrize("value", LONG_VALUES.values(), ids=LONG_VALUES)
@pytest.mark.parametrize("name", [b"X", b"Connection"])
def test_a_long_value_is_parsed_in_linear_time(name, value):
    head = b"GET / HTTP/1.1\r\nHost: x\r\n%s: %s\r\n\r\n" % (name, value)
    started = time.process_time()
    HeadParser().parse(head)
    assert time.process_time() - started < 0.1


@pytest.mark.parametrize("blank", [b" ", b"\t"])
def test_blanks_within_a_value_are_parsed_in_linear_time(blank):
    head = b"GET / HTTP/1.1\r\nHost: x\r\nX: a%sb\r\n\r\n" % (blank * 20_000)
    started = time.process_time()
    HeadParser().parse(head)
    assert time.process_time() - started < 0.1


def test_a_path_of_escapes_is_parsed_in_linear_time():
    started = time.process_time()
    HeadParser().parse(b"GET /%s HTTP/1.1\r\nHost: x\r\n\r\n" % (b"%41" * 10_000))
    assert time.process_time() - started < 0.1


class Eager:
    """A socket whose reader is always faster than the writer."""

    def fileno(self):
        return -1

    def send(self, data):
        return len(data)


def test_a_fast_reader_over_tls_gives_others_a_turn(tmp_path):
    path, turns = tmp_path / "file", 0
    path.write_bytes(bytes(32 * MIB))

    async def scenario():
        loop = asyncio.get_running_loop()

        def turn():
            nonlocal turns
            turns += 1
            if not sending.done():
                loop.call_soon(turn)

        shared = SimpleNamespace(
            loop=loop,
            limits=WireLimits(),
            budget=Budget(MIB, MIB),
            open_files=0,
            may_open=lambda: True,
            run=lambda call, *args: loop.run_in_executor(None, call, *args),
        )
        span = Part(LocalFile(str(path), 32 * MIB), Span(0, 32 * MIB))
        sending = loop.create_task(Sender(shared, Eager(), lambda: None, secure=True).send(b"head", span, "a"))
        loop.call_soon(turn)
        await sending

    asyncio.run(scenario())
    assert turns >= 4


def test_a_body_of_tiny_chunks_is_read_completely(wire):
    with wire.connect() as sock:
        sock.sendall(put_chunked("/echo", chunk(b"x") * 20_000 + chunk(b"")))
        status, _, said = read_answer(sock)
    assert (status, b'"body": 20000' in said) == (200, True)


# --- memory ---------------------------------------------------------------------------------------------------------


def test_an_idle_connection_does_not_keep_a_large_head(wire):
    lines = b"".join(b"X-%d: %s\r\n" % (number, b"y" * 600) for number in range(MAX_LINES - 1))
    socks = [wire.connect() for _ in range(20)]
    for sock in socks:
        sock.sendall(get("/early"))
        read_answer(sock)
    with traced() as held:
        for sock in socks:
            sock.sendall(b"GET /early HTTP/1.1\r\nHost: x\r\n%s\r\n" % lines)
            read_answer(sock)
        kept = held() / len(socks)
    for sock in socks:
        sock.close()
    assert kept < 32 * KIB


def test_pipelined_input_is_bounded(wire):
    with wire.connect() as sock:
        sock.sendall(get("/slow"))
        sock.setblocking(False)
        for _ in range(50):
            with contextlib.suppress(BlockingIOError):
                sock.send(get("/echo") * 10_000)
            time.sleep(0.002)
        (connection,) = wire.server._open
        assert len(connection._buffer) <= MAX_PIPELINED + READ_SIZE


def test_small_chunks_use_no_more_memory_than_is_counted():
    data = chunk(b"ab") * 30_000
    with traced() as held:
        content, _ = Chunked().feed(data)
        size = held()
    assert len(content) == 60_000
    assert size < 4 * 60_000


class Lagging(Application):
    """Records how much of a body arrives while the handler is busy."""

    async def __call__(self, exchange):
        await asyncio.sleep(0.5)
        self.clients.append(exchange.body.received)


def test_unread_bodies_stay_within_the_share_of_their_address(make_wire):
    wire = make_wire(WireLimits(held=64 * MIB, held_by_address=MIB))
    wire.server.application = wire.application = Lagging()
    socks = [wire.connect() for _ in range(60)]
    for sock in socks:
        sock.setblocking(False)
        sock.send(put("/", b"", length=MIB))
    for _ in range(20):
        for sock in socks:
            with contextlib.suppress(BlockingIOError):
                sock.send(bytes(64 * KIB))
        time.sleep(0.005)
    wire.until(lambda: len(wire.application.clients) == len(socks))
    for sock in socks:
        sock.close()
    assert sum(wire.application.clients) <= MIB + 2 * len(socks) * READ_SIZE  # the head, and one read beyond the limit


# --- time-outs ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/file", "/bytes"])
def test_a_client_above_the_minimum_rate_is_served(make_wire, tmp_path, path):
    wire = make_wire(WireLimits(progress_period=1.0, min_rate=5_000))
    wire.application.path, wire.application.size = tmp_path / "file", 12 * MIB
    wire.application.path.write_bytes(bytes(12 * MIB))
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 * KIB)
        sock.connect(wire.address)
        sock.sendall(get(path))
        deadline = time.monotonic() + 2.0
        while time.monotonic() < deadline and not wire.application.unsent:
            sock.recv(10_000)  # 200 kB a second
            time.sleep(0.05)
        lost = list(wire.application.unsent)
    assert lost == []


def test_a_connection_that_fails_to_close_does_not_keep_the_others_open(make_wire):
    wire = make_wire(WireLimits(header_timeout=0.2))

    class Failing:
        deadline = 0.0

        def expire(self):
            raise RuntimeError("the test says no")

        def stop(self):
            wire.server._open.pop(self)

    failing = [Failing() for _ in range(20)]  # several, because a set has no order
    for each in failing:
        wire.call(wire.server._open.setdefault, each)
    with wire.connect() as sock:
        sock.settimeout(5)
        assert sock.recv(1) == b""  # not a time-out
