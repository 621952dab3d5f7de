"""Manifests cannot slow other requests, neither by long listings nor by many small objects."""

import base64
import hashlib
import http.client
import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager

import pytest

from e2e.server import serve
from load.test_many_clients import MIB, peak_memory, resident
from simple_registry.oci.manifests import MAX_ENTRIES

pytestmark = pytest.mark.slow

INDEX = "application/vnd.oci.image.index.v1+json"
SUBJECT = f"sha256:{hashlib.sha256(b'subject').hexdigest()}"
REFERRERS = 80
MAX_MANIFEST = 4 * MIB


@pytest.fixture
def registry(tmp_path):
    with serve(tmp_path, options=["-workers", "1"]) as registry:
        yield registry


def index(**fields):
    return json.dumps(
        {"schemaVersion": 2, "mediaType": INDEX, "manifests": [], **fields}, separators=(",", ":")
    ).encode()


def put(registry, tag, data, source="127.0.0.1"):
    """Push a manifest from an address and return the status; one address may push only a few large ones at once."""
    credentials = base64.b64encode(f"{registry.username}:{registry.password}".encode()).decode()
    with closing(http.client.HTTPConnection(registry.host, timeout=120, source_address=(source, 0))) as connection:
        headers = {"Content-Type": INDEX, "Authorization": f"Basic {credentials}"}
        connection.request("PUT", f"/v2/a/manifests/{tag}", data, headers)
        return connection.getresponse().status


@contextmanager
def watched(registry):
    """Yield a list with the longest wait of another request during the block, in seconds."""
    longest, over = [0.0], threading.Event()

    def ask():
        while not over.is_set():
            started = time.monotonic()
            assert registry.request("GET", "/healthz", anonymous=True).status == 200
            longest[0] = max(longest[0], time.monotonic() - started)

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        yield longest
    finally:
        over.set()
        thread.join()


def test_a_page_of_large_referrers_does_not_delay_other_requests(registry):
    subject = {"mediaType": INDEX, "digest": SUBJECT, "size": 7}
    for number in range(REFERRERS):
        annotations = {"n": str(number), **{f"{part}": "x" * 60_000 for part in range(69)}}
        assert put(registry, f"r{number}", index(subject=subject, annotations=annotations)) == 201
    before = resident(registry.pid)

    def every_page(_client):
        path, found = f"/v2/a/referrers/{SUBJECT}", []
        while path:
            answer = registry.request("GET", path)
            assert len(answer.body) < MAX_MANIFEST
            found += [each["digest"] for each in json.loads(answer.body)["manifests"]]
            link = answer.headers.get("link", "")
            path = link[1 : link.index(">")] if link else ""
        return len(set(found))

    with watched(registry) as longest, peak_memory(registry.pid) as peak, ThreadPoolExecutor(4) as pool:
        assert list(pool.map(every_page, range(8))) == [REFERRERS] * 8
    print(f"\n{longest[0]:.2f} s waited at most, {(peak[0] - before) / MIB:.0f} MiB more than before")
    assert longest[0] < 0.5
    assert peak[0] - before < 100 * MIB


def test_documents_of_many_small_objects_are_read_one_at_a_time(registry):
    objects, filler = "{}," * (MAX_ENTRIES // 2 - 10), "x" * (MAX_MANIFEST // 2)
    documents = [index(n=filler, x=[number]).replace(b'"x":[', f'"x":[{objects}'.encode()) for number in range(8)]
    assert put(registry, "first", documents[0]) == 201
    before = resident(registry.pid)

    with watched(registry) as longest, peak_memory(registry.pid) as peak, ThreadPoolExecutor(8) as pool:
        sources = [f"127.0.0.{number}" for number in range(2, 10)]
        assert list(pool.map(lambda data, source: put(registry, "v1", data, source), documents, sources)) == [201] * 8
    print(f"\n{longest[0]:.2f} s waited at most, {(peak[0] - before) / MIB:.0f} MiB more than before")
    assert longest[0] < 0.5
    assert peak[0] - before < 250 * MIB


def test_too_many_small_objects_are_refused_without_delaying_others(registry):
    objects = "{}," * ((MAX_MANIFEST - 1000) // 3)
    data = index(x=[]).replace(b'"x":[]', f'"x":[{objects}0]'.encode())
    with watched(registry) as longest:
        assert [put(registry, "v1", data) for _ in range(4)] == [400] * 4
    assert longest[0] < 0.5
