"""The rows of undoing; `tests/storage/contracts/test_undo_rows.py` has the rest."""

from simple_registry.oci.names import Tag
from simple_registry.storage.records import Place, RepositoryRemoved
from storage.support import REPOSITORY, manifest_of, run
from support.actors import ACTOR

MANIFESTS = 300


def test_large_repositories_are_deleted_and_restored_in_one_transaction(store, look):
    manifests = {Tag(f"v{number}"): manifest_of(f"{number}".encode()) for number in range(MANIFESTS)}

    async def scenario():
        for tag, manifest in manifests.items():
            await store.manifests.put_manifest(
                REPOSITORY, manifest, place=Place(""), removals=0, tags=[tag], parts=(), actor=ACTOR
            )
        removed = await store.undo.remove_repository(REPOSITORY, tags=[*manifests], actor=ACTOR)
        assert removed == RepositoryRemoved(MANIFESTS)
        deletion = await store.undo.find_deletion(REPOSITORY, None)
        digests = {tag: manifest.digest for tag, manifest in manifests.items()}
        restored = await store.undo.restore(REPOSITORY, [*digests.values()], digests, deletion=deletion, actor=ACTOR)
        assert (len(restored.manifests), len(restored.tags)) == (MANIFESTS, MANIFESTS)

    run(scenario())
    assert look("SELECT count(*) FROM journal WHERE cause IS NOT NULL") == [(4 * MANIFESTS,)]
