"""`gc explain`: what keeps content, or when it ends."""

import io
import json

import pytest

from simple_registry.cli.gc import gc
from simple_registry.cli.options import UsageError
from simple_registry.oci.digests import digest_of
from support.documents import push_image
from support.front import Front
from support.stores import on_disk
from support.time import SettableClock

LAYER = b"a layer"


@pytest.fixture
def front(tmp_path):
    """A server over the directory."""
    clock = SettableClock()
    with on_disk(tmp_path / "data", clock) as kept, Front(kept, clock) as front:
        yield front


@pytest.fixture
def run(tmp_path):
    def call(*words, code=0):
        stdout = io.StringIO()
        assert gc(words, {"SIMPLE_REGISTRY_DATADIR": str(tmp_path / "data")}, stdout) == code
        return stdout.getvalue()

    return call


def test_the_path_from_the_tag_is_shown(front, run):
    manifest = digest_of(push_image(front, "team/a", "v1", LAYER))
    layer = digest_of(LAYER)
    line = f"team/a: the blob is needed by the tag v1: {manifest} -> {layer}\n"
    assert run("explain", str(layer)) == run("explain", f"team/a@{layer}") == line
    assert run("explain", "team/a:v1") == f"team/a: the manifest is needed by the tag v1: {manifest}\n"


def test_the_end_of_what_was_deleted_is_shown(front, run):
    manifest = digest_of(push_image(front, "a", "v1"))
    front.delete(f"/v2/a/manifests/{manifest}")
    since, ends = "2023-11-14T22:13:20Z", "2023-11-15T22:13:20Z"
    assert run("explain", str(manifest)) == f"a: the manifest is deleted since {since}, ends {ends}\n"
    (described,) = json.loads(run("explain", str(manifest), "-json"))
    assert (described["state"], described["ends"], described["path"]) == ("deleted", ends, [])


def test_what_nothing_holds_is_exit_code_one(front, run):
    assert run("explain", str(digest_of(b"never")), code=1) == ""
    assert run("explain", "a:v1", code=1) == ""


def test_a_repository_is_summed_up(front, run):
    kept = push_image(front, "a", "v1", b"kept")
    gone = push_image(front, "a", "v2", LAYER)
    front.push_blob("a", b"never needed")
    front.clock.advance(3600)
    front.push_blob("a", b"nor this one")
    front.delete(f"/v2/a/manifests/{digest_of(gone)}")
    assert run("explain", "a").splitlines() == [
        "a: tags: 1",
        "STATE               MANIFESTS  BLOBS  SIZE   FIRST ENDS            LAST ENDS",
        f"needed              1          2      {len(kept) + 6} B  -                     -",
        "without a manifest  0          2      24 B   2023-11-15T22:13:20Z  2023-11-15T23:13:20Z",
        "unneeded            0          1      7 B    2023-11-15T23:13:20Z  2023-11-15T23:13:20Z",
        f"deleted             1          0      {len(gone)} B  2023-11-15T23:13:20Z  2023-11-15T23:13:20Z",
    ]
    entries = json.loads(run("explain", "a", "-json"))
    assert [entry["state"] for entry in entries] == ["needed", "without a manifest", "unneeded", "deleted"]
    assert entries[0] == {
        "state": "needed",
        "manifests": 1,
        "blobs": 2,
        "bytes": len(kept) + 6,
        "firstEnds": None,
        "lastEnds": None,
    }
    assert run("explain", "b", code=1) == ""
    assert run("explain", "b", "-json", code=1) == "[]\n"


@pytest.mark.parametrize("words", [("explain",), (), ("explain", "A:v1"), ("explain", "A"), ("explain", "a@sha256:x")])
def test_other_words_are_refused(front, run, words):
    with pytest.raises(UsageError):
        run(*words)
    assert run("-help").startswith("usage:")
