"""Request ids of a real server: in each answer, in each line of that request, and in no other's."""

import base64
import contextlib
import json
import socket
import threading
import time

import pytest

from e2e.server import serve


@pytest.fixture
def registry(tmp_path):
    with serve(tmp_path, options=["-workers", "1"]) as served:
        yield served


def lines(registry, message):
    found = (json.loads(line) for line in registry.log.read_text().splitlines() if line.startswith("{"))
    return [line for line in found if line["message"] == message]


def test_a_line_that_is_written_deep_inside_has_the_id_of_its_own_request(registry):
    guesses = [base64.b64encode(f"guesser:wrong {number}".encode()).decode() for number in range(5)]
    busy = threading.Thread(target=lambda: [registry.request("GET", "/v2/") for _ in range(100)])
    busy.start()
    refused = [
        registry.request("GET", "/v2/", headers={"Authorization": f"Basic {guess}"}, anonymous=True)
        for guess in guesses
    ]
    busy.join()
    assert [answer.status for answer in refused] == [401] * 5
    (throttled,) = lines(registry, "login attempts throttled")
    assert throttled["request"] == refused[-1].headers["x-request-id"]
    deadline = time.monotonic() + 5
    while len(lines(registry, "request")) < 105 and time.monotonic() < deadline:
        time.sleep(0.01)  # lines are written at the end of a turn of the event loop
    ids = [line["request"] for line in lines(registry, "request")]
    assert len(set(ids)) == len(ids) == 105


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"NONSENSE\r\n\r\n", 400),
        (b"GET /" + b"x" * 70_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 414),
        (b"GET / HTTP/1.1\r\n" + b"".join(b"h%d: x\r\n" % number for number in range(200)) + b"\r\n", 431),
    ],
)
def test_input_that_is_not_a_request_is_answered_and_logged(registry, head, status):
    host, _, port = registry.endpoint.rpartition(":")
    with contextlib.closing(socket.create_connection((host, int(port)), timeout=10)) as connection:
        connection.sendall(head)
        answer = connection.recv(4096)
    assert answer.startswith(f"HTTP/1.1 {status} ".encode())
    head, _, body = answer.partition(b"\r\n\r\n")
    deadline = time.monotonic() + 5
    while not lines(registry, "request") and time.monotonic() < deadline:
        time.sleep(0.01)  # lines are written at the end of a turn of the event loop
    (line,) = lines(registry, "request")
    assert f"x-request-id: {line['request']}".encode() in head
    assert json.loads(body)["requestId"] == line["request"]
    assert (line["status"], line["note"]) == (status, json.loads(body)["errors"][0]["message"])
