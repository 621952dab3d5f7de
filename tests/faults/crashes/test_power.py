"""Nothing acknowledged is lost when the power goes; and the campaign that says so catches registries that lose it."""

import re

import pytest

from faults.crashes.power import power
from faults.crashes.trial import EAGER
from faults.ext4 import Ext4, NoDisk
from faults.scores import Scale
from harness.subjects import ours


@pytest.fixture(autouse=True)
def _power_can_be_cut(tmp_path):
    try:
        with Ext4(tmp_path / "probe", size=64 << 20) as disk:
            disk.cut()
            disk.replug()
    except (NoDisk, OSError) as error:
        pytest.skip(f"the power cannot be cut here: {error}")


def test_power_cuts_lose_nothing_that_was_acknowledged(scale, tmp_path):
    score = power(EAGER, tmp_path, scale)
    print(f"\n{score}")
    assert score.passed, str(score)


@pytest.mark.parametrize(
    ("bug", "sign"),
    [
        ("no-data-fsync", "did not start|absent|bytes|not there"),
        ("synchronous-normal", "absent"),
        ("answer-before-commit", "allowed"),
        ("received-before-durable", "session .* absent|cannot go on"),
    ],
)
def test_a_planted_bug_is_caught_by_power_cuts(bug, sign, tmp_path):
    score = power(ours(bug=bug), tmp_path, Scale.PROOF)
    print(f"\n{score}")
    assert any(re.search(sign, fault) for fault in score.faults), str(score)
