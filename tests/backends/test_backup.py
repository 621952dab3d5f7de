"""Backups beside a server: whole, consistent, incremental, and never at the cost of what they are a backup of."""

import io
import os
import signal
import stat
import subprocess
import sys
import tarfile
import threading
from pathlib import Path

import pytest

from simple_registry.backends import backup as module
from simple_registry.backends.backup import INCOMPLETE, Backup, last_backup
from simple_registry.backends.restore import Restore
from simple_registry.faults import DataDirectoryRefused, StorageFault, StorageFull
from simple_registry.oci.digests import digest_of
from simple_registry.services import build_contents
from simple_registry.storage.filesystem.directory_copy import DirectoryCopy
from simple_registry.storage.filesystem.disk import Disk
from simple_registry.storage.filesystem.layout import Layout
from simple_registry.storage.sqlite.removals import removing
from support.documents import push_image
from support.front import Front
from support.stores import on_disk

LAYERS = (b"layer one" * 500, b"layer two" * 500)


@pytest.fixture
def backups(tmp_path):
    return tmp_path / "backups"


@pytest.fixture
def pushed(front):
    """The manifest of an image."""
    return push_image(front, "team/app", "v1", *LAYERS)


@pytest.fixture
def make(data_dir, backups, clock, watching):
    def make(documents=(), watch=None):
        clock.advance(1)
        return Backup(data_dir, dict(documents), watch or watching(), clock).to_directory(backups)

    return make


def test_a_backup_is_made_in_read_only_mode_and_is_in_it_too(front, pushed, make, clock):
    front.run(front.services.registry.read_only.begin("moving"))
    with front.unchanged():
        made, copied = make()
    assert (copied.contents, copied.damaged) == (4, [])
    with on_disk(made, clock) as kept, Front(kept, clock) as restored:
        assert restored.get("/v2/team/app/manifests/v1").body == pushed
        assert restored.delete("/v2/team/app/manifests/v1").status == 503


def files(directory):
    return {str(path.relative_to(directory)): path.stat() for path in directory.rglob("*") if path.is_file()}


def pulled(directory, clock):
    """What can be pulled of an image from a server over a directory."""
    with on_disk(directory, clock) as kept, Front(kept, clock) as front:
        manifest = front.get("/v2/team/app/manifests/v1").body
        return manifest, [front.get(f"/v2/team/app/blobs/{digest_of(layer)}").body for layer in LAYERS]


def test_a_backup_is_a_data_directory_from_which_everything_can_be_pulled(make, pushed, data_dir, clock, watching):
    (data_dir / "signing-keys.json").write_text("{}")
    (data_dir / "first-start-over").write_text("over")
    watch = watching()
    made, copied = make(watch=watch)
    assert (copied.contents, copied.linked, copied.damaged) == (4, 0, [])
    assert (watch.contents, watch.count, watch.bytes) == (4, 4, copied.size)
    assert {path.partition("/")[0] for path in files(made)} == {
        "format",
        "registry.db",
        "blobs",
        "signing-keys.json",
        "first-start-over",
    }
    modes = {path: stat.S_IMODE(found.st_mode) for path, found in files(made).items()}
    assert {mode for path, mode in modes.items() if path.startswith("blobs/")} == {0o444}
    assert {mode for path, mode in modes.items() if not path.startswith("blobs/")} == {0o600}
    assert {stat.S_IMODE(path.stat().st_mode) for path in (made, *made.rglob("*")) if path.is_dir()} == {0o700}
    assert pulled(made, clock) == (pushed, list(LAYERS))


def test_unchanged_content_is_linked_to_the_last_backup_and_never_to_live_files(make, pushed, front, data_dir):
    first, _ = make()
    front.push_blob("team/app", b"new")
    second, copied = make()
    assert (copied.contents, copied.linked) == (5, 4)
    live, before, after = ({found.st_ino for found in files(each).values()} for each in (data_dir, first, second))
    assert len(before & after) == 4
    assert not live & (before | after)


def test_a_damaged_backup_is_not_the_last_one(make, pushed, backups):
    first, _ = make()
    second, _ = make()
    assert last_backup(backups) == second
    (second / "format").unlink()
    (backups / "20990101T000000Z").mkdir()
    (backups / "other").mkdir()
    assert last_backup(backups) == first


def test_content_of_another_size_in_the_last_backup_is_copied_again(make, pushed):
    first, _ = make()
    file = Path(Layout(first).blob(digest_of(LAYERS[0])))
    file.chmod(0o600)
    file.write_bytes(b"cut")
    second, copied = make()
    assert copied.linked == 3
    assert Path(Layout(second).blob(digest_of(LAYERS[0]))).read_bytes() == LAYERS[0]


