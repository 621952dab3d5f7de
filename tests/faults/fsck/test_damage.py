"""`fsck` finds exactly what is damaged, repairs without loss, and lies neither way."""

import pytest

from faults.fsck.command import subject_of
from faults.fsck.damage import fsck_campaign
from faults.scores import Scale
from harness.subjects import OURS, ours


def test_every_damage_is_found_and_nothing_else(tmp_path, scale):
    score = fsck_campaign(OURS, tmp_path, scale)
    print(score)
    assert score.passed, str(score)


@pytest.mark.parametrize(
    ("bug", "fault"),
    [
        ("blind-fsck", "not found: ('missing'"),
        ("trusting-fsck", "not found: ('flipped'"),
        ("removing-fsck", "repair lost what it moved"),
    ],
)
def test_planted_bugs_are_caught(tmp_path, bug, fault):
    score = fsck_campaign(ours(bug=bug), tmp_path, Scale.PROOF)
    print(score)
    assert any(fault in each for each in score.faults)


@pytest.mark.parametrize(
    ("finding", "about"),
    [
        ({"digest": "sha256:x", "path": "blobs/x"}, "sha256:x"),
        ({"path": "blobs/x"}, "blobs/x"),
        ({"repository": "a", "path": "uploads/s"}, "uploads/s"),
        ({"repository": "a", "tag": "v1", "digest": "sha256:x"}, "a:v1"),
        ({"repository": "a", "digest": "sha256:x"}, "a@sha256:x"),
        ({"repository": "a"}, "a"),
    ],
)
def test_a_finding_is_about_one_thing(finding, about):
    assert subject_of(finding) == about
