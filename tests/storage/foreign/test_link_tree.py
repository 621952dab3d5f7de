"""Trees of links: what a repository serves, and what is wrong in it."""

import pytest

from simple_registry.oci.digests import digest_of
from simple_registry.storage.foreign.link_tree import LinkTree
from simple_registry.storage.sources import SourceDefect
from support.documents import CONFIG
from support.foreign import IMAGE, INDEX, LAYER, SIGNATURE, distribution, simple_registry


@pytest.fixture
def links(tmp_path):
    return distribution(tmp_path)


@pytest.fixture
def tree(links):
    return LinkTree("distribution", links.base, data_name="data")


def only(tree):
    (repository,) = tree.repositories()
    return repository


def test_a_repository_has_its_layers_manifests_and_tags(links, tree):
    links.image("team/app")
    found = only(tree)
    assert found.name == "team/app"
    assert set(found.blobs) == {digest_of(CONFIG), digest_of(LAYER)}
    assert set(found.manifests) == {digest_of(IMAGE), digest_of(INDEX), digest_of(SIGNATURE)}
    assert found.tags == {"v1": digest_of(INDEX)}
    assert (found.uploads, found.defects) == (0, [])
    assert tree.find(found.name, digest_of(LAYER)).path == str(links.blob(LAYER))


def test_repositories_are_nested_and_in_order(links, tree):
    for name in ("b", "a/b", "a"):
        links.image(name)
    assert [found.name for found in tree.repositories()] == ["a", "a/b", "b"]


def test_content_of_the_other_registry_is_named_by_its_digest(tmp_path):
    links = simple_registry(tmp_path)
    links.image("app")
    tree = LinkTree("simple-registry", tmp_path, tags_suffice=True)
    assert tree.find("app", digest_of(LAYER)).size == len(LAYER)


def test_what_was_deleted_is_not_there(links, tree):
    links.layer("app", CONFIG).unlink()
    links.manifest("app", IMAGE, "gone").unlink()
    found = only(tree)
    assert (found.blobs, found.manifests, found.tags) == ([], [], {})
    assert found.defects == [SourceDefect("app:gone", f"it points at {digest_of(IMAGE)}, which was deleted")]


def test_a_tag_serves_a_manifest_that_is_linked_as_a_layer(links, tree):
    links.manifest("app", IMAGE, "old").unlink()
    links.layer("app", IMAGE)
    found = only(tree)
    assert (found.manifests, found.tags) == ([digest_of(IMAGE)], {"old": digest_of(IMAGE)})


def test_in_the_go_registry_a_tag_serves_a_deleted_manifest(tmp_path):
    links = simple_registry(tmp_path)
    links.manifest("app", IMAGE, "v1").unlink()
    found = only(LinkTree("simple-registry", tmp_path, tags_suffice=True))
    assert (found.manifests, found.tags) == ([digest_of(IMAGE)], {"v1": digest_of(IMAGE)})


def test_unfinished_uploads_are_counted(links, tree):
    links.image("app")
    (links.base / "repositories/app/_uploads/0b1c").mkdir(parents=True)
    assert only(tree).uploads == 1


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "it holds no digest"),
        ("sha256:1", "it holds no digest"),
        (str(digest_of(b"other")), f"it names another digest, {digest_of(b'other')}"),
        ("x" * 1000, "it has 1000 bytes; up to 256 are read"),
    ],
)
def test_a_bad_link_is_a_defect(links, tree, text, said):
    links.image("app")
    encoded = digest_of(LAYER).encoded
    links.link(f"app/_layers/sha256/{encoded}", digest_of(LAYER), text)
    found = only(tree)
    assert found.defects == [SourceDefect(f"repositories/app/_layers/sha256/{encoded}/link", said)]
    assert digest_of(LAYER) not in found.blobs


def test_invalid_names_are_defects(links, tree):
    links.image("Team")
    links.manifest("app", IMAGE, "not a tag")
    links.link("app/_layers/sha256/odd", digest_of(LAYER))
    bad, found = tree.repositories()
    assert bad == SourceDefect("repositories/Team", "it is not a valid name of a repository")
    assert found.defects == [SourceDefect("repositories/app/_manifests/tags/not a tag", "it is not a valid tag")]
