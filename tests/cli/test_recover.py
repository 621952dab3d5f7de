"""`recover`: what it says, and what it says it cannot know."""

import io
import json

import pytest

from simple_registry.backends.local import open_snapshots
from simple_registry.cli.main import main
from simple_registry.cli.options import UsageError
from simple_registry.cli.recover import recover
from simple_registry.oci.digests import digest_of
from simple_registry.oci.media_types import OCI_IMAGE_MANIFEST
from support.documents import encode, image, push_image
from support.front import Front
from support.stores import on_disk
from support.time import SettableClock


@pytest.fixture
def data_dir(tmp_path):
    """A directory that no server uses, with a snapshot, and an image that is newer."""
    clock = SettableClock()
    with on_disk(tmp_path / "data", clock) as kept, Front(kept, clock) as front:
        push_image(front, "team/app", "v1", b"layer")
        open_snapshots(tmp_path / "data", clock, keep=3, interval=60).take_if_due()
        push_image(front, "team/app", "v2", b"newer")
    return tmp_path / "data"


@pytest.fixture
def run(tmp_path):
    def call(*words, code=0):
        stdout, stderr = io.StringIO(), io.StringIO()
        assert recover(words, {"SIMPLE_REGISTRY_DATADIR": str(tmp_path / "data")}, stdout, stderr) == code
        return stdout.getvalue(), stderr.getvalue()

    return call


def test_a_sound_database_is_0(data_dir, run):
    assert run() == ("registry.db is sound; nothing to recover\n", "")
    assert run("-json") == ('{"damage": null}\n', "")


def test_the_report_says_what_was_done_and_what_is_not_known(data_dir, run):
    (data_dir / "registry.db").unlink()
    manifest = encode(image(b"newer"))
    lines = run(code=1)[0].splitlines()
    assert lines[0] == "registry.db: it is missing or empty"
    assert lines[1:3] == [
        f"without a row: manifest {digest_of(manifest)}, {len(manifest)} bytes, {OCI_IMAGE_MANIFEST}",
        "without a row: 1 blob, 5 bytes; -json lists them",
    ]
    assert lines[3].startswith("recovered from snapshots/registry-20231114T221320Z.db, of 2023-11-14T22:13:20Z. Not kn")
    assert "revoked after it, which are valid again" in lines[3]
    assert "push those images again" in lines[4]


def test_json_is_one_object(data_dir, run):
    (data_dir / "registry.db").write_bytes(b"broken" * 1000)
    facts = json.loads(run("-json", code=1)[0])
    assert facts["damage"].startswith("it is not a sound database")
    assert facts["recoveredFrom"] == "snapshots/registry-20231114T221320Z.db"
    assert facts["taken"] == "2023-11-14T22:13:20Z"
    assert facts["movedTo"].startswith("registry.db.broken-")
    assert (facts["notUsed"], facts["damaged"]) == ({}, [])
    assert [each["mediaType"] for each in facts["manifestsWithoutRow"]] == [
        "application/vnd.oci.image.manifest.v1+json"
    ]
    assert facts["contentWithoutRow"] == [{"digest": str(digest_of(b"newer")), "size": 5}]


def test_without_a_copy_it_is_2_and_says_what_can_be_done(data_dir, run):
    (data_dir / "registry.db").unlink()
    for path in (data_dir / "snapshots").iterdir():
        path.unlink()
    out, err = run(code=2)
    assert (out.count("without a row: manifest "), out.count("without a row: 3 blobs, ")) == (2, 1)
    assert err.startswith("simple-registry: not recovered: there is no sound copy of the database")
    assert "restore a backup" in err


def test_wrong_arguments_are_refused(data_dir, run):
    with pytest.raises(UsageError):
        run("-deep")


def test_help_is_0(capsys):
    assert main(["recover", "-help"]) == 0
    assert capsys.readouterr().out.startswith("usage: simple-registry recover")
