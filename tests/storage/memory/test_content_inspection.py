"""Content in memory as if it were files; what it promises stands in the contracts."""

from simple_registry.oci.digests import digest_of
from simple_registry.storage.memory.content_inspection import MemoryContentInspection
from simple_registry.storage.memory.content_store import MemoryContentStore
from simple_registry.storage.memory.upload_store import MemoryUploadStore
from storage.support import ManualClock, run


def test_what_is_set_aside_is_kept():
    content = MemoryContentStore()
    files = MemoryContentInspection(content, MemoryUploadStore(content, ManualClock()))
    run(content.put(digest_of(b"x"), b"damaged"))
    place = files.place(digest_of(b"x"))
    assert files.set_aside(place, files.look(place), "x") == "quarantine/x.1"
    assert files.quarantine == {"x.1": b"damaged"}
