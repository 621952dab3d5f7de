"""Accepting: limits of connections and descriptors, and the end."""

import json
import socket
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from simple_registry.wire.limits import WireLimits
from simple_registry.wire.queue import SharedQueue, shared_counts
from simple_registry.wire.server import WireServer
from support.wire import Wire, get, put, read_all, read_answer, split


def test_the_peer_is_an_address_without_a_port(wire):
    assert wire.works()
    assert wire.application.clients == ["127.0.0.1"]


def test_an_ipv4_mapped_address_becomes_ipv4():
    listener = socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True)
    listener.setblocking(False)
    wire = Wire(WireLimits(), listener)
    with socket.create_connection(("127.0.0.1", wire.address[1])) as sock:
        sock.sendall(get("/echo", close=True))
        read_all(sock)
    with socket.create_connection(("::1", wire.address[1])) as sock:
        sock.sendall(get("/echo", close=True))
        read_all(sock)
    wire.stop()
    listener.close()
    assert wire.application.clients == ["127.0.0.1", "::1"]


def test_the_peer_of_a_unix_socket_is_unix(tmp_path):
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "s"))
        listener.listen()
        listener.setblocking(False)
        wire = Wire(WireLimits(), listener)
        assert wire.works()
        wire.stop()
    assert wire.application.clients == ["unix"]


def test_a_connection_above_the_limit_is_answered_503(make_wire):
    wire = make_wire(WireLimits(connections=3))
    kept = [wire.connect() for _ in range(3)]
    wire.until(lambda: wire.server.connections == 3)
    status, headers, body = split(wire.send(get("/echo")))
    assert (status, headers["connection"]) == (503, "close")
    assert "too many open connections" in json.loads(body)["refused"]
    kept[0].sendall(get("/echo"))
    assert read_answer(kept[0])[0] == 200
    for sock in kept:
        sock.close()
    wire.until(lambda: wire.server.connections == 0)
    assert wire.works()


def test_one_address_cannot_use_all_connections(make_wire):
    wire = make_wire(WireLimits(connections=10, connections_by_address=2))
    kept = [wire.connect() for _ in range(2)]
    wire.until(lambda: wire.server.connections == 2)
    assert split(wire.send(get("/echo")))[0] == 503
    with socket.socket() as other:
        other.bind(("127.0.0.2", 0))
        other.connect(wire.address)
        other.sendall(get("/echo"))
        assert read_answer(other)[0] == 200
    kept.pop().close()
    wire.until(lambda: wire.server.connections == 1)
    assert wire.works()
    kept.pop().close()
    wire.until(lambda: not wire.server._by_account)


def test_open_files_count_as_descriptors(make_wire, tmp_path):
    wire = make_wire(WireLimits(connections=10, descriptors=2))
    wire.application.path, wire.application.size = tmp_path / "file", 100_000
    wire.application.path.write_bytes(bytes(100_000))
    with wire.connect() as idle, wire.connect() as sock:
        idle.sendall(get("/echo"))
        read_answer(idle)
        sock.sendall(get("/file"))
        assert read_answer(sock)[0] == 503
        idle.close()
        wire.until(lambda: wire.server.connections == 1)
        sock.sendall(get("/file"))
        assert read_answer(sock)[0] == 200


TESTS = Path(__file__).parents[1]

EXHAUSTED = """
    import os, resource, socket, sys
    sys.path.insert(0, sys.argv[1])
    from simple_registry.wire.limits import WireLimits
    from support.wire import Wire, get, split

    listener = socket.create_server(("127.0.0.1", 0))
    listener.setblocking(False)
    wire = Wire(WireLimits(), listener)
    client = wire.connect()  # before the descriptors are used up
    waiting = [socket.socket() for _ in range(3)]
    resource.setrlimit(resource.RLIMIT_NOFILE, (len(os.listdir("/proc/self/fd")) + 5, 4096))
    held = []
    try:
        while True:
            held.append(os.open("/dev/null", os.O_RDONLY))
    except OSError:
        pass
    for sock in waiting:
        sock.settimeout(5)
        sock.connect(wire.address)
        sock.sendall(get("/echo"))
        print(sock.recv(65536).split(b" ")[1].decode())
    for fd in held:
        os.close(fd)
    print(wire.works())
    for sock in (client, *waiting):
        sock.close()
    wire.stop()
"""


