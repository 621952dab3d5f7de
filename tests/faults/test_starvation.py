"""Every writer gets its share; and what it looks like when writers sleep instead of queueing."""

from faults.scores import Scale
from faults.starvation import Waits, faults, mean, overtaken_share, overtakings, percentile, slowest_share, starvation
from harness.subjects import OURS, ours


def even(number, seconds):
    """Return so many requests of one connection, one after another."""
    return Waits([(each * seconds, (each + 1) * seconds) for each in range(number)])


def test_no_writer_starves(tmp_path, scale):
    score = starvation(OURS, tmp_path, scale)
    print(score)
    assert score.passed, str(score)


def test_writers_that_sleep_are_noticed(tmp_path):
    score = starvation(ours(bug="sleeping-writers", workers=4), tmp_path, Scale.PROOF)
    print(score)
    assert not score.passed


def test_the_slowest_is_compared_with_the_mean():
    pushes = [even(10, 0.1), even(2, 0.1)]
    assert slowest_share(pushes) == 2 * 2 / 12
    assert slowest_share([Waits()]) == 0.0
    assert len(faults(pushes, [])) == 1


def test_waits_are_in_milliseconds():
    pushes = [Waits([(0.0, 0.001)] * 97 + [(0.0, 1.0)] * 3) for _ in range(2)]
    assert percentile(pushes, 50) == 1.0
    assert percentile(pushes, 100) == 1000.0
    assert 30 < mean(pushes) < 32
    (fault,) = faults(pushes, [])
    assert "times the mean wait" in fault


def test_a_request_that_many_overtake_starves():
    one, before, crowd = Waits([(5.5, 5000.5)]), Waits([(0.25, 6.5)]), even(300, 1.0)
    assert sorted(overtakings([one, before, crowd]))[-2:] == [5, 294]
    assert overtaken_share([one, crowd]) == 1 / 301
    assert overtaken_share([]) == 0.0
    assert faults([crowd, even(300, 1.0)], []) == []
    overtaken, tail = faults([Waits(one.spans * 2), crowd], [])[1:]
    assert overtaken.startswith("0.66% of the pushes were served after more than")
    assert "times the mean wait" in tail


def test_a_refused_request_is_a_fault():
    assert faults([Waits([(0.0, 0.1)], [503])], [even(1, 0.1)]) == ["1 requests were answered 503"]
