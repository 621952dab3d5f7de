"""The client's end of the wire: it reads what registries send, never sends twice, and knows who answers."""

import socket
from contextlib import closing
from threading import Thread

import pytest

from faults.wire import Broken, Wire, server_process, wires_to_each
from harness.subjects import OURS, running


class Scripted:
    """A server that answers each request on one connection with the next of these bytes, then closes."""

    def __init__(self, *answers: bytes) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self.requests: list[bytes] = []
        self._thread = Thread(target=self._serve, args=(answers,))
        self._thread.start()

    def _serve(self, answers: tuple[bytes, ...]) -> None:
        connection, _address = self._listener.accept()
        with closing(connection):
            for answer in answers:
                self.requests.append(connection.recv(65536))
                connection.sendall(answer)

    def close(self) -> None:
        self._thread.join()
        self._listener.close()


def asked(answers, *requests):
    with closing(Scripted(*answers)) as server, Wire(server.address) as wire:
        return [wire.ask(*request) for request in requests], server.requests


def test_answers_of_every_shape_are_read():
    answers, _requests = asked(
        [
            b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nX-Name: a: b\r\n\r\nbody",
            b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n",
            b"HTTP/1.1 204 No Content\r\n\r\n",
            b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
        ],
        ("GET", "/1"),
        ("HEAD", "/2"),
        ("GET", "/3"),
        ("DELETE", "/4"),
        ("GET", "/5"),
    )
    assert [(answer.status, answer.body) for answer in answers] == [
        (200, b"body"),
        (200, b""),
        (200, b"abcde"),
        (204, b""),
        (404, b""),
    ]
    assert answers[0].headers["x-name"] == "a: b"


def test_a_body_is_announced():
    _answers, (request,) = asked(
        [b"HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n"], ("PUT", "/x", b"data", {"A": "b"})
    )
    head, _end, body = request.partition(b"\r\n\r\n")
    assert (head.splitlines()[0], body) == (b"PUT /x HTTP/1.1", b"data")
    assert b"Content-Length: 4" in head
    assert b"A: b" in head


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf"])
def test_a_broken_connection_is_reported_and_sends_nothing_twice(answer):
    with closing(Scripted(answer)) as server, Wire(server.address) as wire:
        with pytest.raises(Broken):
            wire.ask("PUT", "/x", b"data")
        assert len(server.requests) == 1


def test_a_wire_can_lead_to_each_worker(tmp_path):
    with running(OURS, tmp_path) as registry:
        wires = wires_to_each(registry, each=2)
        processes = [server_process(registry, wire) for wire in wires]
        assert len(set(processes)) == 2
        assert processes == processes[:2] * 2
        assert set(processes) <= set(registry.processes()[1:])
        for wire in wires:
            assert wire.ask("GET", "/v2/_catalog").status == 200
            wire.close()
