"""The contract of inspections of content stores."""

import uuid
from types import SimpleNamespace

import pytest

from simple_registry.oci.digests import digest_of
from simple_registry.storage.filesystem.disk import Disk
from simple_registry.storage.filesystem.inspection import FilesystemInspection
from simple_registry.storage.filesystem.layout import Layout
from simple_registry.storage.filesystem.threads import Threads
from simple_registry.storage.records import ContentRecord
from storage.support import disk_stores, run
from support.object_store.client import Objects
from support.object_store.inspection import ObjectInspection
from support.object_store.stores import ObjectContentStore

DATA = b"content"
DIGEST = digest_of(DATA)
PREFIX = str(DIGEST)[:9]


@pytest.fixture(params=["disk", "objects"])
def stores(request, tmp_path, clock):
    """Stores of every kind that `fsck` can inspect."""
    if request.param == "disk":
        with disk_stores(tmp_path / "data", clock) as stores:
            yield stores
    else:
        yield SimpleNamespace(content=ObjectContentStore(bucket(request)))


@pytest.fixture
def inspection(stores, tmp_path):
    if isinstance(stores.content, ObjectContentStore):
        yield ObjectInspection(stores.content._objects)
    else:
        threads = Threads()
        yield FilesystemInspection(Layout(tmp_path / "data"), Disk(), threads)
        threads.close()


def bucket(request):
    return Objects(request.getfixturevalue("object_port"), f"{uuid.uuid4()}/")


@pytest.fixture
def place(stores):
    return run(stores.content.put(DIGEST, DATA)).place


def ignored(_size):
    pass


def test_stored_content_is_listed_and_found(stores, inspection):
    inspection.check()
    assert run(inspection.listing(PREFIX)) == []
    place = run(stores.content.put(DIGEST, DATA)).place
    (stored,) = run(inspection.listing(PREFIX))
    assert (stored.digest, stored.place, stored.size, stored.flaw) == (DIGEST, place, len(DATA), None)
    assert run(inspection.find(DIGEST, place)) == stored
    assert run(inspection.listing("sha512:00")) == []
    run(stores.content.remove(ContentRecord(DIGEST, len(DATA), place)))
    assert run(inspection.find(DIGEST, place)) is None


def test_a_listing_is_in_order_of_digest(stores, inspection):
    digests = [digest_of(str(number).encode()) for number in range(2000)]
    same = sorted(digest for digest in digests if str(digest).startswith(PREFIX))
    assert len(same) > 2
    for digest in same:
        run(stores.content.put(digest, b"x"))
    assert [stored.digest for stored in run(inspection.listing(PREFIX))] == same


def test_replaced_content_has_another_version(stores, inspection, place):
    before = run(inspection.find(DIGEST, place))
    assert run(inspection.find(DIGEST, place)) == before
    after = run(inspection.find(DIGEST, run(stores.content.put(DIGEST, DATA[::-1])).place))
    assert after != before
    assert run(inspection.hash(after, ignored)) == digest_of(DATA[::-1])


def test_bytes_are_hashed_while_they_are_those_that_were_seen(stores, inspection, place):
    stored = run(inspection.find(DIGEST, place))
    sizes = []
    assert run(inspection.hash(stored, sizes.append)) == DIGEST
    assert sum(sizes) == len(DATA)
    assert run(inspection.keep(stored))
    run(stores.content.remove(ContentRecord(DIGEST, len(DATA), place)))
    assert run(inspection.hash(stored, ignored)) is None
    assert not run(inspection.keep(stored))
