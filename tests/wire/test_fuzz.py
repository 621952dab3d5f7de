"""Mutated client requests on a real server: any bytes, in any split, are answered, and the connection ends."""

import contextlib
import re
import socket
import time
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, example, given, settings, strategies as st

from simple_registry.wire.limits import WireLimits
from support.wire import LIMIT, Wire, chunk, get, put, put_chunked, read_all

GOOD = [
    get("/early"),
    get("/echo?a=b", method="HEAD"),
    put("/echo", b"body"),
    put("/early", b"body", "Connection: keep-alive"),
    put_chunked("/echo", chunk(b"some") + chunk(b"more") + b"0\r\n\r\n"),
    put_chunked("/early", chunk(b"some") + b"0\r\nTrailer: x\r\n\r\n"),
    put("/echo", b"body", "Expect: 100-continue"),
    b"GET /echo HTTP/1.0\r\n\r\n",
    get("/echo", close=True),
]
PIECES = [b"\r", b"\n", b"\r\n", b"\r\n\r\n", b"\x00", b" ", b":", b",", b"0", b"5", b"ffff", b"chunked", b"\xff", b"/"]


@st.composite
def mutated(draw, data):
    """Draw a mutation of some bytes: pieces deleted, doubled or inserted."""
    for _ in range(draw(st.integers(0, 3))):
        start = draw(st.integers(0, len(data)))
        stop = draw(st.integers(start, min(len(data), start + 20)))
        how = draw(st.sampled_from(["lose", "double", "put in"]))
        middle = {"lose": b"", "double": data[start:stop] * 2, "put in": draw(st.sampled_from(PIECES))}[how]
        data = data[:start] + middle + data[stop:]
    return data


def streams(requests):
    return st.lists(st.sampled_from(requests), min_size=1, max_size=4).flatmap(lambda each: mutated(b"".join(each)))


# An early answer is the last one only if the body has not arrived yet.
READ = [each for each in GOOD if b"/early" not in each]
FUZZ = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(scope="module")
def server():
    """One server for all examples."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        wire = Wire(WireLimits(), listener)
        yield wire
        wire.stop()


def statuses(answers, data):
    """Return the statuses of answers; each must be well-formed, and nothing may follow the last one."""
    found = []
    while answers:
        head, separator, answers = answers.partition(b"\r\n\r\n")
        assert separator, (head, data)
        status = int(re.fullmatch(rb"HTTP/1\.1 ([0-9]{3}) [A-Za-z -]+(?:\r\n[a-z-]+: [^\r\n]+)*", head)[1])
        if status == 100:
            continue
        size = int(re.search(rb"\r\ncontent-length: ([0-9]+)", head)[1])
        # The answer to a HEAD has no content; any other answer of the test application begins with a brace.
        if answers[:1] == b"{":
            assert len(answers) >= size, data
            answers = answers[size:]
        found.append(status)
    return found


def ask(wire, pieces):
    with wire.connect() as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with contextlib.suppress(OSError):
            for piece in pieces:
                sock.sendall(piece)
                time.sleep(0.0005 if len(pieces) > 1 else 0)
            sock.shutdown(socket.SHUT_WR)
        return read_all(sock)


@FUZZ
@given(streams(GOOD))
@example(b"".join(GOOD))
def test_each_request_is_handled_or_refused_and_answered_once(server, data):
    before = len(server.application.clients) + len(server.application.refused)
    found = statuses(ask(server, [data]), data)
    assert len(found) == len(server.application.clients) + len(server.application.refused) - before
    assert set(found) <= {200, 400, 417, 431, 501, 505}


@FUZZ
@given(streams(READ), st.lists(st.integers(0, 1000), max_size=4))
def test_the_answers_do_not_depend_on_how_the_bytes_are_split(server, data, cuts):
    places = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    split = [data[start:stop] for start, stop in pairwise(places)]
    whole, pieces = (statuses(ask(server, each), data) for each in ([data], split))
    # The reason of a refusal may differ: an invalid partial head is refused early. And an early answer is the last one.
    accepted = [[status < 400 for status in found] for found in (whole, pieces)]
    assert accepted[0] == accepted[1] or (b"/early" in data and accepted[0][: len(accepted[1])] == accepted[1])


def test_fuzzing_leaves_no_connection_file_or_memory(server):
    server.until(lambda: server.server.connections == 0)
    assert (server.server.budget.held, server.server.open_files) == (0, 0)
    sock = server.connect()
    sock.settimeout(LIMIT)
    sock.sendall(get("/echo", close=True))
    assert read_all(sock).startswith(b"HTTP/1.1 200 ")
    sock.close()
