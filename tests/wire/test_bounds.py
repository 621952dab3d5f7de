"""Limits for all clients together: unread answers, connections, descriptors."""

import json
import time

import pytest

from simple_registry.wire.limits import WireLimits
from support.wire import LIMIT, get, read_all, read_answer, split

MIB = 1024 * 1024


@pytest.fixture
def unread(make_wire):
    """200 clients that request 4 MiB each and read nothing."""
    wire = make_wire(WireLimits(held=64 * MIB, held_by_address=16 * MIB))
    wire.application.size = 4 * MIB
    socks = [wire.connect() for _ in range(200)]
    for sock in socks:
        sock.sendall(get("/bytes"))
    wire.until(lambda: len(wire.application.unsent) >= 196)
    yield wire, socks
    for sock in socks:
        sock.close()


def test_unread_answers_stay_within_the_share_of_their_address(unread):
    wire, _ = unread
    assert wire.server.budget.held == 16 * MIB
    assert wire.works()


def test_requests_beyond_the_share_are_answered_503_on_a_connection_that_stays_open(unread):
    wire, socks = unread
    statuses = []
    for sock in socks:
        status, _, body = read_answer(sock)
        statuses.append(status)
        assert body == (b"x" * 4 * MIB if status == 200 else b'{"cannot":"send"}')
    assert (statuses.count(200), statuses.count(503)) == (4, 196)
    wire.until(lambda: wire.server.budget.held == 0)
    for sock in (socks[0], socks[-1]):
        sock.sendall(get("/bytes"))
        assert read_answer(sock)[0] == 200


def test_memory_of_unread_answers_is_released_when_clients_leave(unread):
    wire, socks = unread
    for sock in socks:
        sock.close()
    wire.until(lambda: wire.server.budget.held == 0)
    wire.until(lambda: wire.server.connections == 0)


def test_many_connections_at_once_above_the_limit_are_all_answered(make_wire):
    wire = make_wire(WireLimits(connections=5))
    kept = [wire.connect() for _ in range(5)]
    wire.until(lambda: wire.server.connections == 5)
    refused = [wire.connect() for _ in range(100)]
    for sock in refused:
        status, headers, body = split(read_all(sock))
        assert (status, headers["connection"]) == (503, "close")
        assert "too many open connections" in json.loads(body)["refused"]
        sock.close()
    assert wire.server.connections == 5
    for sock in kept:
        sock.sendall(get("/echo", close=True))
        assert read_answer(sock)[0] == 200
        sock.close()


def test_a_rejected_client_that_sends_its_request_late_reads_the_answer(make_wire):
    wire = make_wire(WireLimits(connections=1))
    with wire.connect() as kept, wire.connect() as late:
        kept.sendall(get("/echo"))
        read_answer(kept)
        time.sleep(0.05)
        late.sendall(get("/echo"))
        time.sleep(0.05)
        assert read_answer(late)[0] == 503


def test_connections_and_files_share_the_limit_of_descriptors(make_wire):
    wire = make_wire(WireLimits(connections=100, descriptors=3))
    kept = [wire.connect() for _ in range(3)]
    wire.until(lambda: wire.server.connections == 3)
    assert split(wire.send(get("/echo")))[0] == 503
    kept.pop().close()
    wire.until(lambda: wire.server.connections == 2)
    assert wire.works()
    for sock in kept:
        sock.close()


def test_each_connection_is_counted_once(make_wire):
    wire = make_wire(WireLimits(connections=3))
    for _ in range(50):
        assert wire.works()
        wire.until(lambda: wire.server.connections < 3)
    with wire.connect() as sock:
        sock.settimeout(LIMIT)
        sock.sendall(get("/crash"))
        assert read_all(sock) == b""
    wire.until(lambda: wire.server.connections == 0)
