"""Layouts in directories, alone and as a tree of repositories."""

import asyncio

import pytest

from simple_registry.oci.digests import digest_of
from simple_registry.oci.media_types import OCI_IMAGE_INDEX, OCI_IMAGE_MANIFEST
from simple_registry.storage.foreign.layout_directory import LayoutDirectory, LayoutTree
from simple_registry.storage.sources import SourceDefect, SourceInvalid
from support.documents import CONFIG, encode, index
from support.foreign import IMAGE, INDEX, LAYER, SIGNATURE, layout


def test_a_layout_has_an_index_and_content(tmp_path):
    made = layout(tmp_path / "app").image()
    directory = LayoutDirectory(made.root)
    assert asyncio.run(directory.index()) == (made.root / "index.json").read_bytes()
    assert asyncio.run(directory.open(digest_of(LAYER))).size == len(LAYER)
    assert asyncio.run(directory.open(digest_of(b"other"))) is None


def test_another_directory_is_refused(tmp_path):
    with pytest.raises(SourceInvalid, match="it has no index"):
        asyncio.run(LayoutDirectory(tmp_path).index())


def test_a_tree_has_a_repository_for_each_layout(tmp_path):
    layout(tmp_path / "a").image()
    layout(tmp_path / "a" / "nested").image("v2")
    (tmp_path / "_trivy").mkdir()
    (tmp_path / "a" / ".uploads").mkdir()
    (tmp_path / "a" / ".uploads" / "0b1c").write_bytes(b"half")
    first, second = LayoutTree("zot", tmp_path).repositories()
    assert (first.name, first.uploads, second.name, second.tags) == ("a", 1, "a/nested", {"v2": digest_of(INDEX)})
    assert set(first.manifests) == {digest_of(INDEX), digest_of(IMAGE), digest_of(SIGNATURE)}
    assert set(first.blobs) == {digest_of(CONFIG), digest_of(LAYER)}
    assert first.defects == []


def test_manifests_of_nested_indexes_are_found_once(tmp_path):
    made = layout(tmp_path / "app").image()
    outer = INDEX
    for _ in range(40):
        outer = encode(index(outer, outer, child_type=OCI_IMAGE_INDEX))
        made.blob(outer)
    made.entry(outer, OCI_IMAGE_INDEX, "deep")
    (found,) = LayoutTree("layout", tmp_path).repositories()
    assert len(found.manifests) == 43


def test_what_cannot_be_read_is_a_defect(tmp_path):
    layout(tmp_path / "Team").image()
    broken = layout(tmp_path / "broken")
    broken.finish()
    (broken.root / "index.json").write_text("{")
    layout(tmp_path / "named").image("not a name")
    bad, invalid, named = LayoutTree("layout", tmp_path).repositories()
    assert bad == SourceDefect("Team", "it is not a valid name of a repository")
    assert invalid.path == "broken"
    assert invalid.reason.startswith("index.json: ")
    assert [defect.path for defect in named.defects] == ["named/index.json"]


def test_an_index_that_is_damaged_hides_no_other_manifest(tmp_path):
    made = layout(tmp_path / "app").image()
    made.blob(INDEX).write_bytes(b"{")
    made.entry(IMAGE, OCI_IMAGE_MANIFEST)
    (found,) = LayoutTree("layout", tmp_path).repositories()
    assert set(found.manifests) == {digest_of(INDEX), digest_of(IMAGE), digest_of(SIGNATURE)}
