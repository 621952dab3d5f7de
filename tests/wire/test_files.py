"""Answers from files and streams: complete, in parts, from disk, to slow readers, and cut short."""

import os
import time
from types import SimpleNamespace

import pytest

from simple_registry.content import LocalFile, Span
from simple_registry.faults import ContentGone, StorageFault
from simple_registry.wire.answers import Part, Parts, Unsent
from simple_registry.wire.exchange import CannotSend, ClientGone
from simple_registry.wire.files import OpenFile, OpenFiles
from simple_registry.wire.limits import WireLimits
from support.content import Streamed
from support.wire import Answer, Application, get, read_all, read_answer, split

MIB = 1024 * 1024
SIZE = 3 * MIB + 17


class Library(Application):
    """Answers with the content that the test put under a path."""

    def __init__(self):
        super().__init__()
        self.answers = {}

    async def __call__(self, exchange):
        answer = self.answers.get(exchange.head.path)
        if answer is None:
            await super().__call__(exchange)
        else:
            await self._send(exchange, answer)


@pytest.fixture
def library(wire):
    wire.server.application = wire.application = Library()
    return wire.application


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(os.urandom(SIZE))
    return path


def part(path, start, stop):
    return Part(LocalFile(str(path), SIZE), Span(start, stop))


@pytest.fixture
def opened(file):
    opened = OpenFile(LocalFile(str(file), SIZE))
    yield opened
    opened.close()


def test_a_file_is_read_from_the_page_cache_and_from_disk(opened, file):
    piece = file.read_bytes()[256:512]
    assert opened.load(256, 256) == piece
    assert opened.read_cached(256, 256) == piece
    assert opened.is_cached(0, SIZE)


def test_bytes_beyond_the_end_of_the_file_are_gone_and_not_cached(opened):
    assert opened.read_cached(SIZE, 1) is None
    assert not opened.is_cached(0, SIZE + 1)
    with pytest.raises(ContentGone):
        opened.load(SIZE - 1, 2)


def test_each_file_of_an_answer_is_opened_once_and_all_are_closed(tmp_path, file):
    shared = SimpleNamespace(open_files=0, may_open=lambda: shared.open_files < 2)
    files, first, second = OpenFiles(shared), LocalFile(str(file), SIZE), LocalFile(str(file), SIZE, 2)
    assert files.open(first) is files.open(first)
    assert files.open(second) is not files.open(first)
    assert shared.open_files == 2
    with pytest.raises(CannotSend, match="too many open files"):
        files.open(LocalFile(str(tmp_path / "another"), 1))
    files.close()
    assert shared.open_files == 0


SPANS = [(0, 1), (SIZE - 1, SIZE), (0, SIZE), (1, 65_537), (0, 65_536), (0, 65_537), (MIB, 2 * MIB), (MIB - 1, MIB + 1)]


@pytest.mark.parametrize("span", SPANS)
def test_any_range_is_sent_byte_for_byte(wire, library, file, span):
    library.answers["/range"] = Answer(206, part(file, *span))
    with wire.connect() as sock:
        for _ in range(2):  # twice on one connection
            sock.sendall(get("/range"))
            assert read_answer(sock)[2] == file.read_bytes()[slice(*span)]


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_an_empty_range_has_no_content(wire, library, file, method):
    library.answers["/range"] = Answer(200, part(file, 5, 5))
    status, headers, body = split(wire.send(get("/range", close=True, method=method)))
    assert (status, headers["content-length"], body) == (200, "0", b"")


def in_parts(*pieces):
    sizes = [len(piece) if isinstance(piece, bytes) else piece.span.size for piece in pieces]
    return Answer(206, Parts(pieces, sum(sizes)))


def bytes_of(file, *pieces):
    data = file.read_bytes()
    return b"".join(piece if isinstance(piece, bytes) else data[slice(*piece.span)] for piece in pieces)


LAYOUTS = {
    "only text": lambda _: [b"begin", b"end"],
    "only files": lambda file: [part(file, 0, 10), part(file, 0, SIZE), part(file, 7, 100_000)],
    "file last": lambda file: [b"x" * 100_000, part(file, 100, 2 * MIB)],
    "text last": lambda file: [part(file, 100, 2 * MIB), b"x" * 100_000],
    "many": lambda file: [piece for at in range(0, MIB, 10_000) for piece in (b"--", part(file, at, at + 5000))],
}


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
def test_parts_are_sent_in_order(wire, library, file, layout):
    library.answers["/parts"] = in_parts(*layout(file))
    with wire.connect() as sock:
        for _ in range(2):
            sock.sendall(get("/parts"))
            assert read_answer(sock)[2] == bytes_of(file, *layout(file))
    wire.until(lambda: wire.server.open_files == 0)


def test_an_empty_part_of_a_file_sends_nothing(wire, library, file):
    library.answers["/parts"] = in_parts(b"begin", part(file, 3, 3), b"end")
    answer = wire.send(get("/parts", close=True))
    assert answer.startswith(b"HTTP/1.1 206 ")
    assert split(answer)[2] == b"beginend"


@pytest.mark.parametrize("status", [204, 304])
def test_statuses_without_content_send_none(wire, library, status):
    library.answers["/none"] = Answer(status, b"content")
    assert split(wire.send(get("/none", close=True)))[2] == b""


