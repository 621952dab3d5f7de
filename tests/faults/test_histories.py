"""No order of events but one that explains every answer; and what a bug among the workers looks like."""

from faults.histories import histories
from faults.subjects import OURS


def test_every_answer_to_many_clients_has_an_order_that_explains_it(tmp_path, scale):
    score = histories(OURS, tmp_path, scale)
    print(score)
    assert score.passed, score
