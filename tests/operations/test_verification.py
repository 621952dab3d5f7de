"""Content whose file changed since it was verified: verified before it counts, once, and kept as verified then."""

import asyncio
import os
import time
from pathlib import Path

import pytest

from simple_registry.content import LocalFile, Span
from simple_registry.faults import ContentGone, StorageFault, StorageFull
from simple_registry.oci.digests import digest_of
from simple_registry.oci.errors import Unavailable
from simple_registry.oci.names import parse_repository_name
from simple_registry.operations import verification as module
from simple_registry.operations.verification import Unverified, Verification
from simple_registry.storage.records import ContentRecord
from support.content import Streamed
from support.documents import encode, image, push_image

DATA = bytes(range(256)) * 1000
OTHER = DATA[::-1]
DIGEST = digest_of(DATA)
REPOSITORY = parse_repository_name("a")
PATH = f"/v2/a/blobs/{DIGEST}"


@pytest.fixture
def front(disk_front):
    push_image(disk_front, "a", "v1", DATA)
    return disk_front


@pytest.fixture
def path(front):
    return Path(front.kept.layout.blob(DIGEST))


def edit(path, data):
    time.sleep(0.01)  # times advance with the kernel's tick
    path.chmod(0o600)
    with path.open("r+b") as file:
        file.write(data)
    path.chmod(0o444)


def replace(path, data):
    new = path.with_name("new")
    new.write_bytes(data)
    new.chmod(0o444)
    os.utime(new, ns=(0, path.stat().st_mtime_ns))
    new.rename(path)


def forget(front):
    """Take away the stamps, as a migration from an older version leaves rows."""
    database = front.kept.stores.rows.contents._database
    front.run(database.execute("UPDATE contents SET stamp = '', verified = 0"))


def opened(front):
    return front.run(front.services.registry.blobs.open(REPOSITORY, DIGEST))[1]


CHANGES = pytest.mark.parametrize("change", [edit, replace])
READS = pytest.mark.parametrize(
    ("method", "headers"),
    [
        ("GET", {}),
        ("GET", {"range": "bytes=0-9"}),
        ("GET", {"range": "bytes=0-9,20-29"}),
        ("GET", {"range": "bytes=0-"}),
        ("HEAD", {}),
    ],
)


@READS
@CHANGES
def test_changed_bytes_are_never_served_and_a_push_heals_them(front, path, change, method, headers):
    change(path, OTHER)
    assert front.request(method, PATH, headers=headers).status == 404
    assert front.get(PATH).codes == ["BLOB_UNKNOWN"]
    front.push_blob("a", DATA)
    assert front.get(PATH).body == DATA
    assert isinstance(opened(front), LocalFile)


@CHANGES
def test_nothing_new_refers_to_changed_bytes(front, path, change):
    manifest = encode(image(DATA, annotations={"other": "image"}))
    change(path, OTHER)
    reply = front.put("/v2/a/manifests/v2", body=manifest)
    assert reply.codes == ["MANIFEST_BLOB_UNKNOWN"]


@CHANGES
def test_changed_bytes_are_not_mounted(front, path, change):
    change(path, OTHER)
    assert front.post(f"/v2/b/blobs/uploads/?mount={DIGEST}&from=a").status == 202


@READS
@CHANGES
def test_the_same_bytes_in_another_file_are_verified_once(front, path, monkeypatch, change, method, headers):
    change(path, DATA)
    assert isinstance(opened(front), Unverified)
    assert front.request(method, PATH, headers=headers).status in {200, 206}
    monkeypatch.setattr(Verification, "settle", None)
    assert isinstance(opened(front), LocalFile)
    assert front.get(PATH).body == DATA


def test_a_change_of_its_names_leaves_a_file_verified(front, path, tmp_path):
    os.link(path, tmp_path / "second")
    assert isinstance(opened(front), LocalFile)


def test_after_an_upgrade_a_head_reads_no_content(front, path):
    forget(front)
    edit(path, OTHER)
    assert front.head(PATH).status == 200
    assert front.get(PATH).status == 404


