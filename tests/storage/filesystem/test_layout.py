"""Paths are built from parsed values and never leave the data directory."""

import os
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from simple_registry.oci.digests import ALGORITHMS, Digest, digest_of
from simple_registry.storage.filesystem.layout import Layout, is_session

LAYOUT = Layout("/data")
TROUBLE = st.text() | st.sampled_from(["", ".", "..", "../x", "a/b", "/etc/passwd", "x\n", "a\0b", "A" * 129, "é"])


def below(path, directory):
    return os.path.normpath(path) == path and Path(path).is_relative_to(directory) and path != directory


def test_a_blob_lies_below_its_algorithm_and_first_two_digits():
    digest = digest_of(b"")
    assert LAYOUT.blob(digest) == f"/data/blobs/sha256/e3/{digest.encoded}"
    assert LAYOUT.blob_directory(digest) == "/data/blobs/sha256/e3"


def test_paths_do_not_depend_on_the_current_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert Layout("data").uploads == f"{tmp_path}/data/uploads"


@given(st.binary(), st.sampled_from(["sha256", "sha512"]))
def test_every_blob_lies_below_the_blobs(data, algorithm):
    assert below(LAYOUT.blob(digest_of(data, algorithm)), LAYOUT.blobs)


@given(TROUBLE.filter(lambda text: text not in ALGORITHMS), TROUBLE)
def test_a_digest_that_was_not_parsed_has_no_path(algorithm, encoded):
    for digest in (Digest(algorithm, encoded), Digest("sha256", encoded), Digest(algorithm, "0" * 64)):
        with pytest.raises(ValueError):
            LAYOUT.blob(digest)


@given(TROUBLE | st.from_regex(r"[A-Za-z0-9_-]{1,128}", fullmatch=True))
def test_a_session_lies_directly_below_the_uploads_or_has_no_path(session):
    if is_session(session):
        assert os.path.dirname(LAYOUT.session(session)) == LAYOUT.uploads
        assert below(LAYOUT.session(session), LAYOUT.uploads)
    else:
        with pytest.raises(ValueError):
            LAYOUT.session(session)


@pytest.mark.parametrize("session", ["", ".", "..", "a/b", "a\n", "a b", "é", "x" * 129, "٣"])
def test_these_names_are_not_sessions(session):
    assert not is_session(session)


def test_the_quarantine_takes_any_name_and_stays_below_the_root(layout):
    assert layout.relative(layout.quarantined("sha256:ab", 3)) == "quarantine/sha256:ab.3"
    assert layout.relative(layout.quarantined("../../etc/\udcff", 1)) == "quarantine/.._.._etc__.1"


@pytest.mark.parametrize(
    ("algorithm", "shard"), [("sha1", "ab"), ("sha256", ".."), ("sha256", "abc"), ("sha256", "AB")]
)
def test_other_text_is_not_a_digest_prefix(layout, algorithm, shard):
    with pytest.raises(ValueError):
        layout.shard(algorithm, shard)
