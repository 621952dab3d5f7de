"""`fsck` raises no false alarm and does no harm beside a registry at work."""

from faults.fsck.online import collecting, fsck_online
from faults.scores import Scale


def test_a_check_of_a_busy_registry_finds_nothing(tmp_path, scale):
    score = fsck_online(collecting(), tmp_path, scale)
    print(score)
    assert score.passed, str(score)


def test_a_check_that_looks_once_is_caught(tmp_path):
    score = fsck_online(collecting(bug="hasty-fsck"), tmp_path, Scale.PROOF)
    print(score)
    assert any("false alarm" in fault for fault in score.faults)
