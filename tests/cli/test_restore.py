"""`restore`: a directory from a backup, and what is wrong with it."""

import io
import json
from pathlib import Path

import pytest

from simple_registry.backends.backup import Backup
from simple_registry.backends.local import make
from simple_registry.cli.copy_report import CopyProgress
from simple_registry.cli.main import main
from simple_registry.cli.options import UsageError
from simple_registry.cli.restore import restore
from simple_registry.faults import DataDirectoryRefused
from simple_registry.oci.digests import digest_of
from simple_registry.storage.filesystem.layout import Layout
from simple_registry.storage.records import ReadOnlyMode
from support.documents import push_image
from support.front import Front
from support.stores import on_disk
from support.time import SettableClock

LAYER = b"layer" * 100


@pytest.fixture
def backups(tmp_path):
    """A backup as a directory, and one as an archive."""
    clock = SettableClock()
    with on_disk(tmp_path / "data", clock) as kept, Front(kept, clock) as front:
        push_image(front, "team/app", "v1", LAYER)
    making = Backup(tmp_path / "data", {}, CopyProgress(io.StringIO(), ""), clock)
    made, _ = making.to_directory(tmp_path / "backups")
    making.to_file(tmp_path / "x.tar")
    return {"directory": str(made), "archive": str(tmp_path / "x.tar")}


@pytest.fixture
def run(tmp_path):
    def call(*words, code=0):
        stdout, stderr = io.StringIO(), io.StringIO()
        assert restore(words, {"SIMPLE_REGISTRY_DATADIR": str(tmp_path / "new")}, stdout, stderr) == code
        return stdout.getvalue(), stderr.getvalue()

    return call


@pytest.mark.parametrize("kind", ["directory", "archive"])
def test_a_damaged_backup_that_was_made_in_read_only_mode_is_restored(tmp_path, run, kind):
    clock = SettableClock()
    with on_disk(tmp_path / "data", clock) as kept, Front(kept, clock) as front:
        push_image(front, "team/app", "v1", LAYER)
        front.run(kept.stores.rows.mode.begin_read_only(ReadOnlyMode("a move", 7.5)))
        kept.write(digest_of(LAYER), b"x" * len(LAYER))
    making = Backup(tmp_path / "data", {}, CopyProgress(io.StringIO(), ""), clock)
    if kind == "directory":
        made = str(making.to_directory(tmp_path / "backups")[0])
    else:
        making.to_file(tmp_path / "x.tar")
        made = str(tmp_path / "x.tar")
    assert str(digest_of(LAYER)) in run(made, code=1)[0]


@pytest.mark.parametrize("kind", ["directory", "archive"])
def test_a_whole_backup_is_0(backups, run, kind):
    out, err = run(backups[kind])
    assert out.startswith("3 contents checked")
    assert out.endswith(": nothing is wrong\n")
    assert err == ""


def test_damage_is_1_and_names_the_tags(backups, run):
    file = Path(Layout(backups["directory"]).blob(digest_of(LAYER)))
    file.chmod(0o600)
    file.write_bytes(b"x" * len(LAYER))
    finding, summary = map(json.loads, run("-json", backups["directory"], code=1)[0].splitlines())
    assert (finding["finding"], finding["digest"]) == ("missing", str(digest_of(LAYER)))
    assert finding["tags"] == ["team/app:v1"]
    assert summary["summary"]["remaining"] == 1


@pytest.mark.parametrize("words", [[], ["a", "b"], ["a", "-deep"]])
def test_wrong_arguments_are_refused(run, words):
    with pytest.raises(UsageError):
        run(*words)


def test_what_is_no_backup_is_refused(run, tmp_path):
    with pytest.raises(DataDirectoryRefused):
        run(str(tmp_path / "none"))


def test_the_archive_may_come_from_standard_input(backups, tmp_path, monkeypatch, capsys):
    with Path(backups["archive"]).open("rb") as file:
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(file))
        assert main(["restore", "-", "-datadir", str(tmp_path / "new")]) == 0
    assert capsys.readouterr().out.endswith(": nothing is wrong\n")


def test_help_is_0(capsys):
    assert main(["restore", "-help"]) == 0
    assert capsys.readouterr().out.startswith("usage: simple-registry restore BACKUP")


def test_a_name_that_is_too_long_is_one_line(tmp_path, capsys):
    long, data = "a" * 300, str(tmp_path / "data")
    make(tmp_path / "data")
    for words in (
        ("restore", long, "-datadir", str(tmp_path / "new")),
        ("backup", long, "-datadir", data),
        ("backup", f"{long}.tar", "-datadir", data),
        ("import", long, "team/app", "-datadir", data),
        ("adopt", long, "-datadir", data),
    ):
        assert main(words) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert line.startswith("simple-registry: ")
