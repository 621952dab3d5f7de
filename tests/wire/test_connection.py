"""One connection: requests in order, complete and incomplete bodies, answers of every kind, and the end."""

import json
import os
import socket
import struct
import time

import pytest

from simple_registry.content import ContentInterrupted
from simple_registry.wire import body
from simple_registry.wire.exchange import BodyMalformed, BodyTooSlow
from simple_registry.wire.limits import WireLimits
from support.wire import LIMIT, chunk, get, put, put_chunked, read_all, read_answer, split

MIB = 1024 * 1024


def reset(sock):
    """Close a connection with a reset."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


# --- requests -------------------------------------------------------------------------------------------------------


def test_a_connection_serves_one_request_after_another(wire):
    with wire.connect() as sock:
        for number in range(3):
            sock.sendall(put("/echo", b"body %d" % number))
            status, headers, body = read_answer(sock)
            assert (status, json.loads(body)["body"]) == (200, f"body {number}")
            assert "connection" not in headers


@pytest.mark.parametrize("count", [2, 40, 1000])
def test_pipelined_requests_are_answered_in_order(wire, count):
    requests = b"".join(put(f"/echo?{number}", b"x" * (number % 7)) for number in range(count))
    answers = wire.send(requests, end=True)
    assert answers.count(b"HTTP/1.1 200 ") == count
    assert [answers.index(b'"query": "%d"' % number) for number in range(count)] == sorted(
        answers.index(b'"query": "%d"' % number) for number in range(count)
    )


def test_a_later_request_never_overtakes_a_slow_one(wire):
    answers = wire.send(get("/slow") + get("/echo"), end=True)
    assert answers.index(b'"/slow"') < answers.index(b'"/echo"')


def test_a_head_may_arrive_byte_by_byte(wire):
    with wire.connect() as sock:
        for byte in put("/echo", b"four"):
            sock.sendall(bytes([byte]))
        assert json.loads(read_answer(sock)[2])["body"] == "four"


def test_bytes_after_the_last_request_get_no_answer(wire):
    assert wire.send(get("/echo", close=True) + get("/echo")).count(b"HTTP/1.1 ") == 1


def test_http_1_0_closes_after_one_answer(wire):
    status, headers, body = split(wire.send(b"GET /echo HTTP/1.0\r\n\r\n"))
    assert (status, headers["connection"], json.loads(body)["host"]) == (200, "close", "")


def test_upgrade_is_ignored_and_its_body_is_not_lost(wire):
    answer = wire.send(put("/echo", b"body", "Connection: Upgrade, HTTP2-Settings, close", "Upgrade: h2c"))
    assert json.loads(split(answer)[2])["body"] == "body"


def test_header_bytes_outside_ascii_arrive_as_they_were_sent(wire):
    answer = wire.send(b"GET /echo HTTP/1.1\r\nHost: x\r\nX-Name: b\xfccher\r\nConnection: close\r\n\r\n")
    assert json.loads(split(answer)[2])["headers"]["x-name"] == "b\xfccher"


# --- bodies ---------------------------------------------------------------------------------------------------------

BROKEN_OFF = {
    "a length that is not reached": put("/echo", b"half", length=8),
    "no byte of the body": put("/echo", b"", length=8),
    "a chunk that is cut": put_chunked("/echo", b"8\r\nhalf"),
    "a size line that is cut": put_chunked("/echo", chunk(b"whole") + b"8"),
    "no last chunk": put_chunked("/echo", chunk(b"whole")),
    "no line after the last chunk": put_chunked("/echo", chunk(b"whole") + b"0\r\n"),
}


@pytest.mark.parametrize("request_bytes", BROKEN_OFF.values(), ids=BROKEN_OFF)
@pytest.mark.parametrize("how", ["half-close", "close", "reset"])
def test_a_body_that_breaks_off_is_never_complete(wire, request_bytes, how):
    sock = wire.connect()
    sock.sendall(request_bytes)
    if how == "half-close":
        sock.shutdown(socket.SHUT_WR)
        assert split(read_all(sock))[0] == 400
    elif how == "reset":
        wire.until(lambda: wire.application.clients)
        reset(sock)
    sock.close()
    wire.until(lambda: wire.application.interrupted)
    assert wire.application.whole == []
    assert isinstance(wire.application.interrupted[0], ContentInterrupted)
    assert wire.works()


MALFORMED = {
    "a size that is not hexadecimal": b"ZZ\r\nworld\r\n0\r\n\r\n",
    "a negative size": b"-5\r\nhello\r\n0\r\n\r\n",
    "a size with a sign": b"+5\r\nhello\r\n0\r\n\r\n",
    "a size with 0x": b"0x5\r\nhello\r\n0\r\n\r\n",
    "a blank before the size": b" 5\r\nhello\r\n0\r\n\r\n",
    "a blank after the size": b"5 \r\nhello\r\n0\r\n\r\n",
    "an empty size": b"\r\nhello\r\n0\r\n\r\n",
    "a size of 16 digits": b"fffffffffffffffff\r\nhello",
    "a chunk longer than its size": b"5\r\nhello!\r\n0\r\n\r\n",
    "a bare line feed after the size": b"5\nhello\r\n0\r\n\r\n",
    "a bare line feed after the data": b"5\r\nhello\n0\r\n\r\n",
    "an extension without end": b"5;" + b"x" * 5000,
    "an extension with a control character": b"5;a\x00b\r\nhello\r\n0\r\n\r\n",
    "trailers without end": b"0\r\n" + b"a: b\r\n" * 3000,
    "a trailer without a colon": b"0\r\nnonsense\r\n\r\n",
    "a folded trailer": b"0\r\na: b\r\n c\r\n\r\n",
}


@pytest.mark.parametrize("chunks", MALFORMED.values(), ids=MALFORMED)
@pytest.mark.parametrize("before", [b"", chunk(b"good")], ids=["at once", "later"])
def test_a_malformed_chunk_ends_the_request_and_the_connection(wire, chunks, before):
    answer = wire.send(put_chunked("/echo", before + chunks + get("/echo")))
    assert answer.count(b"HTTP/1.1 ") == 1
    status, headers, _ = split(answer)
    assert (status, headers["connection"]) == (400, "close")
    assert isinstance(wire.application.interrupted[0], BodyMalformed)
    assert wire.application.whole == []


def test_size_lines_extensions_and_trailers_are_not_part_of_the_body(wire):
    chunks = b"5;name=value\r\nhello\r\n00006\r\n world\r\n0\r\nX-Trailer: dropped\r\n\r\n"
    said = json.loads(split(wire.send(put_chunked("/echo", chunks, "Connection: close")))[2])
    assert said["body"] == "hello world"
    assert "x-trailer" not in said["headers"]


def test_100_continue_is_sent_when_the_body_is_read(wire):
    with wire.connect() as sock:
        sock.sendall(put("/echo", b"", "Expect: 100-continue", length=4))
        assert sock.recv(1000) == b"HTTP/1.1 100 Continue\r\n\r\n"
        sock.sendall(b"four")
        assert json.loads(read_answer(sock)[2])["body"] == "four"


def test_100_continue_is_not_sent_for_an_unread_body(wire):
    status, headers, _ = split(wire.send(put("/early", b"", "Expect: 100-continue", length=4)))
    assert (status, headers["connection"]) == (200, "close")


def test_100_continue_is_not_sent_for_a_body_that_has_arrived(wire):
    answer = wire.send(put("/echo", b"four", "Expect: 100-continue", "Connection: close"))
    assert split(answer)[0] == 200


def test_a_slow_handler_pauses_its_client(make_wire):
    wire = make_wire(WireLimits(held=4 * MIB))
    body = bytes(20 * MIB)
    with wire.connect() as sock:
        sock.sendall(put("/slow", body))
        status, _, said = read_answer(sock)
    assert (status, json.loads(said)["body"]) == (200, len(body))
    assert wire.server.budget.held == 0


def test_bodies_kept_in_memory_are_counted_and_released(make_wire):
    wire = make_wire(WireLimits(held=4 * MIB, held_by_address=2 * MIB))
    with wire.connect() as sock:
        sock.sendall(put("/whole", bytes(MIB)))
        assert read_answer(sock)[0] == 200
    assert split(wire.send(put("/whole", bytes(3 * MIB), "Connection: close")))[0] == 503
    wire.until(lambda: wire.server.budget.held == 0)
    assert wire.works()


# --- early answers --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [10, 200 * MIB])
def test_an_early_answer_reaches_a_client_that_is_still_sending(wire, size):
    with wire.connect() as sock:
        sock.sendall(put("/early", b"", length=size))
        for _ in range(size // MIB):
            sock.sendall(bytes(MIB))
        sock.sendall(bytes(size % MIB))
        assert read_answer(sock)[0] == 200
    assert wire.works()


def test_an_early_answer_waits_for_the_first_byte_of_the_body(wire, monkeypatch):
    monkeypatch.setattr(body, "FIRST_BYTE_TIME", 60)
    with wire.connect() as sock:
        sock.sendall(put("/early", b"", length=1000))
        sock.settimeout(0.2)
        with pytest.raises(TimeoutError):
            sock.recv(1)
        sock.settimeout(30)
        sock.sendall(b"x")
        assert read_answer(sock)[0] == 200


def test_an_early_answer_waits_only_for_a_moment(wire):
    with wire.connect() as sock:
        sock.sendall(put("/early", b"", length=1000))
        assert read_answer(sock)[0] == 200


def test_a_client_that_leaves_before_its_first_byte_ends_the_wait(wire, monkeypatch):
    monkeypatch.setattr(body, "FIRST_BYTE_TIME", 60)
    with wire.connect() as sock:
        sock.sendall(put("/early", b"", length=1000))
        sock.shutdown(socket.SHUT_WR)
        assert read_answer(sock)[0] == 200


def test_an_answer_before_the_end_of_a_body_ends_the_connection(wire):
    """A proxy may drop the rest of the body, and send another client's request in its place."""
    with wire.connect() as sock:
        sock.sendall(put("/early", b"half", length=1000))
        assert read_answer(sock)[1]["connection"] == "close"
        sock.sendall(get("/echo"))
        assert read_all(sock) == b""
    assert wire.application.whole == []


