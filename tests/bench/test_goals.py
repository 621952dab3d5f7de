from bench import growth
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


def test_a_goal_beside_a_peer_is_reached_by_the_wanted_ratio():
    assert reached(Goal("", "rate", 10, DOCKER)) == (10, True)


def test_a_goal_beside_a_peer_is_missed_by_less():
    assert reached(Goal("", "rate", 10.1, DOCKER)) == (10, False)


def test_a_goal_may_be_about_another_workload_of_our_own():
    assert reached(Goal("", "same", 0.85, against="rate")) == (0.8, False)


def test_where_less_is_better_the_ratio_turns_round():
    assert reached(Goal("", "seconds", 2, DOCKER)) == (2, True)


def test_a_limit_is_kept_or_not():
    assert reached(Limit("", "seconds", 1)) == (0.5, True)
    assert reached(Limit("", "seconds", 0.4)) == (0.5, False)


def test_what_was_not_measured_is_neither():
    assert reached(Goal("", "absent", 10, DOCKER)) == (None, None)
    assert reached(Goal("", "same", 10, DOCKER)) == (None, None)
    assert reached(Limit("", "absent", 10)) == (None, None)


def test_goals_speak_of_workloads_that_there_are():
    names = {workload.name for workload in WORKLOADS}
    spoken = {goal.workload for goal in GOALS} | {
        goal.against for goal in GOALS if isinstance(goal, Goal) and goal.against
    }

    assert spoken <= names


def test_workloads_have_names_of_their_own():
    names = [workload.name for workload in WORKLOADS]

    assert len(set(names)) == len(names)


def test_goals_speak_of_subjects_that_there_are():
    known = {OURS, DOCKER, DISTRIBUTION, NGINX, ZOT, growth.FEW, growth.MANY}

    assert {name for goal in GOALS if isinstance(goal, Goal) for name in (goal.peer, goal.subject)} <= known


def test_a_goal_is_set_once():
    pairs = [(goal.workload, goal.peer, goal.against) for goal in GOALS if isinstance(goal, Goal)]

    assert len(set(pairs)) == len(pairs)
