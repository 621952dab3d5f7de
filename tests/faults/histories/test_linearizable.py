"""The checker of histories: what it must accept, what it must not, and that it agrees with trying every order."""

import time
from itertools import permutations
from random import Random

import pytest
from hypothesis import given, settings, strategies

from faults.histories.linearizable import IMPOSSIBLE, NEVER, Act, Operation, Undecided, after, check


def history(*operations):
    """Return operations of the form (act, value, called, answered)."""
    return [Operation(Act(act), value, called, answered) for act, value, called, answered in operations]


GOOD = {
    "nothing": history(),
    "one after another": history(
        ("read", None, 0, 1), ("write", 1, 2, 3), ("read", 1, 4, 5), ("delete", None, 6, 7), ("read", None, 8, 9)
    ),
    "a read beside a write sees either": history(("write", 1, 0, 9), ("read", None, 1, 2), ("read", 1, 3, 4)),
    "writes beside each other, in the order that reads tell": history(
        ("write", 1, 0, 9), ("write", 2, 0, 9), ("read", 2, 1, 2), ("read", 1, 3, 4)
    ),
    "a lost write seen late": history(("write", 1, 0, NEVER), ("read", None, 1, 2), ("read", 1, 5, 6)),
    "a lost write never seen": history(("write", 1, 0, NEVER), ("read", None, 1, 2), ("read", None, 5, 6)),
    "a lost deletion after a later write": history(
        ("erase", None, 0, NEVER), ("write", 1, 1, 2), ("read", 1, 3, 4), ("read", None, 5, 6)
    ),
    "a manifest deleted after its tag had moved on": history(
        ("write", 1, 0, 1), ("write", 2, 2, 3), ("clear", 1, 4, 5), ("read", 2, 6, 7)
    ),
    "a manifest deleted with its tag": history(("write", 1, 0, 1), ("clear", 1, 2, 3), ("read", None, 4, 5)),
    "listed while there": history(("write", 1, 0, 1), ("present", None, 2, 3), ("differs", 2, 4, 5)),
    "equal times overlap": history(("write", 1, 0, 5), ("read", None, 5, 6)),
}
BAD = {
    "never written": history(("read", 1, 0, 1)),
    "lost": history(("write", 1, 0, 1), ("read", None, 2, 3)),
    "stale": history(("write", 1, 0, 1), ("write", 2, 2, 3), ("read", 1, 4, 5)),
    "back and forth": history(
        ("write", 1, 0, 9), ("write", 2, 0, 9), ("read", 2, 1, 2), ("read", 1, 3, 4), ("read", 2, 5, 6)
    ),
    "new, then old": history(("write", 1, 0, 1), ("write", 2, 2, 9), ("read", 2, 3, 4), ("read", 1, 5, 6)),
    "read before it was written": history(("read", 1, 0, 1), ("write", 1, 2, 3)),
    "deleted twice": history(("write", 1, 0, 1), ("delete", None, 2, 3), ("delete", None, 4, 5)),
    "deleted by both of two": history(("write", 1, 0, 1), ("delete", None, 2, 9), ("delete", None, 3, 8)),
    "deleted but there": history(("write", 1, 0, 1), ("delete", None, 2, 3), ("present", None, 4, 5)),
    "its manifest deleted but there": history(("write", 1, 0, 1), ("clear", 1, 2, 3), ("read", 1, 4, 5)),
    "tagged although its manifest is not there": history(("write", 1, 0, 1), ("differs", 1, 2, 3)),
    "another manifest's deletion took it": history(("write", 1, 0, 1), ("clear", 2, 2, 3), ("read", None, 4, 5)),
    "a lost write seen, and unseen": history(("write", 1, 2, NEVER), ("read", 1, 3, 4), ("read", None, 5, 6)),
}


@pytest.mark.parametrize("name", GOOD)
def test_a_history_that_can_be_is_accepted(name):
    assert check(GOOD[name]) is None


@pytest.mark.parametrize("name", BAD)
def test_a_history_that_cannot_be_is_refused(name):
    assert check(BAD[name]) is not None


def test_a_violation_names_what_cannot_be_and_what_was_possible():
    violation = check(history(("write", "a", 0, 1), ("write", "b", 2, 9), ("read", "c", 3, 4)))
    assert str(violation) == (
        "read c [3.000000 to 4.000000] cannot be when it held a; meanwhile: write b [2.000000 to 9.000000]"
    )