def test_a_body_beyond_the_drain_size_is_not_read_and_the_answer_is_the_last_one(make_wire):
    wire = make_wire(WireLimits(drain_size=MIB))
    with wire.connect() as sock:
        sock.sendall(put("/early", b"", length=100 * MIB))
        status, headers, _ = read_answer(sock)
        assert (status, headers["connection"]) == (200, "close")
        with pytest.raises(OSError, match=r"reset|[Bb]roken"):
            send_slowly(sock, 100 * MIB)


def send_slowly(sock, size):
    for _ in range(size // MIB):
        sock.sendall(bytes(MIB))
        time.sleep(0.01)


def test_a_drain_ends_in_time(make_wire):
    wire = make_wire(WireLimits(drain_timeout=0.3))
    started = time.monotonic()
    with wire.connect() as sock:
        sock.sendall(put("/early", b"x", length=100))
        assert read_answer(sock)[0] == 200
        assert read_all(sock) == b""
    assert time.monotonic() - started < 3


def test_a_refused_head_reaches_a_client_that_is_still_sending(wire):
    with wire.connect() as sock:
        sock.sendall(put("/echo", b"", "Transfer-Encoding: chunked", length=50 * MIB))
        for _ in range(50):
            sock.sendall(bytes(MIB))
        assert read_answer(sock)[0] == 400


# --- half-closed clients --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/echo", "/slow", "/file"])
def test_a_client_that_closed_its_side_is_answered(wire, tmp_path, path):
    wire.application.path, wire.application.size = tmp_path / "file", 3 * MIB
    wire.application.path.write_bytes(os.urandom(3 * MIB))
    answer = wire.send(get(path), end=True)
    assert split(answer)[0] == 200
    if path == "/file":
        assert split(answer)[2] == wire.application.path.read_bytes()


def test_requests_before_the_end_are_all_answered(wire):
    assert wire.send(get("/slow") + put("/echo", b"x") + get("/slow"), end=True).count(b"HTTP/1.1 200 ") == 3


def test_an_incomplete_head_gets_no_answer(wire):
    assert wire.send(b"GET /echo HTTP/1.1\r\nHo", end=True) == b""


# --- answers --------------------------------------------------------------------------------------------------------


@pytest.fixture
def file(wire, tmp_path):
    """A file that the application sends."""
    wire.application.path, wire.application.size = tmp_path / "file", 5 * MIB + 123
    data = os.urandom(wire.application.size)
    wire.application.path.write_bytes(data)
    return data


def test_a_file_is_sent_byte_for_byte(wire, file):
    assert split(wire.send(get("/file", close=True)))[2] == file


def test_a_small_file_is_sent_byte_for_byte(wire, tmp_path):
    wire.application.path, wire.application.size = tmp_path / "file", 1000
    wire.application.path.write_bytes(b"y" * 1000)
    assert split(wire.send(get("/file", close=True)))[2] == b"y" * 1000


def test_parts_of_a_file_are_sent_between_texts(wire, file):
    assert split(wire.send(get("/parts", close=True)))[2] == b"begin" + file[1:-1] + b"end"


def test_a_file_outside_the_page_cache_is_sent(wire, file):
    with wire.application.path.open("rb") as opened:
        os.fsync(opened.fileno())
        os.posix_fadvise(opened.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    assert split(wire.send(get("/file", close=True)))[2] == file


def test_a_slow_reader_gets_every_byte(wire, file):
    with wire.connect() as sock:
        sock.sendall(get("/file", close=True))
        time.sleep(0.3)
        data = b""
        while piece := sock.recv(50_000):
            data += piece
            time.sleep(0.001)
    assert split(data)[2] == file


def test_a_head_request_gets_the_length_without_content(wire, file):
    status, headers, body = split(wire.send(get("/file", close=True, method="HEAD")))
    assert (status, headers["content-length"], body) == (200, str(len(file)), b"")


@pytest.mark.parametrize("path", ["/file", "/parts"])
def test_a_missing_file_becomes_another_answer(wire, tmp_path, path):
    wire.application.path, wire.application.size = tmp_path / "absent", 10
    with wire.connect() as sock:
        sock.sendall(get(path) + get("/echo"))
        assert read_answer_of_two(sock) == [503, 200]
    assert wire.server.open_files == 0


def read_answer_of_two(sock):
    data = b""
    while data.count(b"HTTP/1.1 ") < 2 or not data.endswith(b"}"):
        data += sock.recv(65536)
    return [int(data.split(b"HTTP/1.1 ")[number].split()[0]) for number in (1, 2)]


@pytest.mark.parametrize("there", [100, 2 * MIB])
def test_a_truncated_file_ends_the_answer_early(wire, tmp_path, there):
    wire.application.path, wire.application.size = tmp_path / "file", 3 * MIB
    wire.application.path.write_bytes(b"z" * there)
    answer = wire.send(get("/file", close=True))
    assert not answer or split(answer)[0] == 503 or len(split(answer)[2]) < 3 * MIB
    wire.until(lambda: wire.application.unsent)
    assert wire.server.open_files == 0
    assert wire.works()


def test_a_named_pipe_in_place_of_a_file_does_not_block(wire, tmp_path):
    wire.application.path, wire.application.size = tmp_path / "pipe", 100_000
    os.mkfifo(wire.application.path)
    answer = wire.send(get("/file", close=True))
    assert not answer or split(answer)[0] == 503
    assert wire.works()


def test_large_content_from_memory_is_sent_completely(wire):
    wire.application.size = 5 * MIB
    assert split(wire.send(get("/bytes", close=True)))[2] == b"x" * 5 * MIB
    wire.until(lambda: wire.server.budget.held == 0)


def test_a_failed_handler_ends_only_its_connection(wire, caplog):
    assert wire.send(get("/crash")) == b""
    assert "the test says crash" in caplog.text
    assert wire.works()


def test_unread_answers_are_bounded(make_wire):
    wire = make_wire(WireLimits(held=16 * MIB, held_by_address=8 * MIB))
    wire.application.size = 4 * MIB
    socks = [wire.connect() for _ in range(60)]
    try:
        for sock in socks:
            sock.sendall(get("/bytes"))
        wire.until(lambda: len(wire.application.unsent) >= 50)
        assert 0 < wire.server.budget.held <= 8 * MIB
        assert wire.works()
    finally:
        for sock in socks:
            sock.close()
    wire.until(lambda: wire.server.budget.held == 0)


def test_a_client_that_pipelines_and_never_reads_is_closed(make_wire):
    wire = make_wire(WireLimits(held=1 * MIB, held_by_address=MIB, progress_period=0.4))
    wire.application.size = 60_000
    with wire.connect() as sock:
        sock.sendall(get("/bytes") * 2000)
        wire.until(lambda: wire.application.unsent)
        assert wire.server.budget.held <= MIB


# --- time-outs ------------------------------------------------------------------------------------------------------


def ends(sock):
    """Return the seconds until the server closes a connection, and what it sent before."""
    started = time.monotonic()
    sock.settimeout(LIMIT)
    data = read_all(sock)
    return time.monotonic() - started, data


@pytest.mark.parametrize("begin", [b"", b"GET /echo HT", b"GET /echo HTTP/1.1\r\nHost: x\r\n"])
def test_a_late_head_ends_the_connection(make_wire, begin):
    wire = make_wire(WireLimits(header_timeout=0.3, idle_timeout=60))
    with wire.connect() as sock:
        sock.sendall(begin)
        seconds, data = ends(sock)
    assert 0.2 < seconds < 4
    assert (split(data)[0] == 408) if begin else (data == b"")


def test_an_idle_connection_stays_open_longer_than_a_silent_new_one(make_wire):
    wire = make_wire(WireLimits(header_timeout=0.3, idle_timeout=1.0))
    with wire.connect() as sock:
        sock.sendall(get("/echo"))
        read_answer(sock)
        seconds, data = ends(sock)
    assert (data, 0.8 < seconds < 3) == (b"", True)


def test_a_slow_body_is_refused(make_wire):
    wire = make_wire(WireLimits(progress_period=0.4, min_rate=1000, drain_timeout=0.5))
    with wire.connect() as sock:
        sock.sendall(put("/echo", b"", length=1000))
        for _ in range(6):
            sock.sendall(b"x")
            time.sleep(0.1)
        status, headers, _ = read_answer(sock)
    assert (status, headers["connection"]) == (408, "close")
    assert isinstance(wire.application.interrupted[0], BodyTooSlow)


def test_a_body_at_the_minimum_rate_is_accepted(make_wire):
    wire = make_wire(WireLimits(progress_period=0.4, min_rate=100))
    with wire.connect() as sock:
        sock.sendall(put("/echo", b"", length=600))
        for _ in range(6):
            sock.sendall(b"x" * 100)
            time.sleep(0.2)
        assert read_answer(sock)[0] == 200


def test_an_unread_answer_ends_the_connection(make_wire, tmp_path):
    wire = make_wire(WireLimits(progress_period=0.4))
    wire.application.path, wire.application.size = tmp_path / "file", 50 * MIB
    with wire.application.path.open("wb") as file:
        file.truncate(50 * MIB)
    with wire.connect() as sock:
        sock.sendall(get("/file"))
        wire.until(lambda: wire.application.unsent)
        assert len(read_all(sock)) < 50 * MIB
    assert wire.server.open_files == 0


def test_a_slow_handler_has_no_time_out(make_wire):
    wire = make_wire(WireLimits(header_timeout=0.1, idle_timeout=0.1, progress_period=0.1))
    assert split(wire.send(get("/slow", close=True)))[0] == 200
