"""A lost database is never silently replaced by a new one."""

from faults.damage.database import LOSSES, lost_database
from faults.scores import Scale
from harness.subjects import OURS, ours


def test_a_lost_database_is_refused_with_what_to_do(tmp_path, scale):
    score = lost_database(OURS, tmp_path, scale)
    print(f"\n{score}")
    assert score.passed, str(score)


def test_a_planted_bug_is_caught(tmp_path):
    score = lost_database(ours(bug="begun-anew"), tmp_path, Scale.PROOF)
    print(f"\n{score}")
    assert {fault.partition(",")[0] for fault in score.faults} >= LOSSES.keys() - {
        "random bytes",
        "of another program",
    } - {"emptied, with its log", "cut"}
