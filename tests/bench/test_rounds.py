from types import SimpleNamespace

from bench.generators import LoadFailed, NotOffered
from bench.results import Sample
from bench.rounds import Plan, measure
from bench.workloads import Workload


def target(name, files=False):
    return SimpleNamespace(name=name, entrant=SimpleNamespace(files=files))


TARGETS = [target("a"), target("b"), target("c", files=True)]
PLAN = Plan(data=None, folder=None, rounds=3, seconds=1)


def run(measured, **more):
    said = []
    results = measure([Workload("w", "w", "", measured, **more)], TARGETS, PLAN, said.append)
    return results["w"], said


def test_every_round_begins_with_a_different_subject():
    order = []

    def measured(round_):
        order.append((round_.number, round_.target.name))
        return Sample(1)

    run(measured, files=True)

    assert order == [(1, "b"), (1, "c"), (1, "a"), (2, "c"), (2, "a"), (2, "b"), (3, "a"), (3, "b"), (3, "c")]


def test_workloads_of_registries_are_not_run_against_files():
    results, _ = run(lambda _: Sample(1))

    assert set(results) == {"a", "b"}


def test_a_subject_without_the_feature_is_left_out():
    def measured(round_):
        if round_.target.name == "a":
            raise NotOffered
        return Sample(1)

    results, _ = run(measured)

    assert set(results) == {"b"}


def test_a_subject_that_fails_once_has_no_figure_and_a_line_of_progress():
    def measured(round_):
        if round_.number == 3 and round_.target.name == "a":
            raise LoadFailed("503")
        return Sample(1)

    results, said = run(measured)

    assert set(results) == {"b"}
    assert any("a failed" in line and "503" in line for line in said)
