"""No order of events but one that explains every answer; and what a bug among the workers looks like."""

from dataclasses import replace

import pytest

from faults.histories.campaign import LOADS, by_register, histories, violations
from faults.histories.clients import Log
from faults.histories.linearizable import NEVER, Act, Operation
from faults.scores import Scale
from harness.subjects import OURS, ours


def test_every_answer_to_many_clients_has_an_order_that_explains_it(tmp_path, scale):
    score = histories(OURS, tmp_path, scale)
    print(score)
    assert score.passed, str(score)


@pytest.mark.parametrize(
    "bug",
    [
        "deletion-of-nothing",
        "lost-tag-update",
        "mount-of-anything",
        "short-listing",
        "stale-cache",
        "undone-deletion",
    ],
)
def test_a_planted_bug_leaves_an_answer_that_nothing_explains(tmp_path, bug):
    score = histories(ours(bug=bug), tmp_path, Scale.PROOF)
    print(score)
    assert any("cannot be when it held" in fault for fault in score.faults), str(score)


def test_killed_workers_leave_questions_open_and_no_answer_unexplained(tmp_path, monkeypatch):
    monkeypatch.setitem(LOADS, Scale.PROOF, replace(LOADS[Scale.PROOF], rounds=2, kill=True))
    score = histories(OURS, tmp_path, Scale.PROOF)
    print(score)
    assert score.passed, str(score)
    assert "broken by killed workers" in score.figures


TAG, NOTE = ("tag", "a", "v1"), ("manifest", "a", "sha256:1")


def test_a_listing_reads_the_register_of_all_that_it_might_have_shown():
    log = Log(referrers=[("a", "sha256:1"), ("b", "sha256:2")])
    log.operations.append((NOTE, Operation(Act.WRITE, True, 0, 1)))
    log.listings.append(("a", frozenset({"sha256:1"}), 2, 3))
    log.listings.append(("a", frozenset(), 4, 5))
    registers = by_register([log])
    assert list(registers) == [NOTE]
    assert [each.value for each in registers[NOTE]] == [True, True, None]
    assert len(violations(registers)) == 1


def test_every_register_is_judged_by_itself():
    good, bad = Operation(Act.WRITE, "x", 0, NEVER), Operation(Act.READ, "x", 1, 2)
    assert violations({TAG: [good, bad]}) == []
    assert violations({TAG: [bad], NOTE: [good]}) == [
        "tag a v1: read x [1.000000 to 2.000000] cannot be when it held None; meanwhile: nothing"
    ]
