"""Upload sessions of a real server with two workers: clients that lose their network and reconnect."""

import base64
import contextlib
import hashlib
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from e2e.server import serve

PIECE = b"x" * 1000
WHOLE = PIECE * 3
MAX_WAIT = 30.0
"""Seconds in which a newer request has the session on a busy machine; a silent client is waited for for a minute."""


@pytest.fixture(scope="module")
def registry(tmp_path_factory):
    with serve(tmp_path_factory.mktemp("sessions"), options=["-workers", "2"]) as served:
        yield served


class DeadClient:
    """Starts a chunk and sends nothing more, as a client does whose network is gone."""

    def __init__(self, registry, location):
        host, _, port = registry.endpoint.rpartition(":")
        proof = base64.b64encode(f"{registry.username}:{registry.password}".encode()).decode()
        head = (
            f"PATCH {location} HTTP/1.1\r\nHost: x\r\nAuthorization: Basic {proof}\r\n"
            "Content-Length: 1000000\r\nExpect: 100-continue\r\n\r\n"
        )
        self._socket = socket.create_connection((host, int(port)), timeout=10)
        self._socket.sendall(head.encode())
        assert self._socket.recv(65536).startswith(b"HTTP/1.1 100 ")  # it has the session
        self._socket.sendall(PIECE)

    def answer(self):
        with contextlib.closing(self._socket):
            return self._socket.recv(65536)


def start(registry):
    return registry.request("POST", "/v2/p/a/blobs/uploads/").headers["location"]


@pytest.mark.parametrize("method", ["PATCH", "PUT", "DELETE"])
def test_a_client_that_reconnects_has_its_session_at_once(registry, method):
    for _ in range(4):  # the kernel picks the workers: sometimes the same one, sometimes the other
        location = start(registry)
        dead = DeadClient(registry, location)
        digest = f"sha256:{hashlib.sha256(WHOLE).hexdigest()}"
        began = time.monotonic()
        answer = registry.request(method, f"{location}?digest={digest}", body=b"" if method == "DELETE" else WHOLE)
        assert answer.status == {"PATCH": 202, "PUT": 201, "DELETE": 204}[method]
        assert time.monotonic() - began < MAX_WAIT
        refusal = dead.answer()
        assert refusal.startswith(b"HTTP/1.1 409 ")
        assert f"location: {location}\r\n".encode() in refusal
        if method == "PATCH":
            assert answer.headers["range"] == f"0-{len(WHOLE) - 1}"
            assert registry.request("PUT", f"{location}?digest={digest}").status == 201


def test_acknowledged_bytes_survive_any_number_of_dead_clients(registry):
    location = start(registry)
    assert registry.request("PATCH", location, body=PIECE).status == 202
    dead = [DeadClient(registry, location) for _ in range(4)]
    again = {"Content-Range": f"{len(PIECE)}-{len(WHOLE) - 1}"}
    answer = registry.request("PATCH", location, body=WHOLE[len(PIECE) :], headers=again)
    assert (answer.status, answer.headers["range"]) == (202, f"0-{len(WHOLE) - 1}")
    digest = f"sha256:{hashlib.sha256(WHOLE).hexdigest()}"
    assert registry.request("PUT", f"{location}?digest={digest}").status == 201
    assert registry.request("GET", f"/v2/p/a/blobs/{digest}").body == WHOLE
    assert [each.answer().split(b" ", 2)[1] for each in dead] == [b"409"] * 4


def test_of_requests_at_once_one_wins_and_every_other_learns_it(registry):
    location, contents = start(registry), [bytes([number]) * 200_000 for number in range(8)]

    def send(content):
        return registry.request("PATCH", location, body=content, headers={"Content-Range": "0-199999"}).status

    with ThreadPoolExecutor(8) as clients:
        statuses = list(clients.map(send, contents))
    assert statuses.count(202) == 1
    assert set(statuses) <= {202, 409, 416}
    digest = f"sha256:{hashlib.sha256(contents[statuses.index(202)]).hexdigest()}"
    assert registry.request("PUT", f"{location}?digest={digest}").status == 201


def test_an_operator_ends_a_session_that_is_written_to(registry):
    location = start(registry)
    dead = DeadClient(registry, location)
    data = registry.log.parent / "data"
    command = [
        sys.executable,
        "-m",
        "simple_registry",
        "uploads",
        "cancel",
        "-user",
        registry.username,
        "-datadir",
        data,
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    assert (done.returncode, done.stderr.startswith("sessions ended: ")) == (0, True)
    assert dead.answer().startswith(b"HTTP/1.1 409 ")
    assert registry.request("GET", location).status == 404
