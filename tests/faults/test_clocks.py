"""Setting the clock loses nothing, and ends nothing that is under way."""

import pytest

from faults.clocks import EVERY_SECOND, NoFaketime, Wall, clocks
from faults.scores import Scale
from harness.subjects import ours


@pytest.fixture(autouse=True)
def _faketime(tmp_path):
    try:
        Wall(tmp_path / "probe").wrap()
    except NoFaketime as error:
        pytest.skip(str(error))


def test_setting_the_clock_loses_nothing(tmp_path, scale):
    score = clocks(ours(configuration=EVERY_SECOND), tmp_path, scale)
    print(f"\n{score}")
    assert score.passed, str(score)


@pytest.mark.parametrize("bug", ["ages-by-the-wall"])
def test_planted_bugs_are_caught(tmp_path, bug):
    score = clocks(ours(bug=bug, configuration=EVERY_SECOND), tmp_path, Scale.PROOF)
    print(f"\n{score}")
    signs = ("a session", "collected early")
    assert all(any(sign in fault for fault in score.faults) for sign in signs)
