"""Sessions go on from where they say, on any worker and after any end; and what a bug in them looks like."""

import pytest

from faults.scores import Scale
from faults.sessions.campaign import sessions
from faults.sessions.talk import new_upload
from harness.subjects import OURS, ours


def test_sessions_outlive_workers_races_and_broken_connections(tmp_path, scale):
    score = sessions(OURS, tmp_path, scale)
    print(score)
    assert score.passed, str(score)


@pytest.mark.parametrize("bug", ["no-session-lock", "resume-trusts-client"])
def test_a_planted_bug_is_noticed(tmp_path, bug):
    score = sessions(ours(bug=bug), tmp_path, Scale.PROOF)
    print(score)
    assert not score.passed


def test_an_upload_depends_on_its_seed_only():
    one, again, other = new_upload("1"), new_upload("1"), new_upload("2")
    assert (one.content, one.acts, one.some()) == (again.content, again.acts, again.some())
    assert one.content != other.content


def test_the_rest_begins_after_the_acknowledged_bytes():
    upload = new_upload("1")
    upload.acknowledged = len(upload.content) - 3
    assert upload.left == 3
    assert upload.next(2) == upload.content[-3:-1]
    upload.forget_session()
    assert upload.left == len(upload.content)
