"""Every writer gets its share; and what it looks like when writers sleep instead of queueing."""

from faults.scores import Scale
from faults.starvation import Waits, faults, mean, percentile, slowest_share, starvation
from faults.subjects import OURS, ours


def test_no_writer_starves(tmp_path, scale):
    score = starvation(OURS, tmp_path, scale)
    print(score)
    assert score.passed, score


def test_writers_that_sleep_are_noticed(tmp_path):
    score = starvation(ours(bug="sleeping-writers", workers=4), tmp_path, Scale.PROOF)
    print(score)
    assert not score.passed


def test_the_slowest_is_compared_with_the_mean():
    pushes = [Waits([0.1] * 10), Waits([0.1] * 2)]
    assert slowest_share(pushes) == 2 * 2 / 12
    assert slowest_share([Waits()]) == 0.0
    assert len(faults(pushes, [])) == 1


def test_a_long_tail_is_a_fault():
    pushes = [Waits([0.001] * 97 + [1.0] * 3) for _ in range(2)]
    assert percentile(pushes, 50) == 1.0
    assert percentile(pushes, 100) == 1000.0
    assert 30 < mean(pushes) < 32
    (fault,) = faults(pushes, [])
    assert "times the mean wait" in fault


def test_what_is_refused_is_a_fault():
    assert faults([Waits([0.1], [503])], [Waits([0.1])]) == ["1 requests were answered 503"]
