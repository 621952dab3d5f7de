"""The rows of the journal."""

import pytest

from simple_registry.faults import StorageFault
from simple_registry.oci.names import Tag
from simple_registry.storage.records import Place
from storage.support import REPOSITORY, manifest_of, run
from support.actors import ACTOR

V1 = Tag("v1")


def test_a_change_is_committed_with_its_event_or_not_at_all(store, look):
    manifest = manifest_of(b"m")
    look("CREATE TRIGGER refuse BEFORE INSERT ON journal BEGIN SELECT raise(ABORT, 'no'); END")
    with pytest.raises(StorageFault):
        run(
            store.manifests.put_manifest(
                REPOSITORY, manifest, place=Place(""), removals=0, tags=[V1], parts=(), actor=ACTOR
            )
        )
    assert run(store.manifests.find_manifest(REPOSITORY, manifest.digest)) is None
    assert look("SELECT * FROM tags") == []