def test_the_initial_value_counts():
    assert check(history(("read", 1, 0, 1)), initial=1) is None
    assert check(history(("read", 1, 0, 1))) is not None


def brute_force(operations):
    """Tell whether any order of all that was answered, and of some of the rest, explains everything."""
    lost = [each for each in operations if each.answered == NEVER]
    answered = [each for each in operations if each.answered != NEVER]
    choices = [[each for bit, each in enumerate(lost) if chosen >> bit & 1] for chosen in range(1 << len(lost))]
    return any(explains(order) for chosen in choices for order in permutations([*answered, *chosen]))


def explains(order):
    held = None
    for index, operation in enumerate(order):
        if any(later.answered < operation.called for later in order[index + 1 :]):
            return False
        held = after(operation.act, operation.value, held)
        if held is IMPOSSIBLE:
            return False
    return True


OPERATIONS = strategies.builds(
    lambda act, value, called, length: Operation(
        act, None if act in {Act.DELETE, Act.ERASE, Act.PRESENT} else value, called, called + length
    ),
    strategies.sampled_from(Act),
    strategies.sampled_from([None, 1, 2]),
    strategies.integers(0, 8),
    strategies.sampled_from([0, 1, 2, 4, 8, NEVER]),
)


@settings(max_examples=1500, deadline=None)
@given(strategies.lists(OPERATIONS, max_size=6))
def test_the_verdict_is_that_of_trying_every_order(operations):
    assert (check(operations) is None) == brute_force(operations)


def simulated(seed, operations, clients, *, lose=0.0):
    """Return a history that did happen: `clients` at a time, each operation at a moment between call and answer."""
    random = Random(seed)
    moments = []
    for client in range(clients):
        clock = 0.0
        for number in range(operations // clients):
            called = clock + random.random()
            moment = called + random.random()
            clock = moment + random.random()
            act = random.choices(["write", "read", "delete", "clear"], [3, 10, 1, 1])[0]
            moments.append((moment, called, clock, act, f"{client}-{number}", random.random() < lose))
    held, done, seen = None, [], []
    for _moment, called, answered, act, value, lost in sorted(moments):
        end = NEVER if lost else answered
        match act:
            case "write":
                held = value
                seen.append(value)
                done.append(Operation(Act.WRITE, value, called, end))
            case "read":
                done.append(Operation(Act.READ, held, called, answered))
            case "delete":
                done.append(Operation(Act.ERASE if lost else Act.DELETE if held else Act.READ, None, called, end))
                held = None
            case "clear" if seen:
                target = seen[-random.randint(1, min(3, len(seen)))]
                done.append(Operation(Act.CLEAR, target, called, end))
                held = None if held == target else held
    return [each for each in done if not (each.act is Act.READ and each.answered == NEVER)]


@pytest.mark.parametrize("seed", range(20))
def test_a_true_history_is_accepted_and_a_stale_read_is_found(seed):
    happened = simulated(seed, 600, clients=6)
    assert check(happened) is None
    first = next(each for each in happened if each.act is Act.WRITE)
    end = max(each.answered for each in happened)
    assert check([*happened, Operation(Act.WRITE, "last", end + 1, end + 2)]) is None
    assert check([*happened, Operation(Act.READ, first.value, end + 1, end + 2)]) is not None


@pytest.mark.parametrize("seed", range(5))
def test_answers_that_never_came_hide_nothing_else(seed):
    happened = simulated(seed, 200, clients=6, lose=0.02)
    assert check(happened) is None
    end = max(each.answered for each in happened if each.answered != NEVER)
    assert check([*happened, Operation(Act.READ, "never written", end + 1, end + 2)]) is not None


def test_long_histories_take_time_in_proportion_to_their_length():
    started = time.process_time()
    assert check(simulated(1, 20_000, clients=12)) is None
    assert time.process_time() - started < 20  # measured: under 1 s; trying orders would take for ever


def test_an_undecidable_history_is_reported():
    writes = [Operation(Act.WRITE, number, 0, 9) for number in range(12)]
    with pytest.raises(Undecided):
        check([*writes, Operation(Act.READ, "none of them", 1, 2)], most=100)
