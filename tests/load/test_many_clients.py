"""Many concurrent clients: every push is acknowledged, content is stored once, and memory is bounded."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from e2e.server import Registry, serve
from harness.large_content import Content
from load.clients import Client

pytestmark = pytest.mark.slow

MIB = 1024 * 1024
PROMPT_COLLECTION = """\
kind: Configuration
metadata: {name: load}
spec: {garbageCollection: {interval: 1s, grace: 1m}}
"""
"""Deleted gigabytes are removed from the disk soon, but blobs of no manifest not while a test needs them."""


@pytest.fixture(scope="module")
def registry(tmp_path_factory):
    with serve(tmp_path_factory.mktemp("load"), configuration=PROMPT_COLLECTION) as registry:
        yield registry


def blob_files(registry: Registry) -> list[Path]:
    return [path for path in (registry.log.parent / "data" / "blobs").rglob("*") if path.is_file()]


def resident(pid: int) -> int:
    """Return the memory of a process and its children in bytes; shared pages count once."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    total = 0
    for process in (str(pid), *children):
        for line in Path(f"/proc/{process}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                total += int(line.split()[1]) * 1024
    return total


@contextmanager
def peak_memory(pid: int) -> Iterator[list[int]]:
    """Sample the memory of a process and its children; at the end of the block, the list has the maximum."""
    peak = [0]
    stop = threading.Event()

    def watch() -> None:
        while not stop.wait(0.1):
            peak[0] = max(peak[0], resident(pid))

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield peak
    finally:
        stop.set()
        watcher.join()


def test_fifty_concurrent_pushes_of_one_blob_get_201_and_leave_one_file(registry):
    content = Content(seed=1, pieces=4)
    digest = content.digest()
    before = len(blob_files(registry))
    gate = threading.Barrier(50)

    def push(number: int) -> int:
        with Client(registry) as client:
            location = client.start(f"fifty/repository{number}")
            gate.wait()
            return client.request(
                "PUT", f"{location}?digest={digest}", iter(content), Content_Length=str(content.size)
            )[0]

    with ThreadPoolExecutor(50) as pool:
        assert list(pool.map(push, range(50))) == [201] * 50
    assert len(blob_files(registry)) == before + 1
    with Client(registry) as client:
        for number in range(50):
            assert client.request("HEAD", f"/v2/fifty/repository{number}/blobs/{digest}")[0] == 200
    assert not list((registry.log.parent / "data" / "uploads").iterdir())


def test_eight_large_uploads_and_eight_downloads_stay_under_200_mb(registry):
    contents = [Content(seed=100 + number, pieces=512) for number in range(8)]
    digests = [content.digest() for content in contents]

    def push(number: int) -> int:
        with Client(registry) as client:
            path = f"{client.start('large/upload')}?digest={digests[number]}"
            return client.request("PUT", path, iter(contents[number]), Content_Length=str(contents[number].size))[0]

    def pull(number: int) -> bool:
        with Client(registry) as client:
            return client.pull("large/upload", digests[number]) == digests[number]

    with peak_memory(registry.pid) as uploading, ThreadPoolExecutor(8) as pool:
        assert list(pool.map(push, range(8))) == [201] * 8
    with peak_memory(registry.pid) as downloading, ThreadPoolExecutor(8) as pool:
        assert all(pool.map(pull, range(8)))
    print(f"peak memory: {uploading[0] // MIB} MiB uploading, {downloading[0] // MIB} MiB downloading")
    assert uploading[0] < 200 * 1000 * 1000
    assert downloading[0] < 200 * 1000 * 1000


@pytest.mark.parametrize("way", ["post then put", "single post", "chunks"])
def test_a_five_gib_blob_can_be_pushed_in_every_way(registry, way):
    content = Content(seed=5_000 + len(way), pieces=5 * 1024)
    digest = content.digest()
    with Client(registry) as client:
        length = str(content.size)
        started = time.monotonic()
        if way == "single post":
            path = f"/v2/five/gib/blobs/uploads/?digest={digest}"
            assert client.request("POST", path, iter(content), Content_Length=length)[0] == 201
        elif way == "post then put":
            path = f"{client.start('five/gib')}?digest={digest}"
            assert client.request("PUT", path, iter(content), Content_Length=length)[0] == 201
        else:
            push_in_chunks(client, content, digest)
        print(f"{way}: {content.size / MIB / (time.monotonic() - started):.0f} MiB/s")
        status, headers = client.request("HEAD", f"/v2/five/gib/blobs/{digest}")
        assert (status, headers["content-length"]) == (200, length)
        last = client.send("GET", f"/v2/five/gib/blobs/{digest}", Range=f"bytes={content.size - 256}-")
        assert (last.status, last.read()) == (206, bytes(range(256)))
        assert client.request("DELETE", f"/v2/five/gib/blobs/{digest}")[0] == 202


def push_in_chunks(client: Client, content: Content, digest: str, pieces: int = 1024) -> None:
    location = client.start("five/gib")
    stream = iter(content)
    start = 0
    while start < content.size:
        size = min(pieces * MIB, content.size - start)
        chunk = (next(stream) for _ in range(size // MIB))
        status, headers = client.request(
            "PATCH", location, chunk, Content_Length=str(size), Content_Range=f"{start}-{start + size - 1}"
        )
        assert (status, headers["range"]) == (202, f"0-{start + size - 1}")
        location = headers["location"]
        start += size
    assert client.request("PUT", f"{location}?digest={digest}")[0] == 201