@pytest.mark.parametrize("damage", ["flipped", "cut", "missing", "link"])
def test_damaged_content_is_reported_and_the_rest_backed_up(make, pushed, data_dir, clock, monkeypatch, damage):
    monkeypatch.setattr(module, "RETRIES", 0)
    digest = digest_of(LAYERS[0])
    file = Path(Layout(data_dir).blob(digest))
    file.unlink()
    match damage:
        case "flipped":
            file.write_bytes(b"x" + LAYERS[0][1:])
        case "cut":
            file.write_bytes(LAYERS[0][1:])
        case "link":
            file.symlink_to(Layout(data_dir).blob(digest_of(LAYERS[1])))
    made, copied = make()
    (damaged,) = copied.damaged
    assert (damaged.digest, damaged.uses.tags) == (digest, ("team/app:v1",))
    assert not Path(Layout(made).blob(digest)).is_symlink()
    assert not Path(Layout(made).blob(digest)).exists()
    assert pulled(made, clock)[1][1] == LAYERS[1]


def test_what_an_earlier_backup_has_is_whole_in_the_next_one_though_it_was_damaged_since(make, pushed, data_dir):
    make()
    file = Path(Layout(data_dir).blob(digest_of(LAYERS[0])))
    file.chmod(0o600)
    file.write_bytes(b"x" * len(LAYERS[0]))
    made, copied = make()
    assert copied.damaged == []
    assert Path(Layout(made).blob(digest_of(LAYERS[0]))).read_bytes() == LAYERS[0]


def test_content_that_is_pushed_again_at_that_moment_is_waited_for(make, pushed, data_dir, monkeypatch):
    monkeypatch.setattr("simple_registry.backends.copying.RETRY_INTERVAL", 0.01)
    file = Path(Layout(data_dir).blob(digest_of(LAYERS[0])))
    file.unlink()
    pushing = threading.Timer(0.05, lambda: file.write_bytes(LAYERS[0]))
    pushing.start()
    assert make()[1].damaged == []
    pushing.join()


def test_what_is_deleted_and_collected_meanwhile_is_in_the_backup(make, pushed, front, data_dir, clock, watching):
    contents = build_contents(front.kept.stores)
    removed = []

    def delete_everything():
        digest = digest_of(pushed)
        front.delete(f"/v2/team/app/manifests/{digest}")
        for layer in LAYERS:
            front.delete(f"/v2/team/app/blobs/{digest_of(layer)}")
        front.run(front.kept.stores.rows.garbage.end_holdings(clock.now() + 1, 99))
        removed.append(front.run(contents.remove_condemned(99)).count)

    made, copied = make(watch=watching(at=delete_everything))
    assert (removed, copied.damaged) == ([0] * 4, [])
    assert front.run(contents.remove_condemned(99)).count > 0
    assert not Path(Layout(data_dir).blob(digest_of(LAYERS[0]))).exists()
    assert pulled(made, clock) == (pushed, list(LAYERS))


def test_uploads_and_condemned_content_are_not_copied(make, front, pushed, clock):
    digest = front.push_blob("team/app", b"condemned")
    front.delete(f"/v2/team/app/blobs/{digest}")
    front.run(front.kept.stores.rows.garbage.end_holdings(clock.now() + 1, 99))
    front.open_session("team/app")
    made, copied = make()
    assert copied.contents == 4
    with on_disk(made, clock) as kept, Front(kept, clock) as restored:
        assert restored.run(kept.stores.rows.sessions.page_sessions("", 9)) == []


def test_documents_are_copied_on_request(make, pushed):
    made, _ = make({"team/users.yaml": b"kind: User"})
    file = made / "documents" / "team" / "users.yaml"
    assert (file.read_bytes(), stat.S_IMODE(file.stat().st_mode)) == (b"kind: User", 0o600)


def test_a_backup_that_fails_leaves_none_and_the_next_one_starts_afresh(make, pushed, backups, monkeypatch):
    first, _ = make()

    def full(self, record, reader):
        raise StorageFull("write to a file", "no room")

    with monkeypatch.context() as patch:
        patch.setattr(DirectoryCopy, "link_content", lambda *_: False)
        patch.setattr(DirectoryCopy, "write_content", full)
        with pytest.raises(StorageFull):
            make()
    assert [path.name for path in backups.iterdir()] == [first.name]
    second, copied = make()
    assert copied.linked == 4
    assert sorted(path.name for path in backups.iterdir()) == sorted([first.name, second.name])


def test_two_backups_are_not_made_into_one_directory_at_once(make, pushed, watching):
    refused = []

    def again():
        with pytest.raises(DataDirectoryRefused, match="another backup"):
            make()
        refused.append(True)

    make(watch=watching(at=again))
    assert refused


