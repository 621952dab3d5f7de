"""A full disk refuses pushes, and nothing else."""

import os
import resource

import pytest

from faults.client import WAYS, Client
from faults.disk.full import LAYER, MIB, Diary, filled, full_disk, prepare, require_clear, room, verify
from faults.ext4 import Ext4, NoDisk
from faults.scores import Scale
from harness.subjects import OURS, ours, running


@pytest.fixture
def _disks(tmp_path):
    try:
        with Ext4(tmp_path / "probe", 64 * MIB):
            pass
    except (NoDisk, OSError) as error:
        pytest.skip(f"no disk can be mounted here: {error}")


@pytest.mark.usefixtures("_disks")
def test_a_full_disk_refuses_pushes_and_nothing_else(tmp_path, scale):
    score = full_disk(OURS, tmp_path, scale)
    print(f"\n{score}")
    assert score.passed, str(score)


@pytest.mark.usefixtures("_disks")
@pytest.mark.parametrize(
    ("bug", "sign"),
    [
        ("no-room-for-the-log", "on a full disk gives 507"),
        ("swallowed-enospc", "finds too little room gives 404|finds too little room gives 503"),
        ("refused-bytes-are-kept", "keeps"),
    ],
)
def test_planted_bugs_are_caught(tmp_path, bug, sign):
    score = full_disk(ours(bug=bug), tmp_path, Scale.PROOF)
    print(f"\n{score}")
    assert any(part in fault for fault in score.faults for part in sign.split("|"))


def test_a_limit_on_the_size_of_files_is_a_full_disk(tmp_path):
    """Needs no root: the limit is on our own process."""
    limit = 4 * MIB
    hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    diary = Diary()
    with running(OURS, tmp_path, wrap=["prlimit", f"--fsize={limit}:{hard if hard >= 0 else 'unlimited'}"]) as registry:
        client = Client(registry.address)
        prepare(client, diary, 0)
        for way, push in WAYS.items():
            require_clear(
                diary, f"a push {way} of more than a file may hold", push(client, "limit", os.urandom(limit + 1))
            )
            diary.expect("a smaller one", push(client, "limit", os.urandom(LAYER)), 201)
        verify(client, diary)
        registry.stop()
    assert not diary.faults


@pytest.mark.usefixtures("_disks")
def test_a_filled_disk_has_not_one_free_byte(tmp_path):
    with Ext4(tmp_path / "disk", 64 * MIB) as disk:
        before = room(disk.path)
        with filled(disk.path):
            assert room(disk.path) == 0
            with pytest.raises(OSError, match="No space"), (disk.path / "more").open("wb", buffering=0) as file:
                file.write(b"x")
        assert room(disk.path) > before - MIB