def test_clients_are_answered_503_while_descriptors_are_used_up():
    finished = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(EXHAUSTED), str(TESTS)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert finished.stdout.split() == ["503", "503", "503", "True"], finished.stderr


def test_hundreds_of_silent_connections_time_out(make_wire):
    wire = make_wire(WireLimits(header_timeout=1.0))
    silent = [wire.connect() for _ in range(300)]
    assert [read_all(sock) for sock in silent] == [b""] * 300
    for sock in silent:
        sock.close()
    assert wire.works()


def test_deadlines_are_checked_after_a_failure(make_wire, caplog):
    wire = make_wire(WireLimits(header_timeout=0.2))

    class Failing:
        deadline = 0.0

        def expire(self):
            wire.server._open.pop(self)
            raise RuntimeError("the test says no")

        def stop(self):
            pass

    wire.call(wire.server._open.setdefault, Failing())
    wire.until(lambda: "closing a connection failed" in caplog.text)
    with wire.connect() as sock:
        assert read_all(sock) == b""


def test_stopping_closes_idle_connections_and_finishes_the_rest(make_wire):
    wire = make_wire()
    idle, kept, busy = wire.connect(), wire.connect(), wire.connect()
    kept.sendall(get("/echo"))
    read_answer(kept)
    busy.sendall(put("/slow", b"body"))
    wire.until(lambda: wire.application.clients == ["127.0.0.1"] * 2)
    wire.call(wire.server.stop)
    assert read_all(idle) == read_all(kept) == b""
    status, headers, body = read_answer(busy)
    assert (status, headers["connection"], json.loads(body)["body"]) == (200, "close", "body")
    for sock in (idle, kept, busy):
        sock.close()
    wire.stop()
    assert wire.server.connections == 0


def test_a_client_that_does_not_close_delays_the_end_only_briefly(make_wire):
    wire = make_wire()
    with wire.connect() as sock:
        sock.sendall(get("/slow"))
        wire.until(lambda: wire.application.clients)
        started = time.monotonic()
        wire.call(wire.server.stop)
        assert read_answer(sock)[0] == 200
        wire.wait()
        assert time.monotonic() - started < 5


def test_a_server_without_connections_stops_at_once(make_wire):
    started = time.monotonic()
    make_wire().stop()
    assert time.monotonic() - started < 1


def test_connections_leave_nothing_open(make_wire, tmp_path):
    wire = make_wire()
    wire.application.path, wire.application.size = tmp_path / "file", 300_000
    wire.application.path.write_bytes(bytes(300_000))
    assert wire.works()
    wire.until(lambda: wire.server.connections == 0)
    before = len(list(Path("/proc/self/fd").iterdir()))
    for path in ("/echo", "/file", "/parts", "/crash", "/early"):
        for _ in range(5):
            wire.send(get(path, close=True))
            with wire.connect() as sock:
                sock.sendall(get(path)[:-4])
    wire.until(lambda: wire.server.connections == 0)
    assert len(list(Path("/proc/self/fd").iterdir())) <= before + 4  # its threads


def test_connections_of_a_shared_queue_spread(tmp_path):
    counts = shared_counts(2)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        wires = [Wire(WireLimits(), listener, queue=SharedQueue(counts, number)) for number in range(2)]
        opened = []
        for _ in range(60):
            opened.append(wires[0].connect())
            opened[-1].sendall(get("/echo"))
            read_answer(opened[-1])
        assert sorted(counts) == [wire.server.connections for wire in sorted(wires, key=lambda w: w.server.connections)]
        assert min(counts) >= 20
        for sock in opened:
            sock.close()
        for wire in wires:
            wire.stop()


def test_a_shared_queue_is_served_by_one_process_if_the_others_do_not(make_wire):
    counts = shared_counts(2)
    wire = make_wire(queue=SharedQueue(counts, 1))
    opened = [wire.connect() for _ in range(5)]
    for sock in opened:
        sock.sendall(get("/echo"))
        assert read_answer(sock)[0] == 200
        sock.close()


def test_a_server_needs_a_running_loop():
    with pytest.raises(RuntimeError):
        WireServer(None, limits=WireLimits(), find_client=None)
