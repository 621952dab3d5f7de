"""Rows in memory for a check; what they promise stands in the contracts."""

from simple_registry.oci.names import Tag
from simple_registry.storage.inspection import Defect
from simple_registry.storage.life import ContentState
from simple_registry.storage.memory.metadata_store import MemoryMetadataStore
from storage.support import REPOSITORY, ManualClock, blob_of, manifest_of, run


def test_defects_that_code_keeps_away_are_found_when_planted():
    rows = MemoryMetadataStore(ManualClock())
    blob = blob_of(b"x")
    run(rows.add_blob(REPOSITORY, blob, removals=0))
    rows._contents[blob.digest] = (blob, ContentState.CONDEMNED)
    (found,) = run(rows.page_defects(Defect.HELD_AS_UNHELD, None, 5))
    assert run(rows.mend(found))
    assert run(rows.page_defects(Defect.HELD_AS_UNHELD, None, 5)) == []
    manifest = manifest_of(b"m")
    rows._repositories[REPOSITORY].tags[Tag("v1")] = manifest.digest
    (found,) = run(rows.page_defects(Defect.TAG_WITHOUT_MANIFEST, None, 5))
    assert run(rows.restore_manifest(found, manifest, present=lambda: True))
    assert run(rows.page_defects(Defect.TAG_WITHOUT_MANIFEST, None, 5)) == []
