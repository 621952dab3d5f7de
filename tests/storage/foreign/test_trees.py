"""Directories of other programs: within bounds, and without following links."""

import os

import pytest

from simple_registry.oci.digests import digest_of
from simple_registry.storage.foreign import trees
from simple_registry.storage.sources import SourceInvalid


def test_directories_are_found_in_order_and_not_below_those_that_cannot_be_repositories(tmp_path):
    for path in ("b", "a/x", "a/_layers/y", "a/.hidden", "a/blobs/z", "c"):
        (tmp_path / path).mkdir(parents=True)
    found = trees.below(tmp_path, lambda parent: {"blobs"} if parent.name == "a" else set())
    assert [str(path.relative_to(tmp_path)) for path in found] == ["a", "a/x", "b", "c"]


def test_links_are_not_followed(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "file").write_text("x")
    (tmp_path / "loop").symlink_to(tmp_path)
    (tmp_path / "linked").symlink_to(tmp_path / "file")
    assert trees.directories(tmp_path) == ["real"]
    assert trees.files(tmp_path) == ["file"]
    assert not trees.is_directory(tmp_path / "loop")
    assert trees.find_file(tmp_path / "linked") is None
    assert trees.read_file(tmp_path / "linked", 10) is None


def test_a_tree_deeper_than_a_name_is_not_entered(tmp_path):
    directory = os.open(tmp_path, os.O_RDONLY)
    for _ in range(300):
        os.mkdir("d", dir_fd=directory)
        inner = os.open("d", os.O_RDONLY, dir_fd=directory)
        os.close(directory)
        directory = inner
    os.close(directory)
    assert len(list(trees.below(tmp_path, lambda _: ()))) == 128


def test_what_is_not_a_file_is_absent(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "directory").mkdir()
    for name in ("pipe", "directory", "none", "directory/none"):
        assert trees.find_file(tmp_path / name) is None
        assert trees.read_file(tmp_path / name, 10) is None
    assert trees.directories(tmp_path / "none") == trees.files(tmp_path / "pipe") == []


def test_a_file_is_read_within_a_bound(tmp_path):
    path = tmp_path / "file"
    path.write_text("12345")
    assert trees.read_file(path, 5) == b"12345"
    with pytest.raises(SourceInvalid, match="it has 5 bytes; up to 4 are read"):
        trees.read_file(path, 4)


def test_digests_are_found_by_their_paths(tmp_path):
    digest = digest_of(b"content", "sha512")
    for name in (f"sha512/{digest.encoded}", "sha512/ab", f"sha256/{digest.encoded}", "md5/ab"):
        (tmp_path / name).mkdir(parents=True)
    assert list(trees.digests(tmp_path)) == [(digest, tmp_path / "sha512" / digest.encoded)]
