"""Stopping a server: requests in flight are finished, idle connections are closed, and nothing is left."""

import asyncio
import contextlib
import socket
import struct
import time

import pytest

from simple_registry.wire.limits import WireLimits
from simple_registry.wire.shared import FIRST_REQUEST_TIME
from support.wire import Application, get, put, put_chunked, read_all, read_answer, split

MIB = 1024 * 1024


@pytest.fixture
def begin_stop(wire):
    """Return a function that stops the server without waiting for its end."""
    return lambda: wire.call(wire.server.stop)


@pytest.fixture
def sock(wire):
    with wire.connect() as sock:
        yield sock


def until_handled(wire, count=1):
    wire.until(lambda: len(wire.application.clients) >= count)


UNDER_WAY = {
    "a handler": (get("/slow"), b""),
    "the rest of a head": (get("/echo")[:-4], get("/echo")[-4:]),
    "the rest of a body": (put("/echo", b"ha", length=4), b"lf"),
    "the last chunk": (put_chunked("/echo", b"4\r\nbody\r\n"), b"0\r\n\r\n"),
}


@pytest.mark.parametrize(("before", "after"), UNDER_WAY.values(), ids=UNDER_WAY)
def test_a_request_in_flight_is_finished_and_its_answer_is_the_last_one(wire, sock, begin_stop, before, after):
    sock.sendall(before)
    time.sleep(0.05)
    begin_stop()
    sock.sendall(after)
    status, headers, _ = split(read_all(sock))
    assert (status, headers["connection"]) == (200, "close")
    sock.close()
    wire.stop()


def test_a_pipelined_request_is_not_started(wire, sock, begin_stop):
    sock.sendall(get("/slow") + get("/slow"))
    until_handled(wire)
    begin_stop()
    assert read_all(sock).count(b"HTTP/1.1 200 ") == 1
    assert len(wire.application.clients) == 1


def test_a_download_is_finished(wire, sock, begin_stop):
    wire.application.size = 10 * MIB
    sock.sendall(get("/bytes"))
    assert sock.recv(1000).startswith(b"HTTP/1.1 200 ")
    begin_stop()
    assert len(read_all(sock)) > 10 * MIB - 1000


def test_a_drain_is_finished(wire, sock, begin_stop):
    sock.sendall(put("/early", b"", length=10 * MIB))
    assert read_answer(sock)[0] == 200
    begin_stop()
    sock.sendall(bytes(10 * MIB))
    assert read_all(sock) == b""


def test_no_new_connection_is_accepted(wire, sock, begin_stop):
    sock.sendall(get("/slow"))
    until_handled(wire)
    begin_stop()
    with wire.connect() as late:
        late.settimeout(0.1)
        with pytest.raises(TimeoutError):
            late.recv(1)
    assert read_answer(sock)[0] == 200


def test_new_and_used_idle_connections_are_closed_at_once(wire, begin_stop):
    fresh = [wire.connect() for _ in range(20)]
    used = [wire.connect() for _ in range(20)]
    for each in used:
        each.sendall(get("/echo"))
        read_answer(each)
    wire.until(lambda: wire.server.connections == 40)
    time.sleep(FIRST_REQUEST_TIME)
    started = time.monotonic()
    begin_stop()
    assert [read_all(each) for each in fresh + used] == [b""] * 40
    assert time.monotonic() - started < 1
    for each in fresh + used:
        each.close()
    assert wire.server.connections == 0


def test_a_connection_that_was_just_accepted_gets_its_first_answer(wire, sock, begin_stop):
    wire.until(lambda: wire.server.connections == 1)
    begin_stop()
    sock.sendall(get("/echo"))
    status, headers, _ = split(read_all(sock))
    assert (status, headers["connection"]) == (200, "close")


def test_stop_is_idempotent(wire, sock, begin_stop):
    sock.sendall(get("/slow"))
    until_handled(wire)
    begin_stop()
    begin_stop()
    assert read_answer(sock)[0] == 200


class Persistent(Application):
    """A handler that runs without its client."""

    async def __call__(self, exchange):
        self.clients.append("started")
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.sleep(0.5)
            self.clients.append("finished")


def test_stopping_waits_for_a_handler_whose_client_left(wire):
    wire.server.application = wire.application = Persistent()
    sock = wire.connect()
    sock.sendall(put("/", b"body"))
    until_handled(wire)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()
    wire.until(lambda: wire.server.connections == 0)
    wire.stop()
    assert wire.application.clients == ["started", "finished"]


def test_a_failed_handler_does_not_delay_the_end(wire, sock, begin_stop):
    sock.sendall(get("/crash"))
    assert read_all(sock) == b""
    started = time.monotonic()
    wire.stop()
    assert time.monotonic() - started < 1


def test_a_cancelled_handler_ends_only_its_connection(make_wire):
    wire = make_wire(WireLimits())

    class Cancelling(Application):
        async def __call__(self, exchange):
            if exchange.head.path == "/cancel":
                asyncio.get_running_loop().call_later(0.05, asyncio.current_task().cancel)
                await asyncio.sleep(10)
            await super().__call__(exchange)

    class Waiting(Cancelling):
        async def __call__(self, exchange):
            await asyncio.sleep(0)  # it is a task from here on
            await super().__call__(exchange)

    wire.server.application = wire.application = Waiting()
    with wire.connect() as other:
        other.sendall(put("/echo", b"ha", length=4))
        assert wire.send(get("/cancel")) == b""
        other.sendall(b"lf")
        assert read_answer(other)[0] == 200
    assert wire.works()
    wire.until(lambda: wire.server.connections == 0)


def test_a_cancelled_download_closes_its_file_and_releases_memory(make_wire, tmp_path):
    wire = make_wire(WireLimits())
    tasks = []

    class Noting(Application):
        async def __call__(self, exchange):
            await asyncio.sleep(0)
            tasks.append(asyncio.current_task())
            await super().__call__(exchange)

    wire.server.application = wire.application = Noting()
    wire.application.path, wire.application.size = tmp_path / "file", 12 * MIB
    wire.application.path.write_bytes(bytes(12 * MIB))
    for path in ("/file", "/bytes"):
        with wire.connect() as sock:
            sock.sendall(get(path))
            assert sock.recv(1000)
            wire.call(tasks[-1].cancel)
            assert len(read_all(sock)) < 12 * MIB
        wire.until(lambda: wire.server.connections == 0)
        assert (wire.server.open_files, wire.server.budget.held) == (0, 0)