def test_a_head_request_opens_no_file(wire, library, tmp_path):
    library.answers["/absent"] = Answer(200, part(tmp_path / "absent", 0, SIZE))
    library.answers["/unsent"] = Answer(200, Unsent(SIZE))
    for path in ("/absent", "/unsent"):
        status, headers, body = split(wire.send(get(path, close=True, method="HEAD")))
        assert (status, headers["content-length"], body) == (200, str(SIZE), b"")


def test_nothing_is_sent_when_a_later_part_is_missing(wire, library, file, tmp_path):
    library.answers["/parts"] = in_parts(b"begin", part(file, 0, SIZE), part(tmp_path / "absent", 0, SIZE))
    assert split(wire.send(get("/parts", close=True)))[0] == 503
    assert isinstance(library.unsent[0], ContentGone)
    wire.until(lambda: wire.server.open_files == 0)


@pytest.mark.parametrize("path", ["/file", "/parts"])
def test_a_file_truncated_while_it_is_sent_ends_the_connection(wire, tmp_path, path):
    size = 50 * MIB
    wire.application.path, wire.application.size = tmp_path / "file", size
    with wire.application.path.open("wb") as opened:
        opened.truncate(size)
    with wire.connect() as sock:
        sock.sendall(get(path) + get("/echo"))
        head = sock.recv(1000)
        os.truncate(wire.application.path, MIB)
        rest = read_all(sock)
    assert head.startswith(b"HTTP/1.1 20")
    assert len(rest) < size
    assert b"HTTP/1.1 " not in rest
    wire.until(lambda: wire.application.unsent)
    assert isinstance(wire.application.unsent[0], ClientGone)
    assert wire.application.unsent[0].started
    assert wire.server.open_files == 0
    assert wire.works()


def test_50_mb_outside_the_page_cache_reach_a_slow_reader(wire, tmp_path):
    data = os.urandom(MIB) * 50
    wire.application.path, wire.application.size = tmp_path / "file", len(data)
    with wire.application.path.open("wb") as opened:
        opened.write(data)
        opened.flush()
        os.fsync(opened.fileno())
        os.posix_fadvise(opened.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    found = bytearray()
    with wire.connect() as sock:
        sock.sendall(get("/file", close=True))
        while piece := sock.recv(MIB):
            found += piece
            time.sleep(0.002)
    assert split(bytes(found))[2] == data


def test_a_client_that_leaves_early_leaves_no_file_open(wire, tmp_path):
    wire.application.path, wire.application.size = tmp_path / "file", 50 * MIB
    with wire.application.path.open("wb") as opened:
        opened.truncate(50 * MIB)
    for _ in range(10):
        with wire.connect() as sock:
            sock.sendall(get("/file"))
            sock.recv(1000)
    wire.until(lambda: len(wire.application.unsent) == 10)
    wire.until(lambda: wire.server.open_files == 0)
    wire.until(lambda: wire.server.connections == 0)


def test_files_are_not_counted_as_memory(make_wire, tmp_path):
    wire = make_wire(WireLimits(held=MIB, held_by_address=MIB))
    wire.application.path, wire.application.size = tmp_path / "file", 8 * MIB
    with wire.application.path.open("wb") as opened:
        opened.truncate(8 * MIB)
    socks = [wire.connect() for _ in range(50)]
    for sock in socks:
        sock.sendall(get("/file"))
    wire.until(lambda: wire.server.open_files == 50)
    assert wire.server.budget.held == 0
    for sock in socks:
        assert len(read_answer(sock)[2]) == 8 * MIB
        sock.close()
    assert wire.application.unsent == []
    wire.until(lambda: wire.server.open_files == 0)


# ---------------------------------------------------------------- streams


def whole(content):
    return Part(content, Span(0, content.size))


def test_a_stream_is_sent_and_the_connection_stays_open(wire, library):
    content = Streamed(os.urandom(SIZE))
    library.answers["/stream"] = Answer(200, whole(content))
    with wire.connect() as sock:
        for _ in range(2):
            sock.sendall(get("/stream"))
            assert read_answer(sock)[2] == content.data


@pytest.mark.parametrize("fault", [None, StorageFault("stream content", "the test says no")])
@pytest.mark.parametrize("before", [[], [b"begin"]], ids=["alone", "in parts"])
def test_a_client_can_see_that_a_stream_broke_off(wire, library, before, fault):
    content = Streamed(bytes(SIZE), stop=MIB, fault=fault)
    library.answers["/stream"] = in_parts(*before, whole(content), b"end")
    with wire.connect() as sock:
        sock.sendall(get("/stream") + get("/echo"))
        _, headers, body = split(read_all(sock))
    assert len(body) < int(headers["content-length"])
    assert set(body.removeprefix(b"begin")) == {0}
    assert isinstance(library.unsent[0], ClientGone)
    assert library.unsent[0].started
    assert (wire.server.budget.held, content.closed) == (0, 1)


def test_a_client_that_does_not_read_a_stream_is_closed(make_wire):
    wire = make_wire(WireLimits(progress_period=0.3, min_rate=1_000_000))
    wire.server.application = wire.application = Library()
    content = Streamed(bytes(50 * MIB))
    wire.application.answers["/stream"] = Answer(200, whole(content))
    with wire.connect() as sock:
        sock.sendall(get("/stream"))
        wire.until(lambda: wire.application.unsent)
    assert isinstance(wire.application.unsent[0], ClientGone)
    assert (wire.server.budget.held, content.closed) == (0, 1)
