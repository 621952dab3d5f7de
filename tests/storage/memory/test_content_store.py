"""Content in memory; the contracts cover the rest."""

from simple_registry.content import InMemory
from simple_registry.oci.digests import digest_of
from storage.support import blob_of, run
from support.memory.content_store import MemoryContentStore


def test_content_is_bytes():
    store = MemoryContentStore()
    run(store.put(digest_of(b"x"), b"x"))
    assert run(store.open(blob_of(b"x"))) == InMemory(b"x")
