"""`health`, beside a server as a process."""

import io
import socket
import threading
from contextlib import contextmanager

import pytest

from e2e.server import serve
from simple_registry.backends import local
from simple_registry.cli.health import health
from simple_registry.cli.main import main

READY = '{"status":"ready",'


def run(data, **options):
    stdout = io.StringIO()
    return health([], {"SIMPLE_REGISTRY_DATADIR": str(data)}, stdout, **options), stdout.getvalue()


@pytest.mark.parametrize("address", ["127.0.0.1:0", ":0", "0.0.0.0:0", "unix:{folder}/socket"])
def test_a_server_is_asked_where_it_listens(tmp_path, address):
    with serve(tmp_path, address=address.format(folder=tmp_path)):
        code, said = run(tmp_path / "data")
        assert (code, said[: len(READY)]) == (0, READY)
    assert run(tmp_path / "data") == (1, f"no server uses {tmp_path / 'data'}\n")


def test_a_server_with_tls_is_asked_whatever_the_names_of_its_certificate(tmp_path):
    with serve(tmp_path, tls=True):
        assert run(tmp_path / "data")[0] == 0


@contextmanager
def listening(data):
    """Claim a data directory for a server that is this socket."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        claim = local.claim(data)
        claim.report(url, 0, "started")
        yield listener, url
        claim.release()


def test_the_answer_of_a_server_that_is_not_ready_is_printed(tmp_path):
    def refuse():
        connection, _ = listener.accept()
        with connection:
            asked.append(connection.recv(1000))
            connection.sendall(b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 7\r\n\r\nbecause")

    asked = []
    with listening(tmp_path / "data") as (listener, _):
        server = threading.Thread(target=refuse)
        server.start()
        assert run(tmp_path / "data") == (1, "because\n")
        server.join()
    assert asked[0].startswith(b"GET /readyz HTTP/1.1\r\n")


def test_a_server_that_does_not_answer_is_unhealthy(tmp_path):
    with listening(tmp_path / "data") as (listener, url):
        assert run(tmp_path / "data", timeout=0.1) == (1, f"{url} does not answer: timed out\n")
        listener.close()
        assert run(tmp_path / "data") == (1, f"{url} does not answer: [Errno 111] Connection refused\n")


def test_a_server_that_does_not_listen_yet_is_unhealthy(tmp_path):
    claim = local.claim(tmp_path / "data")
    code, said = run(tmp_path / "data")
    claim.release()
    assert (code, said) == (1, f"the server that uses {tmp_path / 'data'} does not listen yet\n")


def test_without_a_data_directory_it_is_unhealthy(tmp_path, capsys):
    assert main(["health", "-datadir", str(tmp_path / "none")]) == 1
    assert "it is not a data directory" in capsys.readouterr().out


def test_help(capsys):
    assert main(["health", "-help"]) == 0
    assert capsys.readouterr().out.startswith("usage: simple-registry health")
