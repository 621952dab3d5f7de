"""`garbage-collect`: the same as the server does, now, and shown before."""

import io
import json

import pytest

from simple_registry.cli.garbage_collect import garbage_collect
from simple_registry.cli.options import UsageError
from simple_registry.oci.digests import digest_of
from support.documents import CONFIG, push_image
from support.front import Front
from support.stores import on_disk
from support.time import SettableClock

LAYER = b"a layer"


@pytest.fixture
def front(tmp_path):
    """A server over the directory, whose clock is years behind."""
    clock = SettableClock()
    with on_disk(tmp_path / "data", clock) as kept, Front(kept, clock) as front:
        yield front


@pytest.fixture
def run(tmp_path):
    def call(*words):
        stdout, stderr = io.StringIO(), io.StringIO()
        assert garbage_collect(words, {"SIMPLE_REGISTRY_DATADIR": str(tmp_path / "data")}, stdout, stderr) == 0
        return stdout.getvalue(), stderr.getvalue()

    return call


@pytest.fixture
def deleted(front):
    """A deleted image: its manifest, config and layer."""
    data = push_image(front, "a", "v1", LAYER)
    assert front.delete(f"/v2/a/manifests/{digest_of(data)}").status == 202
    return len(data) + len(CONFIG) + len(LAYER)


def test_a_dry_run_shows_what_would_go_and_changes_nothing(front, run, deleted):
    with front.unchanged():
        report = json.loads(run("-dryrun", "-json")[0])
    assert report["dryRun"]
    assert report["removed"] == {"contents": 3, "bytes": deleted}
    assert report["restorable"]["holdings"] == 1


def test_what_is_past_its_grace_is_collected_beside_the_server(front, run, deleted):
    report = json.loads(run("-json")[0])
    assert report["ended"] == {"manifests": 1, "blobs": 2, "early": 0}
    assert report["removed"] == {"contents": 3, "bytes": deleted}
    assert front.get(f"/v2/a/blobs/{digest_of(LAYER)}").status == 404
    assert front.get("/v2/_catalog").json["repositories"] == []
    assert front.push_blob("a", LAYER) == digest_of(LAYER)


def test_no_grace_says_first_what_cannot_be_undone(front, run, deleted, tmp_path):
    (tmp_path / "c.yaml").write_text(
        "kind: Configuration\nmetadata: {name: c}\nspec: {garbageCollection: {grace: 5000w}}\n"
    )
    there = ("-cfgdir", str(tmp_path))
    text, errors = run(*there)
    assert "removed: 0 contents, 0.0 MiB\n" in text
    assert "restorable until 2119-" in text
    assert errors == ""
    text, errors = run("-grace", "0s", *there)
    assert "removed: 3 contents, 0.0 MiB\n" in text
    assert errors == "from now on what was deleted cannot be restored: 1 content, 0.0 MiB\n"


def test_untagged_manifests_are_unneeded_on_demand(front, run):
    push_image(front, "a", "v1", LAYER)
    front.delete("/v2/a/manifests/v1")
    assert json.loads(run("-json")[0])["unneeded"] == 0
    assert json.loads(run("-delete-untagged", "-json")[0])["unneeded"] == 1
    assert json.loads(run("-grace", "0s", "-json")[0])["removed"]["contents"] == 3


def test_other_words_are_refused(run):
    with pytest.raises(UsageError):
        run("now")
    assert run("-help")[0].startswith("usage:")
