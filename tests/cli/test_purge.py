"""`purge`: one content goes at once, with all that could bring it back, beside the server that uses the directory."""

import io
import json
from pathlib import Path

import pytest

from simple_registry.backends import local
from simple_registry.cli.main import main
from simple_registry.cli.options import UsageError
from simple_registry.cli.purge import purge
from simple_registry.cli.undo import undelete
from simple_registry.faults import StorageFault
from simple_registry.oci.digests import digest_of
from simple_registry.oci.media_types import OCI_IMAGE_INDEX
from simple_registry.storage.sqlite.removals import without_removals
from support.documents import encode, index as index_of, push_image
from support.front import Front
from support.stores import on_disk
from support.time import SettableClock

LAYER = b"a layer with a secret"
SECRET = str(digest_of(LAYER))


@pytest.fixture
def front(tmp_path):
    """A server over the directory."""
    clock = SettableClock()
    with on_disk(tmp_path / "data", clock) as kept, Front(kept, clock) as front:
        yield front


@pytest.fixture
def pushed(front):
    """The digest of an image of the layer, at v1 and main."""
    data = push_image(front, "team/app", "v1", LAYER)
    front.push_manifest("team/app", "main", data)
    return str(digest_of(data))


@pytest.fixture
def run(tmp_path):
    def call(*words, command=purge):
        stdout, stderr = io.StringIO(), io.StringIO()
        environment = {
            "SIMPLE_REGISTRY_DATADIR": str(tmp_path / "data"),
            "SIMPLE_REGISTRY_AUDIT_LOG": str(tmp_path / "audit.jsonl"),
        }
        return command(words, environment, stdout, stderr), stdout.getvalue(), stderr.getvalue()

    return call


@pytest.fixture
def stored(tmp_path):
    """Return whether any file of the data directory has these bytes."""

    def find(data):
        files = [path for path in (tmp_path / "data").rglob("*") if path.is_file()]
        return [str(path.relative_to(tmp_path / "data")) for path in files if data in path.read_bytes()]

    return find


def events(front):
    found = front.run(front.kept.stores.rows.journal.page_events(0, 99))
    return [(event.action.value, event.tag, event.before, event.after, event.cause) for event in found]


def test_a_manifest_goes_with_its_tags_and_cannot_be_restored(front, pushed, run, tmp_path):
    front.delete("/v2/team/app/manifests/main")
    code, out, err = run(f"team/app@{pushed}")
    assert (code, out.splitlines()[:2]) == (0, [f"purged team/app@{pushed}", "removed tag team/app:v1"])
    assert "clients that pulled it" in err
    for reference in ("v1", pushed):
        assert front.get(f"/v2/team/app/manifests/{reference}").status == 404
    for word in ("team/app:v1", "team/app:main", f"team/app@{pushed}"):
        assert run(word, command=undelete)[0] == 1
    assert events(front) == [
        ("tag.set", "v1", None, None, None),
        ("tag.set", "main", None, None, None),
        ("tag.delete", "main", None, None, None),
        ("content.purge", None, None, None, None),
        ("tag.delete", "v1", None, None, 4),
    ]
    lines = [json.loads(line) for line in (tmp_path / "audit.jsonl").read_text().splitlines()]
    assert [(line["event"], line["repository"], line["digest"]) for line in lines] == [
        ("content.purge", "team/app", pushed),
        ("tag.delete", "team/app", pushed),
    ]
    assert front.get(f"/v2/team/app/blobs/{SECRET}").status == 200  # for another grace


def test_a_layer_that_a_manifest_needs_goes_by_force_only(front, pushed, run):
    with front.unchanged():
        expected = f"not purged: team/app@{pushed} needs it; purge that first, or use -force\n"
        assert run(f"team/app@{SECRET}") == (1, "", expected)
    assert run(f"team/app@{SECRET}", "-force")[0] == 0
    assert front.get(f"/v2/team/app/blobs/{SECRET}").status == 404
    assert front.get("/v2/team/app/manifests/v1").status == 200
    assert front.push_blob("team/app", LAYER) == digest_of(LAYER)
    assert front.get(f"/v2/team/app/blobs/{SECRET}").body == LAYER


