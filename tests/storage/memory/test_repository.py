"""The parts of a manifest that a repository in memory has."""

from simple_registry.storage.life import HoldingState
from simple_registry.storage.records import Holding, Part
from storage.support import manifest_of
from support.memory.repository import MemoryRepository


def test_a_manifest_is_a_part_only_where_a_child_is_needed():
    manifest = manifest_of(b"m")
    repository = MemoryRepository(manifests={manifest.digest: (manifest, Holding(HoldingState.NEEDED))})
    assert repository.has_part(Part.CHILD, manifest.digest)
    assert not repository.has_part(Part.BLOB, manifest.digest)
