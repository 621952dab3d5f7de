"""Why content is kept: the path from a tag, in every store."""

import pytest

from simple_registry.oci.digests import digest_of
from simple_registry.oci.media_types import OCI_IMAGE_INDEX
from simple_registry.oci.names import RepositoryName
from simple_registry.operations.explanations import Explained, Explanations
from simple_registry.storage.life import HoldingState
from simple_registry.storage.records import HeldAs, Holding, Part
from support.documents import CONFIG, descriptor, encode, image, index, push_image

A, B = RepositoryName("a"), RepositoryName("b")
LAYER = b"layer"


@pytest.fixture
def explain(front):
    return lambda data, repository=None: front.run(
        Explanations(front.kept.stores.rows.keepers, front.kept.stores.rows.usage).explain(digest_of(data), repository)
    )


def test_a_layer_is_kept_by_a_tag_through_index_and_manifest(front, explain):
    manifest = push_image(front, "a", str(digest_of(encode(image(LAYER)))), LAYER)
    of_both = encode(index(manifest))
    front.push_manifest("a", "v1", of_both, OCI_IMAGE_INDEX)
    front.push_blob("b", LAYER)
    path = [digest_of(of_both), digest_of(manifest), digest_of(LAYER)]
    kept, waiting = explain(LAYER)
    assert (kept.held.repository, kept.held.part, kept.path, kept.tag) == (A, Part.BLOB, path, "v1")
    assert (waiting.held.repository, waiting.held.holding.state, waiting.path) == (B, HoldingState.UNNEEDED, ())
    assert [each.held.repository for each in explain(LAYER, B)] == [B]


def test_a_referrer_is_kept_through_its_subject(front, explain):
    subject = push_image(front, "a", "v1")
    signature = encode(image(subject=descriptor(subject)))
    front.push_manifest("a", str(digest_of(signature)), signature)
    (kept,) = explain(signature)
    assert (kept.path, kept.tag) == ([digest_of(subject), digest_of(signature)], "v1")


def test_a_manifest_without_a_tag_is_kept_by_itself(front, explain):
    manifest = push_image(front, "a", str(digest_of(encode(image()))))
    (kept,) = explain(CONFIG)
    assert (kept.path, kept.tag) == ([digest_of(manifest), digest_of(CONFIG)], None)


def test_what_was_deleted_has_no_path(front, explain, clock):
    manifest = push_image(front, "a", "v1")
    front.delete(f"/v2/a/manifests/{digest_of(manifest)}")
    (gone,) = explain(manifest)
    assert gone == Explained(HeldAs(A, Part.CHILD, Holding(HoldingState.DELETED, clock.now())))
    assert explain(b"never pushed") == []


def test_an_explanation_looks_at_so_many_manifests(front):
    manifest = push_image(front, "a", str(digest_of(encode(image(LAYER)))), LAYER)
    front.push_manifest("a", "v1", encode(index(manifest)), OCI_IMAGE_INDEX)
    rows = front.kept.stores.rows
    for limit, tag in ((1, None), (10, "v1")):
        (kept,) = front.run(Explanations(rows.keepers, rows.usage, limit).explain(digest_of(LAYER)))
        assert kept.tag == tag