def test_no_copy_of_the_bytes_is_left(front, pushed, run, stored, tmp_path):
    quarantine = tmp_path / "data/quarantine"
    quarantine.mkdir()
    for name in (f"{SECRET}.1", f"{SECRET}.12", "other.1"):
        (quarantine / name).write_bytes(LAYER if name != "other.1" else b"")
    front.delete(f"/v2/team/app/manifests/{pushed}")
    code, out, _err = run(f"team/app@{SECRET}", "-json")
    assert code == 0
    assert json.loads(out) == {
        "digest": SECRET,
        "purged": [{"repository": "team/app", "tags": [], "notRestorable": [pushed]}],
        "heldBy": [],
        "bytes": len(LAYER),
        "removed": [f"quarantine/{SECRET}.1", f"quarantine/{SECRET}.12"],
        "left": [],
    }
    assert stored(LAYER) == []
    assert [path.name for path in quarantine.iterdir()] == ["other.1"]
    assert run(f"team/app@{pushed}", command=undelete)[0] == 1


def test_rows_leave_nothing_in_the_database_and_its_copies(front, run, stored, tmp_path):
    note = "a secret note in an annotation"
    data = push_image(front, "a", "v1", annotations={"note": note * 300})
    assert "registry.db-wal" in stored(note.encode())
    snapshots = local.open_snapshots(tmp_path / "data", front.clock, keep=3, interval=1.0)
    first = Path(snapshots.take_if_due()).name
    (tmp_path / "data/registry.db.before-9").write_bytes(b"")
    _code, out, err = run(f"a@{digest_of(data)}")
    assert f"removed snapshots/{first}\n" in out
    assert "left: registry.db.before-9, a copy of the database; remove it yourself\n" in err
    assert stored(note.encode()) == []
    (made,) = (tmp_path / "data/snapshots").iterdir()
    assert made.name > first


def test_bytes_stay_while_other_repositories_hold_them(front, pushed, run, stored):
    push_image(front, "b", "v1", LAYER)
    front.delete("/v2/b/manifests/v1")
    front.delete(f"/v2/team/app/manifests/{pushed}")
    code, out, err = run(f"team/app@{SECRET}")
    assert (code, err) == (1, "the bytes stay: b holds them; -everywhere purges all\n")
    assert "bytes" not in out
    assert front.get(f"/v2/team/app/blobs/{SECRET}").status == 404
    assert front.get(f"/v2/b/blobs/{SECRET}").body == LAYER
    assert run(f"team/app@{SECRET}", "-everywhere", "-force")[0] == 0
    assert front.get(f"/v2/b/blobs/{SECRET}").status == 404
    assert stored(LAYER) == []


def test_an_index_that_was_deleted_stays_so_once_its_child_is_purged(front, pushed, run):
    index = encode(index_of(front.get(f"/v2/team/app/manifests/{pushed}").body))
    front.push_manifest("team/app", "all", index, OCI_IMAGE_INDEX)
    assert run(f"team/app@{pushed}")[2].startswith(f"not purged: team/app@{digest_of(index)} needs it")
    front.delete(f"/v2/team/app/manifests/{digest_of(index)}")
    assert f"cannot be restored any more: team/app@{digest_of(index)}\n" in run(f"team/app@{pushed}")[1]
    assert run("team/app:all", command=undelete)[0] == 1


def test_what_is_not_there_is_said(front, pushed, run, tmp_path):
    missing = digest_of(b"never")
    with front.unchanged():
        expected = f"nothing holds team/app@{missing}, nor does the journal name it\n"
        assert run(f"team/app@{missing}") == (1, "", expected)
        code, out, err = run(f"none@{SECRET}")
    assert (code, out, err) == (1, "", "the bytes stay: team/app holds them; -everywhere purges all\n")
    assert not (tmp_path / "audit.jsonl").exists()


def test_nothing_is_purged_while_a_backup_is_made(front, pushed, run):
    with (
        front.unchanged(),
        without_removals(front.kept.layout.database),
        pytest.raises(StorageFault, match="a backup is being made"),
    ):
        run(f"team/app@{pushed}")


def test_read_only_mode_refuses_with_the_reason(front, pushed, tmp_path, capsys):
    assert main(["read-only", "on", "-datadir", str(tmp_path / "data")]) == 0
    assert main(["purge", f"team/app@{pushed}", "-datadir", str(tmp_path / "data")]) == 2
    assert "read-only mode: maintenance" in capsys.readouterr().err


@pytest.mark.parametrize("words", [[], ["team/app"], ["team/app:v1"], ["team/app@sha256:x"]])
def test_wrong_arguments_change_nothing(front, pushed, run, words):
    with front.unchanged(), pytest.raises(UsageError):
        run(*words)
    assert run("-help")[1].startswith("usage: simple-registry purge REPOSITORY@DIGEST")
