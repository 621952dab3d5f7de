"""What keeps content is bounded; what it is, operations test in every store."""

from simple_registry.oci.names import Tag
from simple_registry.storage.records import Place
from storage.support import ACTOR, REPOSITORY, blob_of, manifest_of, run

LAYER = blob_of(b"layer")


def test_no_more_keepers_are_read_than_asked_for(store):
    async def scenario():
        for number in range(4):
            await store.manifests.put_manifest(
                REPOSITORY,
                manifest_of(b"%d" % number, children=(LAYER.digest,)),
                place=Place(""),
                removals=0,
                tags=[Tag(f"v{number}")],
                parts=(),
                actor=ACTOR,
            )
        keepers = await store.keepers.keepers_of(REPOSITORY, LAYER.digest, 3)
        assert (len(keepers.tags), len(keepers.manifests)) == (0, 3)

    run(scenario())
