"""A read-only disk is served, and says so."""

import json
import subprocess
import sys

import pytest

from faults.client import Client
from faults.disk.read_only import DISK, fail, mounted_read_only, read_only
from faults.ext4 import Ext4, NoDisk
from faults.scores import Scale
from harness.subjects import OURS, DidNotStart, ours, running


@pytest.fixture(autouse=True)
def _disks(tmp_path):
    try:
        with Ext4(tmp_path / "probe", DISK) as disk, mounted_read_only(disk.path):
            pass
    except (NoDisk, OSError) as error:
        pytest.skip(f"no disk can be mounted here: {error}")


def test_a_read_only_disk_is_served_and_changes_are_refused_clearly(tmp_path, scale):
    score = read_only(OURS, tmp_path, scale)
    print(f"\n{score}")
    assert score.passed, str(score)


@pytest.mark.parametrize("bug", ["the-log-is-overlooked", "read-only-is-any-fault"])
def test_planted_bugs_are_caught(tmp_path, bug):
    score = read_only(ours(bug=bug), tmp_path, Scale.PROOF)
    print(f"\n{score}")
    assert not score.passed


def test_readiness_and_the_log_report_a_failed_disk(tmp_path):
    with Ext4(tmp_path, DISK) as disk:
        with running(OURS, tmp_path / "server", data=disk.path / "data") as registry:
            client = Client(registry.address)
            assert json.loads(client.get("/readyz").body)["storage"] == "writable"
            fail(disk.path)
            answer = client.get("/readyz")
            assert (answer.status, json.loads(answer.body)["storage"]) == (200, "read-only")
            client.start("a")
            assert "storage is read-only" in registry.log.read_text()
            registry.kill()
        with running(OURS, tmp_path / "server", data=disk.path / "data") as registry:
            assert "the data directory is read-only" in registry.log.read_text()


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_a_read_only_disk_is_backed_up_to_another_one_with_what_was_pushed_last(tmp_path, end):
    with Ext4(tmp_path, DISK) as disk:
        data = disk.path / "data"
        with running(OURS, tmp_path / "server", data=data) as registry:
            manifest = Client(registry.address).push_image("a", "v1", b"layer")
            getattr(registry, end)()
        with mounted_read_only(disk.path):
            refused = simple_registry("backup", disk.path / "backups", "-datadir", data)
            archived = simple_registry("backup", disk.path / "backup.tar", "-datadir", data)
            done = simple_registry("backup", tmp_path / "backups", "-datadir", data)
        for attempt in (refused, archived):
            assert attempt.returncode == 2
            assert "Read-only file system; choose another" in attempt.stderr
        assert done.returncode == 0, done.stderr
    (made,) = (tmp_path / "backups").iterdir()
    with running(OURS, tmp_path / "restored", data=made) as registry:
        assert Client(registry.address).get("/v2/a/manifests/v1").body == manifest


def simple_registry(*words):
    command = [sys.executable, "-m", "simple_registry", *words]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def test_a_new_directory_on_a_read_only_disk_is_refused(tmp_path):
    with Ext4(tmp_path, DISK) as disk:
        (disk.path / "data").mkdir()
        with (
            mounted_read_only(disk.path),
            pytest.raises(DidNotStart, match="no server has used it"),
            running(OURS, tmp_path / "server", data=disk.path / "data"),
        ):
            pass