@pytest.mark.parametrize("existing", ["a data directory", "a file"])
def test_a_place_that_is_something_else_is_refused(data_dir, front, clock, watching, tmp_path, existing):
    file = tmp_path / "file"
    file.write_bytes(b"")
    with pytest.raises(DataDirectoryRefused):
        Backup(data_dir, {}, watching(), clock).to_directory(data_dir if existing == "a data directory" else file)
    assert not (data_dir / INCOMPLETE).exists()


def test_a_backup_waits_for_a_removal_under_way(make, pushed, data_dir):
    done = threading.Event()
    thread = threading.Thread(target=lambda: (make(), done.set()))
    with removing(f"{data_dir}/registry.db") as allowed:
        assert allowed
        thread.start()
        assert not done.wait(0.2)
    assert done.wait(10)
    thread.join()


def test_an_archive_holds_the_same_as_a_directory(make, data_dir, pushed, clock, watching, tmp_path):
    made, _ = make()
    archive = tmp_path / "backup.tar"
    copied = Backup(data_dir, {}, watching(), clock).to_file(archive)
    assert copied.contents == 4
    assert stat.S_IMODE(archive.stat().st_mode) == 0o600
    with tarfile.open(archive) as tar:
        archived = {member.name: member.size for member in tar if member.isfile()}
    assert archived == {path: found.st_size for path, found in files(made).items()}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["backup.tar", "backups", "data"]
    with pytest.raises(DataDirectoryRefused, match="exists already"):
        Backup(data_dir, {}, watching(), clock).to_file(archive)


def test_an_archive_that_fails_leaves_nothing(data_dir, pushed, clock, watching, tmp_path, monkeypatch):
    def full(self, fd):
        raise StorageFull("make a file durable", "no room")

    monkeypatch.setattr(Disk, "fsync", full)
    with pytest.raises(StorageFault):
        Backup(data_dir, {}, watching(), clock).to_file(tmp_path / "backup.tar")
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


def test_damaged_content_of_an_archive_is_left_out_when_it_is_restored(data_dir, pushed, clock, watching, tmp_path):
    file = Path(Layout(data_dir).blob(digest_of(LAYERS[0])))
    file.chmod(0o600)
    file.write_bytes(b"x" * len(LAYERS[0]))
    stream = io.BytesIO()
    copied = Backup(data_dir, {}, watching(), clock).to_archive(stream, tmp_path)
    assert [each.digest for each in copied.damaged] == [digest_of(LAYERS[0])]
    stream.seek(0)
    Restore(tmp_path / "new", watching(), clock).from_archive(stream, "x")
    assert not Path(Layout(tmp_path / "new").blob(digest_of(LAYERS[0]))).exists()
    assert pulled(tmp_path / "new", clock)[1][1] == LAYERS[1]


PROGRAM = """
import os, signal, sys
from pathlib import Path
from simple_registry.backends.backup import Backup
from simple_registry.backends.restore import Restore
from simple_registry.clock import SystemClock

class Deadly:
    def __init__(self, left): self.left = left
    def begin(self, contents, size): self.burn()
    def read(self, size): self.burn()
    def done(self): self.burn()
    def burn(self):
        self.left -= 1
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

watch = Deadly(int(sys.argv[3]))
if sys.argv[4] == "backup":
    Backup(Path(sys.argv[1]), {}, watch, SystemClock()).to_directory(Path(sys.argv[2]))
else:
    Restore(Path(sys.argv[2]), watch, SystemClock()).from_directory(Path(sys.argv[1]))
"""


def run_until_killed(*words):
    done = subprocess.run([sys.executable, "-c", PROGRAM, *map(str, words)], check=False)
    assert done.returncode == -signal.SIGKILL


@pytest.mark.parametrize("point", [1, 3, 8])
def test_a_backup_that_is_killed_holds_off_nothing_and_the_next_one_is_whole(make, pushed, data_dir, backups, point):
    run_until_killed(data_dir, backups, point, "backup")
    assert os.listdir(backups) == [INCOMPLETE]
    with removing(f"{data_dir}/registry.db") as allowed:
        assert allowed
    made, copied = make()
    assert (copied.contents, copied.damaged) == (4, [])
    assert os.listdir(backups) == [made.name]


@pytest.mark.parametrize("point", [1, 3, 8])
def test_a_restore_that_is_killed_leaves_a_directory_that_no_server_uses(
    make, pushed, tmp_path, watching, point, clock
):
    made, _ = make()
    new = tmp_path / "new"
    run_until_killed(made, new, point, "restore")
    with pytest.raises(DataDirectoryRefused, match="choose an empty directory"), on_disk(new, None):
        pass
    with pytest.raises(DataDirectoryRefused, match="choose an empty directory"):
        Restore(new, watching(), clock)
