from bench import growth, pages
from bench.command import WORKLOADS
from bench.goals import GOALS, Goal, Limit, judge
from bench.results import Better, Figure, Sample
from bench.subjects import DISTRIBUTION, DOCKER, NGINX, OURS, ZOT
from bench.workloads import Workload


def workload(name, better=Better.HIGHER):
    return Workload(name, name, "", lambda _: Sample(0), better)


def exactly(value):
    return Figure(value, value, value, None)


RESULTS = {
    "rate": {OURS: exactly(100), DOCKER: exactly(10)},
    "same": {OURS: exactly(80)},
    "seconds": {OURS: exactly(0.5), DOCKER: exactly(1)},
}
ALL = [workload("rate"), workload("same"), workload("seconds", Better.LOWER), workload("absent")]


def reached(goal):
    (verdict,) = judge([goal], ALL, RESULTS)
    return verdict.measured, verdict.reached


def test_a_goal_is_reached_at_the_wanted_ratio():
    assert reached(Goal("", "rate", 10, DOCKER)) == (10, True)


def test_a_goal_is_missed_below_the_wanted_ratio():
    assert reached(Goal("", "rate", 10.1, DOCKER)) == (10, False)


def test_a_goal_can_compare_two_of_our_workloads():
    assert reached(Goal("", "same", 0.85, against="rate")) == (0.8, False)


def test_the_ratio_is_inverted_where_lower_is_better():
    assert reached(Goal("", "seconds", 2, DOCKER)) == (2, True)


def test_a_limit_is_kept_or_exceeded():
    assert reached(Limit("", "seconds", 1)) == (0.5, True)
    assert reached(Limit("", "seconds", 0.4)) == (0.5, False)


def test_a_goal_without_a_figure_has_no_verdict():
    assert reached(Goal("", "absent", 10, DOCKER)) == (None, None)
    assert reached(Goal("", "same", 10, DOCKER)) == (None, None)
    assert reached(Limit("", "absent", 10)) == (None, None)


def test_goals_name_existing_workloads():
    names = {workload.name for workload in WORKLOADS}
    spoken = {goal.workload for goal in GOALS} | {
        goal.against for goal in GOALS if isinstance(goal, Goal) and goal.against
    }

    assert spoken <= names


def test_names_of_workloads_are_unique():
    names = [workload.name for workload in WORKLOADS]

    assert len(set(names)) == len(names)


def test_goals_name_existing_subjects():
    known = {OURS, DOCKER, DISTRIBUTION, NGINX, ZOT, growth.FEW, growth.MANY, pages.WITH, pages.WITHOUT}

    assert {name for goal in GOALS for name in (getattr(goal, "peer", OURS), goal.subject)} <= known


def test_goals_are_unique():
    pairs = [(goal.workload, goal.peer, goal.against) for goal in GOALS if isinstance(goal, Goal)]

    assert len(set(pairs)) == len(pairs)
