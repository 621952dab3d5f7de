"""The table of reviews has the manifests without a tag, and nothing else; what reviews do is in the contracts."""

from simple_registry.oci.names import Tag
from simple_registry.storage.records import Place, ReviewRules
from storage.support import ACTOR, REPOSITORY, manifest_of, run

IMAGE, OTHER = manifest_of(b"image"), manifest_of(b"other")


def test_a_manifest_with_a_tag_has_no_review(store, look):
    def reviews():
        return {digest for (digest,) in look("SELECT digest FROM reviews")}

    async def put(manifest, *tags):
        await store.manifests.put_manifest(
            REPOSITORY, manifest, place=Place(""), removals=0, tags=tags, parts=(), actor=ACTOR
        )

    async def scenario():
        await put(IMAGE, Tag("v1"))
        assert reviews() == set()
        await put(OTHER)
        assert reviews() == {str(OTHER.digest)}
        await put(OTHER, Tag("v1"))
        assert reviews() == {str(IMAGE.digest)}
        await store.tags.remove_tag(REPOSITORY, Tag("v1"), actor=ACTOR)
        assert reviews() == {str(IMAGE.digest), str(OTHER.digest)}
        await store.reviews.review(ReviewRules(9e9, lambda _: False), 9)
        assert reviews() == set()

    run(scenario())
