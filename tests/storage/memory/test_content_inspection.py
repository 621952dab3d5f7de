"""The content of a store in memory, inspected; what it promises is in the contracts."""

from simple_registry.oci.digests import digest_of
from simple_registry.storage.memory.content_inspection import MemoryContentInspection
from simple_registry.storage.memory.content_store import MemoryContentStore


def test_content_is_named_by_its_digest_and_a_session_by_itself():
    inspection = MemoryContentInspection(MemoryContentStore())
    assert inspection.path(digest_of(b"x")) == str(digest_of(b"x"))
    assert inspection.session_path("s") == "s"
