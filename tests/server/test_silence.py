import contextlib
import fcntl
import socket
import subprocess
import sys
import time

import pytest

from simple_registry.server.silence import close_silent


@pytest.fixture
def connect():
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))

        def begin(sent):
            client = stack.enter_context(socket.create_connection(listener.getsockname(), timeout=5))
            accepted, _ = listener.accept()
            begin.accepted.append(stack.enter_context(accepted))
            client.sendall(sent)
            return client

        begin.accepted = []
        begin.port = listener.getsockname()[1]
        yield begin


def ended(client):
    client.settimeout(0.2)
    try:
        return client.recv(1) == b""
    except TimeoutError:
        return False


def test_only_who_never_spoke_is_cut(connect):
    silent, begun, spoken = (
        connect(b""),
        connect(b"PRI * HTTP/2.0\r\n"),
        connect(b"GET /v2/ HTTP/1.1\r\nhost: x\r\n\r\n"),
    )
    time.sleep(0.3)
    assert close_silent(connect.port, 0.2) == 2
    assert [ended(client) for client in (silent, begun, spoken)] == [True, True, False]


def test_who_has_just_come_is_given_time(connect):
    client = connect(b"")
    assert close_silent(connect.port, 5.0) == 0
    assert not ended(client)


def test_who_stopped_in_a_handshake_is_cut_after_long_and_an_upload_is_not(connect):
    stopped, upload = connect(b"\x16\x03\x01" + b"x" * 500), connect(b"x" * 5000)
    time.sleep(0.3)
    assert close_silent(connect.port, 0.1) == 0
    assert close_silent(connect.port, 0.1, 0.2) == 1
    assert [ended(client) for client in (stopped, upload)] == [True, False]


def test_who_is_being_answered_is_not_cut(connect):
    client = connect(b"GET /v2/ HTTP/1.1\r\nhost: x\r\n\r\n")
    time.sleep(0.3)
    connect.accepted[-1].sendall(b"HTTP/1.1 200 OK\r\n")
    assert close_silent(connect.port, 0.1, 0.2) == 0
    assert client.recv(4) == b"HTTP"


def test_connections_to_other_ports_are_not_ours(connect):
    client = connect(b"")
    time.sleep(0.1)
    assert close_silent(1, 0.05) == 0
    assert not ended(client)


def test_looking_never_drops_a_lock_of_this_process(connect, tmp_path):
    path = tmp_path / "database"
    attempt = f"import fcntl; fcntl.lockf(open({str(path)!r}, 'a'), fcntl.LOCK_EX | fcntl.LOCK_NB)"
    with path.open("w") as held:
        fcntl.lockf(held, fcntl.LOCK_EX)
        connect(b"")
        time.sleep(0.1)
        assert close_silent(connect.port, 0.05) == 1
        other = subprocess.run([sys.executable, "-c", attempt], capture_output=True, check=False)
    assert b"BlockingIOError" in other.stderr


@pytest.mark.parametrize("sent", [b"", b"P", b"GET / HTT"])
def test_a_server_closes_silent_connections_after_the_header_timeout(start, tmp_path, sent):
    (tmp_path / "main.yaml").write_text(
        "kind: Configuration\nmetadata: {name: main}\nspec: {limits: {headerTimeout: 1s}}\n"
    )
    process = start("-workers", "1", "-cfgdir", str(tmp_path)).ready()
    with socket.create_connection((process.host, process.port), timeout=6) as client:
        client.sendall(sent)
        assert client.recv(1000) == b""
    process.get()
