"""Every byte, name and database page that an answer stands for is on disk before its first byte.

Under strace; see `faults.order_judge` for the rule, and `faults.order_operations` for the operations.
"""

import pytest

from faults.order.campaign import order
from faults.scores import Scale
from harness.subjects import OURS, ours

pytestmark = pytest.mark.usefixtures("tracing")


def test_every_acknowledged_byte_is_on_disk_before_its_answer(scale, tmp_path):
    score = order(OURS, tmp_path, scale)
    print(f"\n{score}")
    assert score.passed, str(score)


@pytest.mark.parametrize(
    ("bug", "caught"),
    [
        ("no-data-fsync", "bytes of blobs/sha256/"),
        ("no-directory-fsync", "the name of blobs/sha256/"),
        ("synchronous-normal", "bytes of registry.db-wal are not on disk"),
        ("answer-before-commit", "after the answer: pwrite64"),
        ("row-before-file", "came to disk only after the last commit began"),
    ],
)
def test_a_planted_bug_is_caught(bug, caught, tmp_path):
    score = order(ours(bug=bug), tmp_path, Scale.PROOF)
    assert any(caught in fault for fault in score.faults), str(score)