@pytest.mark.parametrize("headers", [{}, {"range": "bytes=0-9"}])
def test_after_an_upgrade_the_first_read_verifies(front, headers):
    forget(front)
    assert isinstance(opened(front), Unverified)
    assert front.get(PATH, headers=headers).status in {200, 206}
    assert isinstance(opened(front), LocalFile)


def test_a_process_that_cannot_write_rows_remembers_what_it_verified(front, path, monkeypatch):
    async def fail(*_):
        raise StorageFull("write rows", "the disk")

    replace(path, DATA)
    monkeypatch.setattr(front.kept.stores.rows.contents, "mark_verified", fail)
    assert front.get(PATH).body == DATA
    assert isinstance(opened(front), LocalFile)


# ---------------------------------------------------------------- one verification


RECORD = ContentRecord(DIGEST, len(DATA), stamp="old")


class Rows:
    """Rows that keep what they are told."""

    def __init__(self):
        self.verified, self.damaged = [], []

    async def mark_verified(self, stamps):
        self.verified += stamps.items()

    async def mark_damaged(self, record):
        self.damaged.append(record)


@pytest.fixture
def rows():
    return Rows()


@pytest.fixture
def verification(rows):
    return Verification(rows, rows.mark_damaged)


async def read(content, span):
    pieces = []
    try:
        async for piece in content.stream(span):
            pieces += [piece]
    except ContentGone:
        return b"".join(pieces), False
    return b"".join(pieces), True


@pytest.mark.parametrize("size", [0, 1, 4096])
def test_the_last_piece_waits_for_the_digest(rows, verification, size):
    good, bad = DATA[:size], OTHER[:size] or b"x"

    async def main():
        for data, actual, whole in ((good, good, True), (good, bad, False)):
            record = ContentRecord(digest_of(data), len(actual), stamp="old")
            content = verification.checked(record, Streamed(actual, piece=1024, stamp="new"))
            received, ended = await read(content, Span(0, len(actual)))
            assert ended == whole
            assert received == (actual if whole else actual[: max(0, len(actual) - 1024)])
        assert [stamp for _, stamp in rows.verified] == ["new"]
        assert len(rows.damaged) == 1

    asyncio.run(main())


def test_content_that_cannot_be_read_is_damaged(rows, verification):
    content = Streamed(DATA, stop=10, fault=ContentGone("read", "a bad sector"), stamp="new")
    assert not asyncio.run(verification.verify(RECORD, content))
    assert rows.damaged == [RECORD]


def test_a_fault_is_no_damage(rows, verification):
    content = Streamed(DATA, stop=10, fault=StorageFault("read", "too many open files"), stamp="new")
    with pytest.raises(StorageFault):
        asyncio.run(verification.verify(RECORD, content))
    assert rows.damaged == rows.verified == []


def test_requests_share_one_verification_and_wait_for_a_bounded_time(rows, verification, monkeypatch):
    monkeypatch.setattr(module, "MAX_WAIT", 0.05)

    class Slow(Streamed):
        async def feed(self, take):
            await go.wait()
            await super().feed(take)

    async def main():
        content = Slow(DATA, stamp="new")
        waiting = [verification.verify(RECORD, content) for _ in range(3)]
        assert all(isinstance(end, Unavailable) for end in await asyncio.gather(*waiting, return_exceptions=True))
        with pytest.raises(StorageFault, match="is being verified"):
            await read(verification.checked(RECORD, content), Span(0, 10))
        monkeypatch.setattr(module, "MAX_PENDING", 1)
        with pytest.raises(Unavailable):
            await verification.verify(ContentRecord(digest_of(b"x"), 1, stamp="old"), Streamed(b"x", stamp="new"))
        monkeypatch.setattr(module, "MAX_WAIT", 30)
        go.set()
        assert await verification.verify(RECORD, content)
        assert len(content.started) == 1
        assert rows.verified == [(RECORD, "new")]

    go = asyncio.Event()
    asyncio.run(main())
