"""Nothing acknowledged is lost to kills; and the campaign that says so catches registries that lose it."""

import re

import pytest

from faults.crashes.kills import kills
from faults.crashes.trial import EAGER
from faults.scores import Scale
from harness.subjects import ours


def test_kills_lose_nothing_that_was_acknowledged(scale, tmp_path):
    score = kills(EAGER, tmp_path, scale)
    print(f"\n{score}")
    assert score.passed, str(score)


@pytest.mark.parametrize(
    ("bug", "sign"),
    [
        ("answer-before-commit", "allowed"),
        ("dropped-tag", "allowed"),
        ("file-removed-before-rename", "HEAD|row without its file|missing while it is pushed again|not there|refused"),
        ("row-before-file", "row without its file|missing while it is pushed again"),
    ],
)
def test_a_planted_bug_is_caught_by_kills(bug, sign, tmp_path):
    score = kills(ours(bug=bug), tmp_path, Scale.PROOF)
    print(f"\n{score}")
    assert any(re.search(sign, fault) for fault in score.faults), str(score)
